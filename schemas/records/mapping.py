"""Mapping: every partner's own numbers for goods, and the variants they mean.

An alias is keyed by alias_id = tenant | namespace | sku. Namespaces: `merchant:ID`, `partner:ID`, `supplier:ID` (ID
without its tenant), `channel:NAME`, and `gtin`, whose SKUs are GTINs of 14 digits.
"""

from schemas.records.base import Int32, Record


class AliasDefined(Record):
    """Somebody who may says which variant a SKU means, or that it means none any more.

    alias_id: tenant | namespace | sku
    variant_id: the canonical variant; null retires the alias
    units_per_pack: units of the variant in one of these, at least 1
    version: counts from 1; an alias that was used is locked, and only its next version changes it
    author: who says so
    occurred_at: when the sender says so
    """

    alias_id: str
    variant_id: str | None
    units_per_pack: Int32
    version: Int32
    author: str
    occurred_at: int


class AliasChanged(Record):
    """An alias as it is from now on.

    alias_id: tenant | namespace | sku
    variant_id: the canonical variant; null once it is retired
    units_per_pack: units of the variant in one of these
    version: counts from 1
    source: defined (by its author), gtin (the variant's own trade item number) or auto (resolved by rule)
    confidence_e6: of the resolver, in millionths; 1,000,000 unless resolved by rule
    author: who said so; empty for a resolved one
    changed_at: the task's time
    """

    alias_id: str
    variant_id: str | None
    units_per_pack: Int32
    version: Int32
    source: str
    confidence_e6: Int32
    author: str
    changed_at: int


class MappingAsked(Record):
    """order or feed → mapping: which variant is this?

    alias_id: tenant | namespace | sku
    asker: order or report: an order is told once, a feed's reports whenever it changes
    asker_id: the order_id, or the report_id (feed_id | sku)
    merchant_id: whose rules say what is resolved without a person; null where no merchant asks
    """

    alias_id: str
    asker: str
    asker_id: str
    merchant_id: str | None


class LineMapped(Record):
    """mapping → order: this is the variant.

    order_id: who asked
    alias_id: what was asked
    variant_id: the variant
    units_per_pack: units of it in one of these
    version: of the alias; the order keeps to it
    """

    order_id: str
    alias_id: str
    variant_id: str
    units_per_pack: Int32
    version: Int32


class ReportMapped(Record):
    """mapping → a feed's reports: this is the variant from now on.

    report_id: feed_id | sku
    alias_id: what was asked
    variant_id: the variant; null once the alias is retired
    units_per_pack: units of it in one of these
    version: of the alias
    """

    report_id: str
    alias_id: str
    variant_id: str | None
    units_per_pack: Int32
    version: Int32
