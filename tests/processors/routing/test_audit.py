"""Audits: packed small, unpacked whole."""

import msgspec
import pytest

from processors.routing.audit import LEFT_OUT_MAX, unpack
from processors.routing.facts import Shortlist
from processors.routing.words import STEPS
from tests.processors.routing.world import FACTS, NOW, change, decide, known, location, network, offer, stock


def trace_of(*places, offers, left_out=(), **changes):
    made = network(*[location(place) for place in places])
    listed = Shortlist(tuple(f"acme|loc_{place}" for place in places), left_out, False)
    heard = known(loads={"full": ("2026-09-03", 9, 9)})
    return unpack(decide(made, offers, change(FACTS, **changes), heard=heard, listed=listed).audit)


def test_every_step_tells_who_came_in_and_who_went_out_and_why():
    offers = stock(a={"a": 5, "b": 5, "empty": 0, "full": 5, "old": offer(5, age_ms=10**9)})
    trace = trace_of("a", "b", "empty", "full", "old", offers=offers)
    assert [step.name for step in trace.steps] == list(STEPS)
    assert [(step.candidates_in, step.candidates_out) for step in trace.steps] == [
        (5, 4),  # stock
        (4, 4),
        (4, 4),
        (4, 4),
        (4, 4),
        (4, 3),  # capacity
        (3, 3),
        (3, 3),
        (3, 2),  # freshness
        (2, 2),
        (2, 1),  # audit: the winner
    ]
    said = {judged.location_id: judged.verdict for step in trace.steps for judged in step.candidates}
    assert said == {
        "acme|loc_a": "chosen",
        "acme|loc_b": "lower_score",
        "acme|loc_empty": "no_stock",
        "acme|loc_full": "capacity_full",
        "acme|loc_old": "stale",
    }
    assert dict(trace.scores)["acme|loc_old"] is None
    assert trace.winner[0][0] == "acme|loc_a"
    assert trace.winner[0][4] == ((1, 2),)
    assert (trace.reason, trace.fallback, trace.network_version) == ("routed", "not_needed", 7)
    assert trace.evaluated_at == NOW
    assert len(trace.inputs_digest) == 40


def test_measures_say_how_much_was_missing():
    trace = trace_of("old", offers=stock(a={"old": offer(5, age_ms=1_000_000)}))
    assert trace.steps[8].candidates[0].measure == 1_000_000  # 100 s over the limit of 15 min
    assert trace.steps[0].candidates[0].measure == 2


def test_step_0_tells_all_left_out_or_how_many():
    few = (("acme|loc_x", "tier"), ("acme|loc_y", "limit"), ("acme|loc_z", "limit"))
    trace = trace_of("a", offers=stock(a={"a": 5}), left_out=few)
    assert trace.left_out == few
    assert trace.left_out_counts == (("limit", 2), ("tier", 1))
    many = tuple((f"acme|loc_{index:04}", "limit") for index in range(1_000))
    trace = trace_of("a", offers=stock(a={"a": 5}), left_out=many)
    assert trace.left_out == many[:LEFT_OUT_MAX]
    assert trace.left_out_counts == (("limit", 1_000),)


def test_seven_candidates_and_a_long_step_0_stay_within_4_kib():
    places = [f"a_long_name_of_a_place_{index}" for index in range(7)]
    left_out = tuple((f"acme|loc_another_long_name_{index:04}", "country_not_served") for index in range(1_000))
    listed = Shortlist(tuple(f"acme|loc_{place}" for place in places), left_out, True)
    made = network(*[location(place) for place in places])
    assert len(decide(made, stock(a=dict.fromkeys(places, 5)), listed=listed).audit) <= 4_096


@pytest.mark.parametrize("audit", [b"", msgspec.msgpack.encode((9,))])
def test_another_layout_is_refused(audit):
    with pytest.raises(ValueError, match="read it with the version that wrote it"):
        unpack(audit)
