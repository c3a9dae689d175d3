"""Dead letters: every bad record is there once, with its reason, and no good one is.

In: `dead-letters`, what each topic holds, and the faulty records of the truth. Out: dead letters by topic and reason
against what was sent. As faults: too few or too many of a kind, a letter of a record that its topic does not hold, and
one record that died twice. A letter of a timer (a tick that caused a failure) is always a fault: nobody sent it.

An encrypted letter is as good as an open one: topic, partition, offset and reason are never encrypted.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from fsn.report.findings import Checked, Fault, Tally, tally
from fsn.report.reader import Counted, Position, Read
from fsn.report.truth import SentLetter


class ReasonScore(msgspec.Struct, frozen=True):
    """One reason on one topic."""

    topic: str
    reason: str
    sent: int
    found: int


class LetterFindings(msgspec.Struct, frozen=True):
    """What died.

    rows: by topic and reason, against what was sent
    """

    checked: Checked
    reasons: Tally
    rows: tuple[ReasonScore, ...]


def check_letters(
    letters: Iterable[Read], counted: Mapping[str, Counted], sent: Iterable[SentLetter] | None
) -> LetterFindings:
    """Compare; without a truth, only what the letters say of themselves is checked."""
    faults: list[Fault] = []
    died: dict[Position, str] = {}
    found: dict[tuple[str, str], int] = {}
    reasons: list[str] = []
    for read in letters:
        fields = read.fields
        position = Position(fields["topic"], fields["partition"], fields["offset"])
        reason = fields["reason"]
        reasons.append(reason)
        found[position.topic, reason] = found.get((position.topic, reason), 0) + 1
        if position in died:
            detail = f"died as {died[position]} and as {reason}"
            faults.append(Fault("a record dies once", str(position), detail, duplicated=1))
        died.setdefault(position, reason)
        topic = counted.get(position.topic)
        if topic is None or not topic.holds(position.partition, position.offset):
            faults.append(Fault("a dead record was there", str(position), f"{reason}: its topic does not hold it"))
        if reason == "PROCESSOR_ERROR":
            faults.append(Fault("no processor fails", str(position), fields["detail"]))
    expected = found if sent is None else _planned(sent)
    faults += _differences(found, expected)
    pairs = sorted(found.keys() | expected.keys(), key=lambda pair: (pair[1], pair[0]))
    rows = tuple(ReasonScore(*pair, expected.get(pair, 0), found.get(pair, 0)) for pair in pairs)
    checked = Checked("dead letters = planted", len(reasons), tuple(faults))
    return LetterFindings(checked, tally(reasons), rows)


def positions_of(letters: Iterable[Read]) -> frozenset[Position]:
    """Where the dead records stand."""
    return frozenset(
        Position(read.fields["topic"], read.fields["partition"], read.fields["offset"]) for read in letters
    )


def _planned(sent: Iterable[SentLetter]) -> dict[tuple[str, str], int]:
    planned: dict[tuple[str, str], int] = {}
    for letter in sent:
        planned[letter.topic, letter.reason] = planned.get((letter.topic, letter.reason), 0) + 1
    return planned


def _differences(found: Mapping[tuple[str, str], int], sent: Mapping[tuple[str, str], int]) -> Iterator[Fault]:
    for topic, reason in sorted(found.keys() | sent.keys()):
        wanted, there = sent.get((topic, reason), 0), found.get((topic, reason), 0)
        if wanted != there:
            detail = f"{wanted} sent, {there} found"
            lost, again = max(0, wanted - there), max(0, there - wanted)
            yield Fault("dead letters = planted", f"{reason} on {topic}", detail, lost=lost, duplicated=again)
