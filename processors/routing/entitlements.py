"""Entitlements: what a supplier lets a merchant do with a variant.

In: the reference data, a merchant and a variant. Out: the level that holds, or whether the variant may be ordered.
The most specific grant wins (product, then category, then merchant), even where it allows less than a wider one;
a revoked grant is gone, so that the next wider one holds again. The merchant's own goods need no grant, nor do those
of a supplier that never said it requires one (`SupplierDefined`). Grants that cannot be used never come here:
`processors.usable.why_unusable` refuses them.
"""

from typing import Final

from processors.network import RANK, Network
from schemas.records.network import VariantDefined

ORDER_ALLOWED: Final = RANK["order_allowed"]
NOT_GRANTED: Final = -1


def may_order(network: Network, merchant_id: str, variant: VariantDefined) -> bool:
    """Whether the merchant may have the variant shipped."""
    supplier = None if variant.supplier_id is None else network.suppliers.get(variant.supplier_id)
    if supplier is None or not supplier.entitlements_required:
        return True
    return rank_of(network, merchant_id, variant) >= ORDER_ALLOWED


def rank_of(network: Network, merchant_id: str, variant: VariantDefined) -> int:
    """The rank in `LEVELS` that holds; NOT_GRANTED without any grant."""
    supplier_id, grants = variant.supplier_id or "", network.grants
    rank = grants.get((supplier_id, merchant_id, "product", variant.variant_id))
    if rank is None and variant.category_id:
        rank = grants.get((supplier_id, merchant_id, "category", variant.category_id))
    if rank is None:
        rank = grants.get((supplier_id, merchant_id, "merchant", merchant_id))
    return NOT_GRANTED if rank is None else rank
