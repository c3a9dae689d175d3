"""Rows of the labels stage: what an account carries today, and what became of each label it was asked for."""

from enum import StrEnum
from typing import Final

import msgspec

from processors.step import Table

KEEP_MS: Final = 400 * 86_400_000
"""A label is kept as long as the topics, so that a late word of it still meets its status."""
ROUNDS_MAX: Final = 168
"""How often a chain is asked again: with the usual rule for a week."""
DAYS_KEPT: Final = 3
"""A parcel may be given back after midnight; earlier days interest nobody."""


class Status(StrEnum):
    """Where a label stands at an account."""

    REQUESTED = "requested"
    CREATED = "created"
    CANCELLED = "cancelled"
    PASSED_ON = "passed_on"


class Days(msgspec.Struct, frozen=True, array_like=True):
    """Parcels per day in UTC: (date, used), oldest first.

    told: (date, cap) of the day as whose last parcel was taken; ("", 0) while others take the account to have some left
    """

    days: tuple[tuple[str, int], ...] = ()
    told: tuple[str, int] = ("", 0)


class Label(msgspec.Struct, frozen=True, array_like=True):
    """A label an account was asked for.

    carrier: the account's; empty where it never took the label
    day: whose parcel it uses; next_id: the account it was passed on to
    round: of the chain in which it was asked; waiting: the LabelAsked, packed, that ended the chain and is asked again
    """

    order_id: str
    account_id: str
    carrier: str
    location_id: str
    status: Status
    day: str = ""
    next_id: str = ""
    tracking_number: str = ""
    link: str = ""
    round: int = 0
    waiting: bytes = b""


def _account_of(key: str, row: Label | None) -> tuple[str, ...]:  # noqa: ARG001 - an id tells nothing
    return () if row is None else (row.account_id,)


ACCOUNT_SLOTS: Final = Table("account_slots", Days)
"""By account_id."""

LABELS: Final = Table("labels", Label, owners=_account_of)
"""By label_id|account_id."""


def label_key(label_id: str, account_id: str) -> str:
    """Where an account keeps a label."""
    return f"{label_id}|{account_id}"
