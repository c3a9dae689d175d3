"""Aborted transactions that a fetch answer lists although they ended before the fetch.

A read_committed answer lists (producer id, first offset) of transactions whose records must be left out. Kafka lists
those that reach into the answer. The embedded broker lists older ones too, and aiokafka then leaves out everything
that producer wrote *since*: records that were committed are lost. (Measured: after one abort, a reader that starts
behind the abort marker sees nothing more of that transactional id.)

So an entry that began before the fetch offset is believed only when the answer bears it out: the producer's first
marker in it must be an abort. A marker of a commit refutes the entry, and so does an answer that reaches the last
stable offset without any marker of that producer, for a transaction that reached into it would have ended there.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record import MemoryRecords
from aiokafka.record.control_record import ABORT_MARKER, ControlRecord

from streams.fetch_wire import QuickFetch

Entry = tuple[int, int]
"""(producer id, first offset)"""


class HonestClient:
    """aiokafka's client; its fetch answers name no aborted transactions that are over, and only partitions that have
    records or an error. Where each partition's last stable offset stands is told to `request.stable_ends`.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node_id: int, request: Any, **settings: Any) -> Any:
        """Send a request; mend the answer if it answers a fetch."""
        if type(request) is not FetchRequest:
            return await self._client.send(node_id, request, **settings)
        response = await self._client.send(node_id, QuickFetch.of(request), **settings)
        stable_ends: dict[tuple[str, int], int] = {}
        response.topics = list(_mended(response, request, stable_ends))
        request.stable_ends = stable_ends
        return response


def still_open(entries: Sequence[Entry], records: bytes, *, fetched_from: int, stable_end: int) -> list[Entry]:
    """The entries that bear on this answer."""
    older = [entry for entry in entries if entry[1] < fetched_from]
    if not older:
        return list(entries)
    first_marker, reached = _read_markers(records)
    kept = [entry for entry in entries if entry[1] >= fetched_from]
    for producer_id in dict.fromkeys(entry[0] for entry in older):
        aborts = first_marker.get(producer_id)
        if aborts or (aborts is None and reached < stable_end):
            kept.append(max(entry for entry in older if entry[0] == producer_id))
    return sorted(kept, key=lambda entry: entry[1])


def _read_markers(records: bytes) -> tuple[Mapping[int, bool], int]:
    """Per producer id, whether its first marker is an abort; and the offset after the last batch."""
    first: dict[int, bool] = {}
    reached = -1
    batches = MemoryRecords(records)
    while batches.has_next():
        batch = batches.next_batch()
        reached = batch.next_offset
        if batch.is_control_batch and batch.producer_id not in first:
            marker = next(iter(batch))
            first[batch.producer_id] = ControlRecord.parse(marker.key) == ABORT_MARKER
    return first, reached


def _mended(
    response: Any, request: Any, stable_ends: dict[tuple[str, int], int]
) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    place = -3 if response.API_VERSION >= 11 else -2  # where the answer keeps its aborted transactions
    asked: dict[tuple[str, int], int] = {}
    for topic, partitions in response.topics:
        told = []
        for fields in partitions:
            if not fields[1]:
                stable_ends[topic, fields[0]] = fields[3]
            if fields[place] and fields[-1]:
                asked = asked or {(name, number): at for name, wanted in request.topics for number, at, _ in wanted}
                offset = asked.get((topic, fields[0]), 0)
                changed = list(fields)
                changed[place] = still_open(fields[place], fields[-1], fetched_from=offset, stable_end=fields[3])
                told.append(tuple(changed))
            elif fields[1] or fields[-1]:
                told.append(fields)
        if told:
            yield topic, told
