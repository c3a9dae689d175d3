"""SKUs: some merchants' orders name goods by their own numbers or by GTINs, and the merchants define what those mean.

In: a random source, the orders as drawn, the network. Out: those orders with SKUs in some of their lines, and the aliases
that have to be defined: nearly all before the first order, some only after an order already waits for them.
"""

from collections.abc import Sequence
from random import Random
from typing import Final

import msgspec

from fsn.world.network import MINUTE_MS, TENANT, WorldNetwork
from fsn.world.orders import Order
from schemas.records.orders import OrderLine

OWN_SHARE: Final = 0.06
GTIN_SHARE: Final = 0.02
LATE_SHARE: Final = 0.1


class Alias(msgspec.Struct, frozen=True):
    """What a merchant's number means, and when the merchant says so."""

    alias_id: str
    merchant_id: str
    variant_id: str
    at: int


def name_by_skus(orders: Sequence[Order], network: WorldNetwork, random: Random, *, open_at: int) -> list[Alias]:
    """Name some lines by SKUs; what is not late is defined at open_at."""
    aliases: dict[str, Alias] = {}
    for order in orders:
        if order.routable:
            order.sent_lines = tuple(_named(line, order, network, random) for line in order.placed.lines)
            for line, sent in zip(order.placed.lines, order.sent_lines, strict=True):
                if sent.namespace is not None and sent.namespace != "gtin" and line.variant_id is not None:
                    alias_id = f"{TENANT}|{sent.namespace}|{sent.sku}"
                    late = random.random() < LATE_SHARE
                    at = order.at + random.randrange(20, 60) * MINUTE_MS if late else open_at
                    aliases.setdefault(alias_id, Alias(alias_id, order.placed.merchant_id, line.variant_id, at))
    return list(aliases.values())


def _named(line: OrderLine, order: Order, network: WorldNetwork, random: Random) -> OrderLine:
    draw = random.random()
    variant_id = line.variant_id or ""
    if draw < OWN_SHARE:
        merchant = order.placed.merchant_id.partition("|")[2]
        sku = f"{merchant.rpartition('_')[2][:3].upper()}-{variant_id.rpartition('var_')[2].replace('_', '-')}"
        return msgspec.structs.replace(line, variant_id=None, namespace=f"merchant:{merchant}", sku=sku)
    if draw < OWN_SHARE + GTIN_SHARE:
        return msgspec.structs.replace(line, variant_id=None, namespace="gtin", sku=network.variant[variant_id].gtin)
    return line
