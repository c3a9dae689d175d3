"""Stock history: what every location had of a variant, change by change, from a recorded run.

In: a `Recording` and a variant. Out: each change of an item with the instant of the task's time, the record or timer that
made it, and the item before and after; and, for any instant, what each location had then and how old its feed's word was.
The variant's own partition is replayed and its stock stage watched: no second account is kept that could differ.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from fsn.recording import Recording, quiet
from processors.pipeline import STAGES
from processors.reference import FEED_STATUS
from processors.step import Context, Stage, Table
from processors.stock.rows import STOCK_ITEMS, Item
from schemas.records.operations import FeedStatusChanged


class Change(msgspec.Struct, frozen=True):
    """One change of one item.

    at: the task's time, as of its last tick, epoch ms; cause: topic[partition]@offset, with the timer it fired where one did
    before: None for the first word of an item
    """

    at: int
    location_id: str
    cause: str
    before: Item | None
    after: Item


class Standing(msgspec.Struct, frozen=True):
    """What a location has at an instant.

    available_to_promise: as a snapshot shows it, never below 0; feed_age_ms: since item or heartbeat, the later; None before
    both; changed: the last change; in_transit, expected: units on their way there, of which nothing is promised
    """

    location_id: str
    on_hand: int
    reserved: int
    held: int
    safety_stock: int
    available_to_promise: int
    gapped: bool
    revision: int
    feed_age_ms: int | None
    changed: Change
    in_transit: int
    expected: int


class History(msgspec.Struct, frozen=True):
    """All of it. until_at: the task's last instant; network_version: of the reference data at the end."""

    variant_id: str
    changes: tuple[Change, ...]
    heartbeats: tuple[tuple[int, FeedStatusChanged], ...]
    safety_stock: Mapping[str, int]
    until_at: int

    def standings(self, at: int) -> list[Standing]:
        """What each location had at an instant of the task's time."""
        last = {change.location_id: change for change in self.changes if change.at <= at}
        heard = {said.location_id: said for known_at, said in self.heartbeats if known_at <= at}
        return [self._standing(last[name], heard.get(name), at) for name in sorted(last)]

    def _standing(self, change: Change, heard: FeedStatusChanged | None, at: int) -> Standing:
        item = change.after
        safety_stock = self.safety_stock.get(item.location_id, 0)
        known_at = max(item.updated_at, 0 if heard is None else heard.complete_to_at)
        return Standing(
            location_id=item.location_id,
            on_hand=item.on_hand,
            reserved=item.reserved,
            held=item.held,
            safety_stock=safety_stock,
            available_to_promise=max(0, item.on_hand - item.reserved - item.held - safety_stock),
            gapped=bool(item.gapped),
            revision=item.revision,
            feed_age_ms=max(at - known_at, 0) if known_at else None,
            changed=change,
            in_transit=item.in_transit,
            expected=item.expected,
        )


def read_history(recording: Recording, variant_id: str, *, until_at: int | None = None) -> History:
    """Replay the variant's partition, to an instant or to its end."""
    watch = _Watch(variant_id)
    stages = [watch.over(stage) for stage in STAGES]
    with quiet():
        for _ in recording.replayed(recording.partition_of(variant_id), stages=stages):
            if until_at is not None and watch.now_at > until_at:
                break
    copy = recording.network()
    safety = {name: place.safety_stock for name, place in copy.at(copy.available).locations.items()}
    return History(variant_id, tuple(watch.changes), tuple(watch.heartbeats), safety, watch.now_at)


class _Watch:
    """Hears of every change of the variant's items, and of every word of a feed."""

    def __init__(self, variant_id: str) -> None:
        self.changes: list[Change] = []
        self.heartbeats: list[tuple[int, FeedStatusChanged]] = []
        self.now_at = 0
        self._prefix = f"{variant_id}|"
        self._items: dict[str, Item] = {}

    def over(self, stage: Stage) -> Stage:
        """The same stage, watched."""
        if not {STOCK_ITEMS, FEED_STATUS} & set(stage.tables):
            return stage
        return msgspec.structs.replace(
            stage,
            handlers={
                topic: {record: self._watched(run, "") for record, run in by_type.items()}
                for topic, by_type in stage.handlers.items()
            },
            timers={kind: self._watched(run, f" {kind}") for kind, run in stage.timers.items()},
        )

    def _watched(self, run: Callable[[Any, Context], None], timer: str) -> Callable[[Any, Context], None]:
        def watched(given: Any, ctx: Context) -> None:
            self.now_at = max(self.now_at, ctx.now_at)
            seen = _Seen(ctx)
            run(given, cast("Context", seen))  # what raises is rolled back, and was no change
            for table, key, row in seen.rows:
                self._note(table, key, row, ctx, timer)

        return watched

    def _note(self, table: Table[Any], key: str, row: Any, ctx: Context, timer: str) -> None:
        if table is FEED_STATUS:
            self.heartbeats.append((ctx.now_at, row))
        elif table is STOCK_ITEMS and key.startswith(self._prefix):
            source = ctx.source
            cause = f"{source.topic}[{source.partition}]@{source.offset}{timer}"
            self.changes.append(Change(ctx.now_at, row.location_id, cause, self._items.get(key), row))
            self._items[key] = row


class _Seen:
    """A context whose rows are noted as they are kept."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self.rows: list[tuple[Table[Any], str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    def put(self, table: Table[Any], key: str, row: Any) -> None:
        """Keep this row."""
        self._ctx.put(table, key, row)
        self.rows.append((table, key, row))
