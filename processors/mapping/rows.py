"""Rows of the mapping stage: what each SKU means, who waits to hear it, and what feeds report under SKUs of their own."""

from enum import StrEnum
from typing import Final

import msgspec

from processors.mapping.catalogue import Candidate
from processors.step import Table


class Source(StrEnum):
    """How an alias came to its variant."""

    DEFINED = "defined"
    GTIN = "gtin"
    AUTO = "auto"


class Alias(msgspec.Struct, frozen=True, array_like=True):
    """A SKU that is known. variant_id is None once it is retired; locked: an order was told this version."""

    variant_id: str | None
    units_per_pack: int
    version: int
    source: Source
    confidence_e6: int
    author: str
    locked: bool = False


class Unmapped(msgspec.Struct, frozen=True, array_like=True):
    """A SKU that nobody has mapped yet.

    asked: how many orders wait (their rows are numbered from 0); kind: of the open review item
    network_version: of the reference data in which the candidates were looked up; look_at: when they are again
    """

    kind: str
    candidates: tuple[Candidate, ...]
    asked: int
    network_version: int
    look_at: int


class Asker(msgspec.Struct, frozen=True, array_like=True):
    """An order that waits for a SKU."""

    alias_id: str
    order_id: str
    merchant_id: str


class Feeds(msgspec.Struct, frozen=True, array_like=True):
    """The reports under this SKU, told whenever it changes: one for each of a partner's feeds that has it."""

    report_ids: tuple[str, ...]


class Report(msgspec.Struct, frozen=True, array_like=True):
    """A SKU as one feed reports it. variant_id is None while it is unmapped.

    asked_at: when mapping was last asked; unmapped: reports that could not be taken; count_wanted: a count was asked for
    """

    alias_id: str
    variant_id: str | None = None
    units_per_pack: int = 1
    version: int = 0
    asked_at: int = 0
    unmapped: int = 0
    count_wanted: bool = False


def _alias_of(key: str, row: Asker | None) -> tuple[str, ...]:  # noqa: ARG001 - a SKU may hold any separator
    return () if row is None else (row.alias_id,)


ALIASES: Final = Table("aliases", Alias)
"""By alias_id."""

UNMAPPED: Final = Table("unmapped", Unmapped)
"""By alias_id."""

ASKERS: Final = Table("mapping_askers", Asker, owners=_alias_of)
"""By `by_number`, first come first; and by `by_order`, so that an order waits once."""

FEEDS: Final = Table("mapping_feeds", Feeds)
"""By alias_id."""

REPORTS: Final = Table("stock_reports", Report)
"""By report_id = feed_id | sku."""


def by_number(alias_id: str, number: int) -> str:
    """The key of the order that came so-and-so-many-th. SKU and order may hold any separator: the length parts them."""
    return f"{len(alias_id)}#{alias_id}#{number}"


def by_order(alias_id: str, order_id: str) -> str:
    """The key under which an order waits."""
    return f"{len(alias_id)}@{alias_id}@{order_id}"
