"""Entitlements: what a supplier lets a merchant do with a variant, and whether the merchant has taken its release.

In: the reference data, a merchant and a variant. Out: the level that holds; whether the variant may be ordered, and why not; whether
the merchant may see its stock. The most specific grant wins (product, then category, then merchant), even where it
allows less than a wider one; a revoked grant is gone, so that the next wider one holds again. The merchant's own goods need
no grant, nor do those of a supplier that never said it requires one (`SupplierDefined`). Where the supplier requires
activation, a variant may be ordered once the merchant's node has imported a release that has it. Grants and
activations that cannot be used never come here: `processors.usable` and `processors.versions` refuse them.
"""

from typing import Final

from processors.network import RANK, Network
from processors.routing.words import OK, Verdict
from schemas.records.network import VariantDefined

STOCK_VISIBLE: Final = RANK["stock_visible"]
ORDER_ALLOWED: Final = RANK["order_allowed"]
NOT_GRANTED: Final = -1


def order_verdict(network: Network, merchant_id: str, variant: VariantDefined) -> Verdict:
    """Whether the merchant may have the variant shipped; else which of the two is missing."""
    supplier = None if variant.supplier_id is None else network.suppliers.get(variant.supplier_id)
    if supplier is None:
        return OK
    if supplier.entitlements_required and rank_of(network, merchant_id, variant) < ORDER_ALLOWED:
        return Verdict.NOT_ENTITLED
    if supplier.activation_required and not is_imported(network, merchant_id, variant):
        return Verdict.NOT_ACTIVATED
    return OK


def may_see_stock(network: Network, merchant_id: str, variant: VariantDefined) -> bool:
    """Whether the merchant may be told how much there is."""
    supplier = None if variant.supplier_id is None else network.suppliers.get(variant.supplier_id)
    if supplier is None or not supplier.entitlements_required:
        return True
    return rank_of(network, merchant_id, variant) >= STOCK_VISIBLE


def is_imported(network: Network, merchant_id: str, variant: VariantDefined) -> bool:
    """Whether the merchant's node has a release with the variant; what is in no catalogue needs none."""
    if not variant.catalogue_id:
        return True
    activation = network.activations.get((merchant_id, variant.catalogue_id))
    return activation is not None and activation.imported >= max(1, variant.released_in)


def rank_of(network: Network, merchant_id: str, variant: VariantDefined) -> int:
    """The rank in `LEVELS` that holds; NOT_GRANTED without any grant."""
    supplier_id, grants = variant.supplier_id or "", network.grants
    rank = grants.get((supplier_id, merchant_id, "product", variant.variant_id))
    if rank is None and variant.category_id:
        rank = grants.get((supplier_id, merchant_id, "category", variant.category_id))
    if rank is None:
        rank = grants.get((supplier_id, merchant_id, "merchant", merchant_id))
    return NOT_GRANTED if rank is None else rank
