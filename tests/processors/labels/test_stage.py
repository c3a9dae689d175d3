"""An account's day and its labels: a cap that holds, a chain that is followed, and one label bought once."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.labels.rows import ACCOUNT_SLOTS, KEEP_MS, LABELS, ROUNDS_MAX
from processors.labels.stage import STAGE
from processors.network import Network, fold
from processors.reasons import Reason
from schemas.records.labels import (
    LabelAsked,
    LabelCancelled,
    LabelCandidate,
    LabelCreated,
    LabelReleased,
    LabelRequested,
    LabelResolved,
)
from schemas.records.network import CarrierAccountDefined
from schemas.records.shipments import ShipmentLinked
from tests.processors.harness import Bench

NOON, DAY = 1_764_590_400_000, 86_400_000
GLS, UPS, ORDER = "acme|gls", "acme|ups", "acme|shop|1"
ILLEGAL, INVALID, UNKNOWN = Reason.ILLEGAL_TRANSITION, Reason.INVALID_VALUE, Reason.UNKNOWN_LABEL
POOL = tuple(LabelCandidate(name, name[5:], "primary", "", 500, 1_000_000) for name in (GLS, UPS))


def account(account_id, *, cap=2, **changes):
    made = CarrierAccountDefined(
        account_id=account_id,
        carrier=account_id[5:],
        owner_id="acme|merchant",
        role="primary",
        services=("standard",),
        countries=("DE",),
        transit_days=(1,),
        base_cost_minor=(500,),
        cost_per_kg_minor=0,
        currency="EUR",
        b2b_only=False,
        daily_slots=cap,
    )
    return msgspec.structs.replace(made, **changes)


def desk(*further, now_at=NOON):
    records = (account(GLS), account(UPS), *further)
    return Bench(STAGE, network=fold(Network(), enumerate(records)), now_at=now_at)


def ask(number=1, *, at=GLS, chain=(GLS, UPS)):
    return LabelAsked(
        f"lb_{number}", f"as_{number}", ORDER, "acme|merchant", "acme|loc", at, "standard", "DE", 800, POOL, chain, ()
    )


def bought(number=1, *, at=GLS, carrier=None, tracking_number="123", link="vault:1"):
    return LabelCreated(f"lb_{number}", at, carrier or at[5:], tracking_number, link, NOON)


def say(bench, record, signer=None):
    topic = "labels" if isinstance(record, LabelCreated) else "account-slots"
    return bench.send(topic, record.account_id, record, signer)


def told(bench, kind):
    return [record for record in bench.take("label-requests") if isinstance(record, kind)]


def follow(bench):
    """Let what accounts pass on arrive."""
    while passed := bench.take("account-slots"):
        for record in passed:
            assert say(bench, record) is None


def used(bench, at=GLS):
    return dict(bench.rows[ACCOUNT_SLOTS.name][at].days) if at in bench.rows.get(ACCOUNT_SLOTS.name, {}) else {}


def loads(bench):
    return [(record.account_id, record.used, record.cap) for record in bench.take("account-load")]


def test_the_last_parcel_and_one_given_back_are_told_to_every_partition():
    bench = desk()
    say(bench, ask(1))
    assert loads(bench) == []
    say(bench, ask(2))
    assert loads(bench) == [(GLS, 2, 2)]
    say(bench, ask(3))  # passed on: it is known to be full
    assert loads(bench) == []
    say(bench, LabelReleased("lb_1", GLS))
    assert loads(bench) == [(GLS, 1, 2)]
    say(bench, LabelReleased("lb_2", GLS))
    assert loads(bench) == []


def test_yesterdays_parcels_say_nothing_of_today():
    bench = desk()
    say(bench, ask(1))
    say(bench, ask(2))
    bench.tick(NOON + DAY)
    say(bench, LabelReleased("lb_1", GLS))
    say(bench, ask(3))
    assert loads(bench) == [(GLS, 2, 2)]
    say(bench, ask(4))
    assert [used for _, used, _ in loads(bench)] == [2]


def test_a_cap_that_was_lowered_is_told_when_somebody_asks():
    bench = desk()
    say(bench, ask(1))
    bench.network = fold(Network(), enumerate((account(GLS, cap=1), account(UPS))))
    say(bench, ask(2))
    assert loads(bench) == [(GLS, 1, 1)]


def test_a_parcel_given_back_on_an_account_that_is_gone_is_told_to_nobody():
    bench = desk()
    say(bench, ask(1))
    bench.network = fold(Network(), enumerate((account(UPS),)))
    say(bench, LabelReleased("lb_1", GLS))
    assert loads(bench) == []


def test_a_label_is_requested_once_and_the_record_says_why():
    bench = desk()
    assert say(bench, ask()) is None
    assert say(bench, ask()) is None
    request, resolved = bench.take("label-requests")
    assert request == LabelRequested("lb_1", "as_1", ORDER, "acme|loc", GLS, "gls", "standard", "DE", 800, NOON)
    assert isinstance(resolved, LabelResolved)
    assert (resolved.account_id, resolved.candidates, resolved.full) == (GLS, POOL, ())
    assert (resolved.capacity_used, resolved.capacity, resolved.local_date) == (1, 2, "2025-12-01")
    assert used(bench) == {"2025-12-01": 1}


def test_a_full_account_passes_the_label_on():
    bench = desk()
    for number in (1, 2, 3):
        say(bench, ask(number))
    follow(bench)
    assert [one.account_id for one in told(bench, LabelRequested)] == [GLS, GLS, UPS]
    assert (used(bench), used(bench, UPS)) == ({"2025-12-01": 2}, {"2025-12-01": 1})


@pytest.mark.parametrize("changes", [{"outage": True}, {"retired": True}, {"daily_slots": 0}])
def test_so_does_an_account_that_carries_nothing_any_more(changes):
    bench = desk(account(GLS, **changes))
    say(bench, ask())
    follow(bench)
    (resolved,) = told(bench, LabelResolved)
    assert (resolved.account_id, resolved.full) == (UPS, (GLS,))
    assert used(bench) == {}


def test_a_chain_at_its_end_comes_before_a_person():
    bench = desk(account(GLS, cap=0), account(UPS, cap=0))
    say(bench, ask())
    follow(bench)
    (resolved,) = told(bench, LabelResolved)
    assert (resolved.account_id, resolved.full, resolved.capacity) == (None, (GLS, UPS), 0)
    (item,) = bench.take("review-queue")
    assert (item.kind, item.status, item.entity_id) == ("LABEL_UNRESOLVED", "open", "as_1")
    assert "acme|gls, acme|ups" in item.detail


HOUR = 3_600_000


def reviews(bench):
    return [item.status for item in bench.take("review-queue")]


def later(bench, hours):
    """So many hours pass, and what is asked again arrives."""
    for _ in range(hours):
        bench.tick(bench.now_at + HOUR)
        follow(bench)


def test_a_chain_is_asked_again_until_a_new_day_has_parcels():
    bench = desk(account(GLS, cap=0), account(UPS, cap=1))
    for number in (1, 2):
        say(bench, ask(number))
        follow(bench)
    assert (reviews(bench), len(told(bench, LabelResolved))) == (["open"], 2)
    later(bench, 11)
    assert (reviews(bench), bench.take("label-requests")) == ([], [])  # the day is not over
    later(bench, 1)
    request, resolved = bench.take("label-requests")
    assert (request.label_id, request.account_id) == ("lb_2", UPS)
    assert (resolved.account_id, resolved.full, resolved.local_date) == (UPS, (GLS,), "2025-12-02")
    assert reviews(bench) == ["resolved"]
    later(bench, 24)
    assert bench.take("label-requests") == []


def test_so_it_is_when_an_outage_ends():
    bench = desk(account(GLS, outage=True), account(UPS, outage=True))
    say(bench, ask())
    follow(bench)
    bench.network = fold(Network(), enumerate((account(GLS), account(UPS))))
    bench.take()
    later(bench, 1)
    assert [one.account_id for one in told(bench, LabelRequested)] == [GLS]
    assert reviews(bench) == ["resolved"]


def test_a_label_that_nobody_needs_any_more_is_not_asked_for_again():
    bench = desk(account(GLS, cap=0), account(UPS, cap=0))
    say(bench, ask())
    follow(bench)
    for _ in range(2):
        say(bench, LabelReleased("lb_1", GLS))
        follow(bench)
    assert reviews(bench) == ["open", "resolved"]
    bench.network = fold(Network(), enumerate((account(GLS), account(UPS))))
    later(bench, 3)
    assert told(bench, LabelRequested) == []


def test_a_label_given_back_while_its_chain_is_asked_again_is_not_bought():
    bench = desk(account(GLS, cap=0), account(UPS, cap=0))
    say(bench, ask())
    follow(bench)
    bench.network = fold(Network(), enumerate((account(GLS), account(UPS))))
    bench.tick(NOON + HOUR)
    (asked_again,) = bench.take("account-slots")
    say(bench, LabelReleased("lb_1", GLS))
    say(bench, asked_again)
    follow(bench)
    assert (told(bench, LabelRequested), reviews(bench)) == ([], ["open", "resolved"])


def test_a_row_written_before_chains_were_asked_again_still_reads():
    bench = desk()
    old = [ORDER, GLS, "", "acme|loc", "passed_on"]
    bench.put(LABELS, "lb_1|acme|gls", msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=LABELS.row))
    assert say(bench, LabelReleased("lb_1", GLS)) is None
    assert reviews(bench) == []


def test_a_chain_is_given_up_after_a_week():
    bench = desk(account(GLS, cap=0))
    say(bench, ask(chain=(GLS,)))
    later(bench, ROUNDS_MAX + 24)
    assert reviews(bench) == ["open"]
    assert not any(timer[1] == "labels.again" for timer in bench.timers)
    say(bench, LabelReleased("lb_1", GLS))
    assert reviews(bench) == ["resolved"]


@pytest.mark.parametrize("chain", [(), (UPS,)])
def test_an_account_that_is_not_of_its_chain_or_not_known_ends_it(chain):
    bench = desk()
    say(bench, ask(at="acme|gone", chain=chain))
    assert bench.take("account-slots") == []
    assert [item.kind for item in bench.take("review-queue")] == ["LABEL_UNRESOLVED"]


def test_the_next_day_has_its_parcels_back():
    bench = desk()
    for number in (1, 2):
        say(bench, ask(number))
    bench.tick(NOON + DAY)
    say(bench, ask(3))
    assert [one.account_id for one in told(bench, LabelRequested)] == [GLS] * 3
    assert used(bench) == {"2025-12-01": 2, "2025-12-02": 1}


def test_what_is_given_back_is_free_for_the_next_one_and_only_once():
    bench = desk(account(GLS, cap=1))
    say(bench, ask(1))
    for _ in range(2):
        assert say(bench, LabelReleased("lb_1", GLS)) is None
    assert told(bench, LabelCancelled) == [LabelCancelled("lb_1", ORDER, GLS, None, NOON)]
    assert used(bench) == {"2025-12-01": 0}
    say(bench, ask(2))
    assert [one.label_id for one in told(bench, LabelRequested)] == ["lb_2"]


def test_a_release_follows_the_chain():
    bench = desk(account(GLS, cap=0))
    say(bench, ask(1))
    follow(bench)
    bench.take("label-requests")
    say(bench, LabelReleased("lb_1", GLS))
    follow(bench)
    assert [one.account_id for one in told(bench, LabelCancelled)] == [UPS]
    nobody = desk(account(GLS, cap=0), account(UPS, cap=0))
    say(nobody, ask(1))
    follow(nobody)
    say(nobody, LabelReleased("lb_1", GLS))
    follow(nobody)
    assert told(nobody, LabelCancelled) == []
    say(nobody, LabelReleased("lb_7", GLS))
    assert nobody.take("account-slots") == []


def test_a_label_that_was_bought_is_linked_for_tracking_and_voided_when_it_is_given_back():
    bench = desk()
    say(bench, ask())
    assert say(bench, bought()) is None
    assert say(bench, bought()) is None
    number = "acme|gls|123"
    assert bench.take("shipment-links") == [ShipmentLinked(number, ORDER, "lb_1", "acme|loc")]
    say(bench, LabelReleased("lb_1", GLS))
    (cancelled,) = told(bench, LabelCancelled)
    assert cancelled.tracking_number == "123"


@pytest.mark.parametrize(
    ("said", "says", "refusal"),
    [
        ([], bought(), UNKNOWN),
        ([ask()], bought(2), UNKNOWN),
        ([ask(at="acme|gone", chain=())], bought(at="acme|gone"), UNKNOWN),
        ([ask()], bought(carrier="ups"), INVALID),
        ([ask()], bought(tracking_number=""), INVALID),
        ([ask()], bought(tracking_number="1|2"), INVALID),
        ([ask()], bought(link=""), INVALID),
        ([ask(), bought()], bought(tracking_number="124"), ILLEGAL),
        ([ask(), bought()], bought(link="vault:2"), ILLEGAL),
        ([ask(), LabelReleased("lb_1", GLS)], bought(), ILLEGAL),
    ],
)
def test_what_was_not_asked_for_is_refused(said, says, refusal):
    bench = desk()
    for record in said:
        assert say(bench, record) is None
    rows = dict(bench.rows.get(LABELS.name, {}))
    bench.take()
    assert say(bench, says) is refusal
    assert (bench.rows.get(LABELS.name, {}), bench.take()) == (rows, [])


@pytest.mark.parametrize(
    ("signer", "refusal"),
    [(None, None), ("fsn", None), ("acme", None), ("acme|merchant", None), ("acme|rival", Reason.FORGED)],
)
def test_only_the_account_s_owner_says_what_was_bought(signer, refusal):
    bench = desk()
    say(bench, ask())
    assert say(bench, bought(), signer) is refusal
    assert bench.send("labels", UPS, bought()) is Reason.KEY_MISMATCH


def test_a_label_is_forgotten_with_its_topics():
    bench = desk()
    say(bench, ask())
    say(bench, bought())
    bench.tick(NOON + KEEP_MS)
    assert bench.rows[LABELS.name] == {}


NUMBERS = st.integers(1, 6)
SAYINGS = st.one_of(
    st.builds(ask, NUMBERS),
    st.builds(lambda number: LabelReleased(f"lb_{number}", GLS), NUMBERS),
    st.builds(lambda number, at: bought(number, at=at), NUMBERS, st.sampled_from([GLS, UPS])),
    st.just(DAY // 2),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(SAYINGS, max_size=40))
def test_no_day_takes_more_than_the_cap_and_every_parcel_counted_is_a_live_label(history):
    bench = desk(account(GLS, cap=1), account(UPS, cap=2))
    requested, cancelled = Counter(), Counter()
    for entry in history:
        if isinstance(entry, int):
            bench.tick(bench.now_at + entry)
        else:
            say(bench, entry)
            follow(bench)
        for record in bench.take("label-requests"):
            requested[record.label_id] += isinstance(record, LabelRequested)
            cancelled[record.label_id] += isinstance(record, LabelCancelled)
        for at, cap in ((GLS, 1), (UPS, 2)):
            live = Counter(
                row.day
                for row in bench.rows.get(LABELS.name, {}).values()
                if row.account_id == at and row.status in ("requested", "created")
            )
            assert all(count <= cap for count in used(bench, at).values())
            assert all(live[day] == count for day, count in used(bench, at).items())
    assert all(count <= 1 for count in requested.values())
    assert all(count <= requested[label_id] for label_id, count in cancelled.items())
