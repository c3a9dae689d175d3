"""Compute one batch: run the machine, project changed rows, collect changelog rows, outputs and the manifest.

The task, the in-memory driver and the replayer share this, so that all three write the same bytes. A row shows its
size only when the batch ends; when one is too large for the changelog the batch is computed once more with each row
measured at once, so that the input that made it is found and dead-lettered, and its neighbours are not.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from processors.step import ABSENT
from schemas.codec import Codec
from schemas.records.engine import OffsetRange, TaskManifest
from streams import deadletter_rate
from streams.errors import OutputTooLarge
from streams.machine import ENGINE, Counts, Instant, Machine
from streams.store import LAYOUT_VERSION
from streams.unit import Output, UnitOfWork

MANIFESTS: Final = "task-manifests"


class Computed(msgspec.Struct, frozen=True):
    """A batch ready to be committed.

    processed: its records, as far as the budget allowed
    outputs: records to send, manifest last
    rows: changelog rows; None deletes
    offsets: next offset per topic
    """

    processed: list[Any]
    counts: Counts
    outputs: list[Output]
    rows: list[tuple[bytes, bytes | None]]
    offsets: dict[str, int]


def compute(
    batch: Iterable[Any],
    machine: Machine,
    unit: UnitOfWork,
    *,
    app: str,
    partition: int,
    codec: Codec,
    budget_s: float | None = None,
    strict: bool = False,
) -> Computed:
    """Process as much of the batch as the budget allows; the unit holds the changes until `committed`.

    strict: measure each row at once, as the recorded run did (for replay).
    """
    unit.clear()
    before = unit.network, unit.now_at, unit.ticked_at, unit.timers_from
    processed, counts = machine.run(batch, unit, budget_s=budget_s, strict=strict)
    ranges = _ranges(processed)
    try:
        rows = _finish(processed, ranges, machine, unit, counts, app=app, partition=partition)
    except OutputTooLarge:
        strict = True
        unit.clear()
        unit.network, unit.now_at, unit.ticked_at, unit.timers_from = before
        _, counts = machine.run(processed, unit, strict=True)
        rows = _finish(processed, ranges, machine, unit, counts, app=app, partition=partition)
    manifest = _manifest(unit, ranges, app=app, partition=partition, strict=strict)
    key = str(partition).encode()
    headers, _ = unit.envelope(MANIFESTS, manifest)
    unit.outputs.append(Output(MANIFESTS, key, codec.encode(manifest), unit.event_at, partition, headers))
    offsets = {topic: last + 1 for topic, (_, last) in ranges.items()}
    return Computed(processed, counts, unit.outputs, rows, offsets)


def _finish(
    processed: Sequence[Any],
    ranges: Mapping[str, tuple[int, int]],
    machine: Machine,
    unit: UnitOfWork,
    counts: Counts,
    *,
    app: str,
    partition: int,
) -> list[tuple[bytes, bytes | None]]:
    """Show changed rows, watch the rate of dead letters, note how far each topic was read and how many transactions there were; changelog rows."""
    machine.project(processed[-1], unit, counts)
    if machine.may_alert:
        deadletter_rate.watch(unit, counts, app=app, partition=partition)
    number = unit.get(ENGINE, "manifest")
    unit.begin_engine()
    layout = unit.get(ENGINE, "layout")
    if layout is ABSENT or layout.value < LAYOUT_VERSION:
        unit.put(ENGINE, "layout", Instant(LAYOUT_VERSION))
    unit.put(ENGINE, "manifest", Instant(1 if number is ABSENT else number.value + 1))
    for topic, (_, last) in ranges.items():
        unit.put(ENGINE, f"next|{topic}", Instant(last + 1))
    return unit.changes()


def _ranges(processed: Sequence[Any]) -> dict[str, tuple[int, int]]:
    """First and last offset per topic, topics in order of appearance."""
    ranges: dict[str, tuple[int, int]] = {}
    for record in processed:
        topic, offset = record.topic, record.offset
        known = ranges.get(topic)
        ranges[topic] = (offset if known is None else known[0], offset)
    return ranges


def _manifest(
    unit: UnitOfWork, ranges: Mapping[str, tuple[int, int]], *, app: str, partition: int, strict: bool
) -> TaskManifest:
    digest = hashlib.sha1(usedforsecurity=False)
    for output in unit.outputs:
        digest.update(b"%b|%b|%b|" % (output.topic.encode(), output.key, output.value))
    return TaskManifest(
        app=app,
        partition=partition,
        strict=strict,
        number=unit.get(ENGINE, "manifest").value,
        network_offset=unit.network.version,
        ranges=tuple(OffsetRange(topic, first, last) for topic, (first, last) in sorted(ranges.items())),
        outputs=len(unit.outputs),
        outputs_digest=digest.hexdigest(),
    )
