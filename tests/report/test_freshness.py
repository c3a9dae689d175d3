"""Audits, read by their layout alone, say what stale stock was kept out of; stale stock in a plan is named."""

import msgspec
import pytest

from fsn.report.audits import NOT_REACHED, STEPS, AuditError, unpack, verdict_word
from fsn.report.freshness import check_freshness, limits_of
from fsn.report.truth import Silence
from processors.routing import audit as packing
from processors.routing.words import Verdict
from tests.report.day import day
from tests.report.making import ORDER, broken, reads

MINUTE = 60_000
HERE, OLD = "acme|loc_here", "acme|loc_old"


def packed(chosen_age=MINUTE, stale=90, layout=1, digest=b"\1\2", parts=None, verdicts=None):
    """Two candidates: the first chosen, the second fenced off as stale."""
    said = bytes(10) + bytes([110]) + bytes(8) + bytes([stale, 255, 255])
    fields = [
        layout, 7, "rules", 3, 1_000, digest, 120, 100, False, [HERE, OLD], said if verdicts is None else verdicts,
        [1, 2, 3, 4, 5, 6, 900_000, *[-1] * 7], [9, 0, 1, 2, 3, 4, chosen_age, *[0] * 7], [640_000, -1],
        640_000, 450, [[0, "acme|gls", 450, 99, [1, 2]]] if parts is None else parts, ["acme|loc_far"], b"\5", {},
    ]  # fmt: skip
    return msgspec.msgpack.encode(fields)


def audited(audit=None, decision_id="rd_1", outcome="routed", attempt=1):
    made = {"decision_id": decision_id, "order_id": ORDER, "attempt": attempt, "outcome": outcome}
    return "RoutingAudit", {**made, "audit": packed() if audit is None else audit}


def decided(decision_id="rd_1", digest="0102", locations=((HERE, 1),), attempt=1):
    parts = [{"location_id": name, "attempt": own} for name, own in locations]
    made = {"decision_id": decision_id, "order_id": ORDER, "attempt": attempt, "inputs_digest": digest}
    return "RoutingDecision", {**made, "plan": {"parts": parts}}


def check(*audits, decisions=(decided(),), silences=()):
    limits = {HERE: 15 * MINUTE, OLD: 15 * MINUTE}
    return check_freshness(reads(*audits), reads(*decisions), limits=limits, silences=silences)


def test_the_fence_is_counted():
    found = check(audited(), audited(packed(stale=91), None, "unroutable", 2))
    assert found.checked.faults == ()
    assert (found.evaluations, found.candidates, found.locations, found.orders) == (2, 4, 1, 1)
    assert found.blocked.counts == {"gapped": 1, "stale": 1}
    assert found.outcomes.counts == {"routed": 1, "unroutable": 1}


def test_a_silent_feed_that_was_fenced_off_is_counted():
    silence = Silence("feed", OLD, 100, 500, 2_000)
    assert check(audited(), silences=[silence]).silent_blocked == 1
    over = Silence("feed", OLD, 100, 500, 900)
    assert check(audited(), silences=[over]).silent_blocked == 0


def test_kept_parts_are_explained_by_their_own_audit():
    decision = decided("rd_2", locations=((HERE, 2), ("acme|loc_kept", 1)), attempt=2)
    assert check(audited(decision_id="rd_2", attempt=2), decisions=[decision]).checked.faults == ()


@pytest.mark.parametrize(
    ("audits", "decisions", "silences", "promise"),
    [
        ([audited(packed(chosen_age=16 * MINUTE))], [decided()], [], "no stale stock is promised"),
        ([audited()], [decided()], [Silence("feed", HERE, 100, 500, 2_000)], "no stale stock is promised"),
        ([], [decided()], [], "every decision is explained"),
        ([audited(), audited()], [decided()], [], "every decision is explained"),
        ([audited()], [decided(digest="ffff")], [], "every decision is explained"),
        ([audited()], [decided(locations=((OLD, 1),))], [], "every decision is explained"),
        ([audited(b"\xff")], [], [], "every decision is explained"),
        ([audited(packed(layout=2), None)], [], [], "every decision is explained"),
        ([audited(packed(verdicts=bytes(21)), None)], [], [], "every decision is explained"),
    ],
)
def test_a_broken_promise_is_named(audits, decisions, silences, promise):
    assert broken(check(*audits, decisions=decisions, silences=silences).checked) == [promise]


def test_the_limit_is_that_of_the_most_patient_feed():
    found = limits_of(
        reads(
            ("PartnerDefined", {"partner_id": "p", "freshness_limit_ms": 900}),
            ("FeedDefined", {"feed_id": "a", "partner_id": "p", "location_id": HERE, "freshness_limit_ms": None}),
            ("FeedDefined", {"feed_id": "b", "partner_id": "p", "location_id": HERE, "freshness_limit_ms": 400}),
            ("FeedDefined", {"feed_id": "c", "partner_id": "p", "location_id": OLD, "freshness_limit_ms": 400}),
            ("FeedDefined", {"feed_id": "d", "partner_id": "q", "location_id": "x", "freshness_limit_ms": None}),
        )
    )
    assert found == {HERE: 900, OLD: 400, "x": 0}


def audits_of(made):
    for (topic, _), log in made.driver.logs.items():
        for raw in log if topic == "routing-audits" else ():
            yield made.driver.codec.decode(raw.value).audit


def test_it_reads_what_fsn_packs():
    """The two sides share the published layout and nothing else."""
    seen = 0
    for audit in audits_of(day(1)):
        theirs, ours = packing.unpack(audit), unpack(audit)
        assert theirs.inputs_digest == ours.inputs_digest
        assert [step.name for step in theirs.steps] == [name.lower() for name in STEPS]
        assert [list(part) for part in theirs.winner] == [list(part) for part in ours.parts]
        for place, location_id in enumerate(ours.location_ids):
            assert theirs.scores[place] == (location_id, None if ours.scores[place] < 0 else ours.scores[place])
            for step, trace in enumerate(theirs.steps):
                said = {one.location_id: one for one in trace.candidates}.get(location_id)
                assert (said is None) == (ours.verdict(place, step) == NOT_REACHED)
                if said is not None:
                    assert said.verdict == Verdict(ours.verdict(place, step)).word
                    if said.rating is not None:
                        assert ours.rated(place, step) == (said.rating, said.measure)
        seen += 1
    assert seen > 50


def test_every_verdict_has_words():
    for verdict in Verdict:
        word = "passed" if verdict is Verdict.OK else verdict.word.replace("_", " ")
        assert verdict_word(verdict).replace(" ", "") == word.replace(" ", "")
    assert verdict_word(200) == "verdict 200"


@pytest.mark.parametrize("junk", [b"", b"\xc1", msgspec.msgpack.encode([1, 2]), msgspec.msgpack.encode({"a": 1})])
def test_what_is_no_audit_is_refused(junk):
    with pytest.raises(AuditError):
        unpack(junk)
