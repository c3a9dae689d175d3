"""Conservation: what came in, less what left, is what is there, item by item, to the unit.

In: the deltas and counts that were taken, the requests to reserve, release and consume, in the order in which they
were processed; which reservations were granted; how each item stands in the end. Out: the units that came in, were
lost to others' reports, left with shipments and lie there; as faults, each item that stands otherwise than its records
say. The rules are those of the domain: a sequence belongs to (feed, source SKU) and its first number is the baseline;
a duplicate or older record changes nothing; a gap in a contiguous feed keeps deltas until a count includes the missing
one; a shipment told by feed and partner is deducted once, whoever is first.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from fsn.report.findings import Checked, Fault
from fsn.report.inbound import OnItsWay
from fsn.report.oversold import ItemKey, State
from fsn.report.reader import Read

DELTAS: Final = ("StockDelta", "StockCount")


class Feed(msgspec.Struct, frozen=True):
    """What a feed declares."""

    sequences: str = "contiguous"
    shipment_deltas: str = "none"
    counts_exclude_picked: bool = False


class Sequence(msgspec.Struct):
    """What is known of one feed's numbering of one SKU."""

    last: int
    missing: int | None = None
    kept: list[tuple[int, int]] = []
    counted: tuple[int, int] | None = None


class Item(msgspec.Struct):
    """One item as its records make it."""

    feed: Feed
    on_hand: int = 0
    reserved: int = 0
    ahead: int = 0
    """Units confirmed as shipped whose delta has not come (above 0), or the other way round (below 0)."""
    came_in: int = 0
    counted: int = 0
    left: int = 0


class Conserved(msgspec.Struct, frozen=True):
    """The network's stock, summed over items.

    came_in: net units that feeds reported; counted: net corrections by counts; left: units deducted for shipments
    on_hand: units there in the end
    """

    checked: Checked
    came_in: int
    counted: int
    left: int
    on_hand: int


class Fold:
    """Applies records in the order of processing."""

    def __init__(self, feeds: Mapping[str, Feed]) -> None:
        self._feeds = feeds
        self.items: dict[ItemKey, Item] = {}
        self._sequences: dict[tuple[str, str, str], Sequence] = {}
        self._keys: set[tuple[str, str, str, str]] = set()
        self._asked: set[str] = set()
        self._held: dict[str, dict[str, int]] = {}
        self._lines: dict[str, dict[str, int]] = {}
        self._shipped: set[tuple[str, str, str]] = set()
        self._released: set[tuple[str, str]] = set()
        self.on_its_way: Final = OnItsWay()

    def grants(self, offers: Iterable[Read]) -> None:
        """Learn what each granted reservation was granted, from the answers."""
        for read in offers:
            fields = read.fields
            if read.type == "ReservationGranted":
                lines = [(line["location_id"], line["quantity"]) for line in fields["lines"]]
            elif read.type == "StockRouted":
                parts = fields["plan"]["parts"]
                lines = [(part["location_id"], line["quantity"]) for part in parts for line in part["lines"]]
            else:
                continue
            units: dict[str, int] = {}
            for location_id, quantity in lines:
                units[location_id] = units.get(location_id, 0) + quantity
            self._lines[_reservation(fields)] = units

    def apply(self, read: Read) -> None:
        """Apply one record of `stock-deltas` or `stock-requests`."""
        fields = read.fields
        match read.type:
            case "StockDelta" if fields["variant_id"] is not None:
                self._delta(fields)
            case "StockCount" if fields["variant_id"] is not None:
                self._count(fields)
            case "StockExpected":
                self._item(fields)
                self.on_its_way.announced(fields)
            case "ReserveStock" | "RouteStock":
                self._reserve(_reservation(fields), fields["variant_id"])
            case "ReleaseStock":
                self._release(fields)
            case "ConsumeStock":
                self._consume(fields)

    def _delta(self, fields: dict[str, Any]) -> None:
        feed = self._feeds.get(fields["feed_id"], Feed())
        if not self._is_new_delta(fields, feed):
            return
        item, quantity = self._item(fields), fields["quantity"]
        self.on_its_way.moved(fields)
        item.came_in += quantity
        ours = feed.shipment_deltas == "unreferenced" or (
            feed.shipment_deltas == "referenced" and fields["reference"] is not None
        )
        if fields["reason"] == "shipment" and quantity < 0 and ours:
            confirmed_before = min(-quantity, max(0, item.ahead))
            item.came_in += confirmed_before  # deducted with the shipment already
            item.ahead += quantity
            quantity += confirmed_before
        item.on_hand += quantity
        _settle(item)

    def _is_new_delta(self, fields: dict[str, Any], feed: Feed) -> bool:
        number = fields["sequence"]
        if feed.sequences == "none" or number is None:
            return self._is_new_key(fields)
        key = _sequence_key(fields)
        known = self._sequences.get(key)
        if known is None:
            self._sequences[key] = Sequence(number)
            return True
        if number <= known.last:
            return False
        if feed.sequences == "contiguous" and known.missing is None and number > known.last + 1:
            known.missing = known.last + 1
        if known.missing is not None:
            known.kept.append((number, fields["quantity"]))
        known.last = number
        return True

    def _count(self, fields: dict[str, Any]) -> None:
        feed, quantity = self._feeds.get(fields["feed_id"], Feed()), fields["quantity"]
        number = fields["sequence"]
        if feed.sequences == "none" or number is None:
            if not self._is_new_key(fields):
                return
        else:
            later = self._kept_after_count(_sequence_key(fields), number, fields["occurred_at"])
            if later is None:
                return
            quantity += later
        item = self._item(fields)
        computed = item.on_hand + max(0, item.ahead)
        if feed.counts_exclude_picked:
            quantity += _between(0, computed - quantity, max(0, item.reserved + min(0, item.ahead)))
        item.ahead -= _between(0, computed - quantity, max(0, item.ahead))
        after = quantity - max(0, item.ahead)
        item.counted += after - item.on_hand
        item.on_hand = after
        _settle(item)

    def _kept_after_count(self, key: tuple[str, str, str], number: int, counted_at: int) -> int | None:
        """Units that the count does not include yet; None when it is a duplicate or comes too late."""
        known = self._sequences.get(key)
        if known is None:
            self._sequences[key] = Sequence(number, counted=(number, counted_at))
            return 0
        if number < (known.last if known.missing is None else known.missing):
            return None
        if known.counted is not None and (number, counted_at) <= known.counted:
            return None
        later = [entry for entry in known.kept if entry[0] > number]
        holes = [at for at, (found, _) in enumerate(later, number + 1) if at != found]
        known.last, known.counted = max(known.last, number), (number, counted_at)
        known.missing = holes[0] if holes else None
        known.kept = later if holes else []
        return sum(quantity for _, quantity in later)

    def _is_new_key(self, fields: dict[str, Any]) -> bool:
        key = (*_sequence_key(fields), fields["idempotency_key"] or "")
        if key in self._keys:
            return False
        self._keys.add(key)
        return True

    def _reserve(self, reservation: str, variant_id: str) -> None:
        if reservation in self._asked:
            return
        self._asked.add(reservation)
        held = dict(self._lines.get(reservation, {}))
        self._held[reservation] = held
        for location_id, units in held.items():
            self._at(variant_id, location_id, Feed()).reserved += units

    def _release(self, fields: dict[str, Any]) -> None:
        reservation = _reservation(fields)
        held = self._held.get(reservation, {})
        wanted: dict[str, int] = {}
        for line in fields["lines"]:
            wanted[line["location_id"]] = wanted.get(line["location_id"], 0) + line["quantity"]
        self._asked.add(reservation)  # a tombstone where there was none: nothing is granted under this id any more
        if wanted and self._is_repeated_release(reservation, fields):
            return
        for location_id, remaining in held.items():
            units = min(remaining, wanted.get(location_id, 0)) if wanted else remaining
            held[location_id] -= units
            if units:
                item = self._at(fields["variant_id"], location_id, Feed())
                item.reserved -= units
                _settle(item)

    def _is_repeated_release(self, reservation: str, fields: dict[str, Any]) -> bool:
        name = reservation, fields.get("release_id") or ""
        if name[1] and name in self._released:
            return True
        self._released.add(name)
        return False

    def _consume(self, fields: dict[str, Any]) -> None:
        reservation, location_id, quantity = _reservation(fields), fields["location_id"], fields["quantity"]
        shipment = reservation, fields["shipment_id"], location_id
        self._asked.add(reservation)
        if shipment in self._shipped:
            return
        self._shipped.add(shipment)
        item = self.items.get((fields["variant_id"], location_id))
        held = self._held.setdefault(reservation, {})
        units = min(quantity, held.get(location_id, 0))
        if item is None:
            return
        deducted = quantity
        if item.feed.shipment_deltas != "none":
            deducted -= min(quantity, max(0, -item.ahead))
            item.ahead += quantity
        item.on_hand -= deducted
        item.left += deducted
        if units:
            held[location_id] -= units
            item.reserved -= units
        _settle(item)

    def _item(self, fields: dict[str, Any]) -> Item:
        return self._at(fields["variant_id"], fields["location_id"], self._feeds.get(fields["feed_id"], Feed()))

    def _at(self, variant_id: str, location_id: str, feed: Feed) -> Item:
        item = self.items.get((variant_id, location_id))
        if item is None:
            item = self.items[variant_id, location_id] = Item(feed)
        return item


def feeds_of(network: Iterable[Read]) -> dict[str, Feed]:
    """What each feed declares, from `network`."""
    return {
        read.fields["feed_id"]: Feed(
            read.fields["sequences"], read.fields["shipment_deltas"], read.fields["counts_exclude_picked"]
        )
        for read in network
        if read.type == "FeedDefined"
    }


def check_conserved(fold: Fold, last: Mapping[ItemKey, tuple[int, State]]) -> Conserved:
    """Compare what the records add up to with how the items stand in the end."""
    faults = []
    for key, item in fold.items.items():
        name = f"{key[0]} at {key[1]}"
        if key not in last:
            faults.append(Fault("stock is conserved", name, f"holds {item.on_hand}, and was never shown", lost=1))
            continue
        revision, state = last[key]
        if state.on_hand != item.on_hand:
            detail = f"its records add up to {item.on_hand} on hand; revision {revision} shows {state.on_hand}"
            lost, again = int(state.on_hand < item.on_hand), int(state.on_hand > item.on_hand)
            faults.append(Fault("stock is conserved", name, detail, lost=lost, duplicated=again))
        if state.reserved != item.reserved:
            detail = f"its requests leave {item.reserved} reserved; revision {revision} shows {state.reserved}"
            faults.append(Fault("reserved = live reservations", name, detail))
    faults += [
        Fault("stock is conserved", f"{key[0]} at {key[1]}", "is shown, and no feed ever reported it")
        for key in sorted(last.keys() - fold.items.keys())
    ]
    items = fold.items.values()
    return Conserved(
        Checked("stock in = out + held", len(fold.items), tuple(faults)),
        came_in=sum(item.came_in for item in items),
        counted=sum(item.counted for item in items),
        left=sum(item.left for item in items),
        on_hand=sum(state.on_hand for _, state in last.values()),
    )


def _settle(item: Item) -> None:
    """A delta can be ahead only of units still reserved: for others no confirmation will come."""
    item.ahead = max(item.ahead, -item.reserved)


def _reservation(fields: dict[str, Any]) -> str:
    return f"{fields['order_id']}|{fields['attempt']}|{fields['variant_id']}"


def _sequence_key(fields: dict[str, Any]) -> tuple[str, str, str]:
    return fields["variant_id"], fields["feed_id"], fields["sku"]


def _between(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))
