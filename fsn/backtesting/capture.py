"""Capture: every evaluation of a recorded run with the inputs that `route()` was given, packed into a file to be read again.

In: a `Recording`. Out: two files below a folder: the evaluations, one after the other, and what they share (reference data,
what was known of feeds and loads). They are kept for as long as the run, its manifests and the code of the processors are
the same; another run is captured anew. Each evaluation is proven: unpacked and routed once more by the recorded rules, it
must give the audit that it gave. Those of transactions that today's code does not repeat are counted and left out.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

import processors
from fsn.backtesting.evaluations import Evaluation, Pictures, Shared, offers_of, packed_offers
from fsn.explaining.recording import anybody, listening
from fsn.recording import Recording, quiet
from processors.routing.changes import Inputs
from processors.routing.facts import Outcome
from processors.routing.pipeline import route
from streams.broadcast import NETWORK

LENGTH_BYTES: Final = 4

Progress = Callable[[int, int], None]
"""progress(partition, evaluations captured)"""


class Captured(msgspec.Struct, frozen=True):
    """Where a capture lies. path: of the evaluations; shared: of what they share"""

    path: Path
    shared: Path

    @property
    def is_there(self) -> bool:
        """Whether it was written whole: what is shared is written last."""
        return self.shared.is_file()


def captured(recording: Recording, folder: Path, progress: Progress) -> Captured:
    """The run's capture, made now if there is none yet."""
    found = place(recording, folder)
    if not found.is_there:
        folder.mkdir(parents=True, exist_ok=True)
        capture(recording, found, progress)
    return found


def place(recording: Recording, folder: Path) -> Captured:
    """Where the capture of this run, by this code, lies or will lie."""
    said = hashlib.sha256(_code())
    for partition in range(recording.topology.partitions):
        manifests = recording.manifests(partition)
        last = manifests[-1] if manifests else None
        said.update(repr((recording.topology.app, partition, len(manifests), last)).encode())
    name = said.hexdigest()[:20]
    return Captured(folder / f"{name}.evaluations", folder / f"{name}.shared")


def _code() -> bytes:
    """A digest of the processors' source: other code may evaluate otherwise, and its values have another layout."""
    said = hashlib.sha256()
    for folder in processors.__path__:
        for path in sorted(Path(folder).rglob("*.py")):
            said.update(path.name.encode() + path.read_bytes())
    return said.digest()


def capture(recording: Recording, into: Captured, progress: Progress) -> None:
    """Replay every partition and keep what its evaluations were given."""
    pictures, count, left_out, unproven = Pictures(), 0, 0, 0
    with into.path.open("wb") as file:
        for partition in range(recording.topology.partitions):
            for evaluation, proven in _evaluations(recording, partition, pictures):
                if evaluation is None:
                    left_out += 1
                elif not proven:
                    unproven += 1
                else:
                    packed = msgspec.msgpack.encode(evaluation)
                    file.write(len(packed).to_bytes(LENGTH_BYTES, "big") + packed)
                    count += 1
                    if count % 500 == 0:
                        progress(partition, count)
            progress(partition, count)
    shared = Shared(
        evaluations=count,
        left_out=left_out,
        unproven=unproven,
        network=[(raw.offset, raw.timestamp, raw.value or b"") for raw in recording.read(NETWORK, 0)],
        known=pictures.packed(),
    )
    into.shared.write_bytes(msgspec.msgpack.encode(shared))


def _evaluations(recording: Recording, partition: int, pictures: Pictures) -> Iterator[tuple[Evaluation | None, bool]]:
    """(evaluation, proven) of each; None for one of a transaction that is not repeated."""
    heard: list[tuple[Evaluation, Inputs, Outcome]] = []

    def hear(inputs: Inputs, outcome: Outcome) -> None:
        evaluation = Evaluation(
            facts=inputs.facts,
            shortlist=inputs.shortlist,
            offers=packed_offers(inputs),
            network_version=inputs.network.version,
            known=pictures.note(inputs),
            now_at=inputs.now_at,
            plan=outcome.plan,
            reason=outcome.reason,
        )
        heard.append((evaluation, inputs, outcome))

    with listening(hear, of=anybody), quiet():
        for transaction in recording.replayed(partition):
            told, heard[:] = list(heard), []
            for evaluation, inputs, outcome in told:
                yield (evaluation, _proven(evaluation, inputs, outcome)) if transaction.matches else (None, False)


def _proven(evaluation: Evaluation, inputs: Inputs, outcome: Outcome) -> bool:
    """Whether the evaluation, packed and unpacked, gives the audit it gave."""
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(evaluation), type=Evaluation)
    offers = offers_of(again.offers, again.shortlist)
    found = route(again.facts, again.shortlist, offers, inputs.network, inputs.known, again.now_at)
    return found.audit == outcome.audit


def read(path: Path, *, start: int = 0, stop: int | None = None) -> Iterator[Evaluation]:
    """The evaluations of a file from a number up to another."""
    decode: Callable[[bytes], Any] = msgspec.msgpack.Decoder(Evaluation).decode
    with path.open("rb") as file:
        number = 0
        while head := file.read(LENGTH_BYTES):
            length = int.from_bytes(head, "big")
            if stop is not None and number >= stop:
                return
            if number >= start:
                yield decode(file.read(length))
            else:
                file.seek(length, 1)
            number += 1


def shared_of(found: Captured) -> Shared:
    """What the evaluations share."""
    return msgspec.msgpack.decode(found.shared.read_bytes(), type=Shared)
