"""On its way: what the last snapshots show in transit and expected is what the records say.

In: the deltas and announcements that were taken, in the order of processing, and the snapshots. Out, as faults: each item
whose last snapshot shows other units on their way than were sent or announced and have not arrived. A transfer's units
are on their way from the source's delta to the destination's, by reference and in either order; an announcement's until
receipts of that reference have come. The newest announcement counts.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from fsn.report.findings import Checked, Fault
from fsn.report.oversold import ItemKey
from fsn.report.reader import Read


class Coming(msgspec.Struct):
    """Units on their way to an item under one reference."""

    transfer: bool = False
    announced: int = 0
    arrived: int = 0
    said_at: int = 0

    @property
    def units(self) -> int:
        """Those that have not arrived."""
        return max(0, self.announced - self.arrived)


class OnItsWay:
    """Sums up what is on its way."""

    def __init__(self) -> None:
        self._coming: dict[ItemKey, dict[str, Coming]] = {}

    def moved(self, fields: dict[str, Any]) -> None:
        """A StockDelta that counts."""
        reference, reason, quantity = fields["reference"], fields["reason"], fields["quantity"]
        if reference is None:
            return
        if reason == "transfer_out" and fields.get("counterpart_location_id") is not None:
            key = fields["variant_id"], fields["counterpart_location_id"]
            coming = self._at(key, reference)
            coming.transfer, coming.announced = True, coming.announced - quantity
        elif reason in ("transfer_in", "receipt"):
            key = fields["variant_id"], fields["location_id"]
            known = self._coming.get(key, {}).get(reference)
            if known is not None:
                known.arrived += quantity
            elif reason == "transfer_in":
                self._coming.setdefault(key, {})[reference] = Coming(transfer=True, arrived=quantity)

    def announced(self, fields: dict[str, Any]) -> None:
        """A StockExpected."""
        key = fields["variant_id"], fields["location_id"]
        if not fields["quantity"] and fields["reference"] not in self._coming.get(key, {}):
            return  # taken back before anything was heard of it
        coming = self._at(key, fields["reference"])
        if fields["occurred_at"] > coming.said_at:
            coming.announced, coming.said_at = fields["quantity"], fields["occurred_at"]

    def check(self, snapshots: Iterable[Read]) -> Checked:
        """Compare with the last snapshot of each item."""
        last: dict[ItemKey, dict[str, Any]] = {}
        for fields in (read.fields for read in snapshots):
            key = fields["variant_id"], fields["location_id"]
            if key not in last or fields["revision"] > last[key]["revision"]:
                last[key] = fields
        faults = []
        for key, shown in last.items():
            coming = self._coming.get(key, {}).values()
            transfers = sum(one.units for one in coming if one.transfer)
            expected = sum(one.units for one in coming if not one.transfer)
            if (transfers, expected) != (shown["in_transit"], shown["expected"]):
                detail = (
                    f"{transfers} in transit and {expected} expected by its records; revision {shown['revision']} shows "
                    f"{shown['in_transit']} and {shown['expected']}"
                )
                faults.append(Fault("stock on its way", f"{key[0]} at {key[1]}", detail))
        return Checked("what is on its way is shown", len(last), tuple(faults))

    def _at(self, key: ItemKey, reference: str) -> Coming:
        return self._coming.setdefault(key, {}).setdefault(reference, Coming())
