"""Parcel: one tracking number as a row, and the rule by which its scans say where it stands.

A scan is known by (carrier, number, code, time, place); carrier and number are the parcel's key. The status is that of
the weightiest scan, a maximum over a set: no arrival order changes it, and no late scan takes it back. On the way, the
later scan counts, whatever it says; electronic announcements never do once the parcel moves; delivered outweighs the
way, and a return outweighs a delivery, which then was one to the sender.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from processors.carriers.scan import IncidentReason, Scan, Status
from processors.step import ABSENT, Context, Table

FINAL: Final = (Status.DELIVERED, Status.RETURN_TO_SENDER, Status.CANCELLED, Status.LOST)
"""Of these no further scan is expected: silence is not an alert."""

_RANKS: Final = {status: rank for rank, status in enumerate(Status)}
_STAGES: Final = {Status.UNKNOWN: 0, Status.LABEL_CREATED: 1, Status.DELIVERED: 3, Status.RETURN_TO_SENDER: 4}
_ON_THE_WAY: Final = 2


class Link(msgspec.Struct, frozen=True, array_like=True):
    """A shipment that travels in the parcel; two shipments packed together share one."""

    order_id: str
    shipment_id: str


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """A scan as the parcel keeps it."""

    occurred_at: int
    code: str
    place: str
    status: Status
    reason: IncidentReason | None
    text: str
    country: str | None
    occurred_local: str

    @property
    def identity(self) -> tuple[int, str, str]:
        """What makes it this scan and no other of its parcel."""
        return self.occurred_at, self.code, self.place

    @property
    def weight(self) -> tuple[int, int, int]:
        """How much it says of where the parcel stands: stage, then time, then the further status."""
        return _STAGES.get(self.status, _ON_THE_WAY), self.occurred_at, _RANKS[self.status]


class Parcel(msgspec.Struct, frozen=True, array_like=True):
    """One tracking number: whose it is and what is known of it."""

    links: tuple[Link, ...] = ()
    scans: tuple[Seen, ...] = ()
    """In order of time."""
    heard_at: int = 0
    """When a scan or a shipment was last joined to it."""
    answer: str = ""
    """Why the carrier last had no scans for it, in the carrier's words."""
    watched: bool = False
    """A timer of kind `tracking.silent` is set."""
    silent: bool = False
    """SHIPMENT_SILENT is open."""
    unlinked: bool = False
    """UNLINKED_PARCEL is open."""

    @property
    def status(self) -> Status:
        """Where the parcel stands."""
        best = weightiest(self.scans)
        return Status.UNKNOWN if best is None else best.status


class UnknownCode(msgspec.Struct, frozen=True, array_like=True):
    """A carrier's code that was queued for review."""

    raised_at: int


PARCELS: Final = Table("parcels", Parcel)
"""By tracking_number."""

UNKNOWN_CODES: Final = Table("unknown_codes", UnknownCode, shared=True)
"""By tenant | carrier | code."""


def parcel_of(number: str, ctx: Context) -> Parcel:
    """What is known of a tracking number, be it nothing."""
    parcel = ctx.get(PARCELS, number)
    return Parcel() if parcel is ABSENT else parcel


def carrier_of(number: str) -> str:
    """The carrier in tenant | carrier | number."""
    return number.split("|", 2)[1]


def seen(scan: Scan) -> Seen:
    """A carrier's scan as the parcel keeps it."""
    return Seen(
        occurred_at=scan.occurred_at,
        code=scan.code,
        place=scan.place,
        status=scan.status,
        reason=scan.reason,
        text=scan.text,
        country=scan.country,
        occurred_local=scan.occurred_local,
    )


def weightiest(scans: Sequence[Seen]) -> Seen | None:
    """The scan that says where the parcel stands."""
    return max(scans, key=lambda scan: scan.weight, default=None)


def in_order(scans: Sequence[Seen]) -> tuple[Seen, ...]:
    """Scans by time; at one instant the further status is the later one."""
    return tuple(sorted(scans, key=lambda scan: (scan.occurred_at, _RANKS[scan.status], scan.code, scan.place)))
