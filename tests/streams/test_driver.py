"""The topology in memory behaves as the engine promises: savepoints, projections, timers, forwarding, limits."""

import pytest

from processors.step import Stage
from schemas.codec import Codec
from schemas.records.engine import Tick
from schemas.records.network import MerchantDefined, RuleSetPublished
from schemas.records.stock import StockDelta
from schemas.topology import load
from streams.batch import compute
from streams.broadcast import NetworkCopy
from streams.deadletter_rate import PER_MINUTE_MAX
from streams.deadletters import DeadLetterSealer
from streams.machine import CLOCK, ENGINE_STAGE, Machine, Raw, recall_time
from streams.partitioner import Partitioner
from streams.testing import MemoryStore, TopologyDriver
from streams.unit import UnitOfWork
from tests.streams import tally

TOPOLOGY = load("tests/streams/tally.yaml")
CODEC = Codec()


def delta(variant="acme|v1", units=1, reason="receipt"):
    return StockDelta("f", variant, variant, None, "s", 1, None, units, reason, None, 0)


@pytest.fixture
def driver():
    with TopologyDriver(TOPOLOGY, [tally.STAGE], start_at=1_000) as made:
        made.publish()
        yield made


def send(driver, record, **where):
    driver.send_raw("stock-deltas", record.variant_id.encode(), CODEC.encode(record), **where)


def test_a_record_changes_its_row_and_shows_it(driver):
    send(driver, delta(units=5))
    send(driver, delta(units=2))
    assert [snapshot.on_hand for snapshot in driver.read("stock-snapshots")] == [5, 7]


def test_rows_changed_twice_in_a_batch_show_once(driver):
    for units in (1, 2, 3):
        record = delta(units=units)
        driver._append("stock-deltas", driver._partition_of(b"acme|v1"), b"acme|v1", CODEC.encode(record), 1_000)
    driver.run()
    assert [snapshot.on_hand for snapshot in driver.read("stock-snapshots")] == [6]


PLACE = Partitioner(TOPOLOGY.partitions)(b"acme|v1")


def deltas_and_ticks(*, ticks, deltas, at=2_000):
    clock = [
        Raw(CLOCK, PLACE, number, at + number, b"0", CODEC.encode(Tick(at=at + number))) for number in range(ticks)
    ]
    return clock + [
        Raw("stock-deltas", PLACE, number, at + ticks, b"acme|v1", CODEC.encode(delta())) for number in range(deltas)
    ]


def computed_without_time(driver, records):
    """A batch whose time is used up when it is first looked at, after the first record and every 32nd from there."""
    task = driver._tasks[PLACE]
    return compute(records, task.machine, task.unit, app=TOPOLOGY.app, partition=PLACE, codec=CODEC, budget_s=0.0)


def test_a_batch_whose_time_is_used_up_has_read_one_record_ahead_and_no_more(driver):
    records = iter(deltas_and_ticks(ticks=0, deltas=5))
    computed = computed_without_time(driver, records)
    assert [raw.offset for raw in computed.processed] == [0]
    assert computed.offsets == {"stock-deltas": 1}
    assert [raw.offset for raw in records] == [2, 3, 4]


@pytest.mark.parametrize(("ticks", "processed"), [(33, 33), (34, 65)])
def test_time_used_up_never_ends_a_batch_between_two_ticks(driver, ticks, processed):
    computed = computed_without_time(driver, deltas_and_ticks(ticks=ticks, deltas=100))
    assert len(computed.processed) == processed
    assert computed.offsets[CLOCK] == ticks


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (delta(reason="damage"), "INVALID_VALUE"),
        (delta(reason="crash"), "PROCESSOR_ERROR"),
    ],
)
def test_a_refused_record_leaves_no_trace_but_its_dead_letter(driver, record, reason):
    send(driver, delta(units=1))
    send(driver, record)
    send(driver, delta(units=1))
    (letter,) = driver.read("dead-letters")
    assert (letter.reason, letter.topic, letter.offset) == (reason, "stock-deltas", 1)
    assert letter.value == CODEC.encode(record)
    assert [row.units for row in driver.rows(tally.SUMS).values()] == [2]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "UNDECODABLE"),
        (b"garbage", "UNDECODABLE"),
        (b"\x00\x7f\xff\xff\xffrest", "UNKNOWN_SCHEMA"),
        (CODEC.encode(delta())[:-3], "UNDECODABLE"),
    ],
)
def test_bytes_that_are_no_record_stop_nothing(driver, value, reason):
    driver.send_raw("stock-deltas", b"acme|v1", value)
    send(driver, delta())
    assert [letter.reason for letter in driver.read("dead-letters")] == [reason]
    assert len(driver.read("stock-snapshots")) == 1


def test_a_record_type_not_declared_for_the_topic_is_kept(driver):
    stranger = CODEC.encode(tally.OperationalAlert("a", "b", "c", 0, 0, "", "open", 0))
    driver.send_raw("stock-deltas", b"acme|v1", stranger)
    assert [letter.reason for letter in driver.read("dead-letters")] == ["UNDECLARED_RECORD"]


def test_a_record_on_the_wrong_partition_is_forwarded_once(driver):
    record = delta(units=4)
    own = Partitioner(4)(b"acme|v1")
    send(driver, record, partition=(own + 1) % 4)
    assert [snapshot.on_hand for snapshot in driver.read("stock-snapshots")] == [4]
    assert driver.read("dead-letters") == []


def test_a_forwarded_record_that_is_wrong_again_is_kept(driver):
    own = Partitioner(4)(b"acme|v1")
    send(driver, delta(), partition=(own + 1) % 4, headers=[("fsn-forwarded", b"0")])
    assert [letter.reason for letter in driver.read("dead-letters")] == ["WRONG_PARTITION"]


class TestManyTimers:
    """After an outage thousands are due at once; one long batch would hold up everybody."""

    @pytest.fixture
    def late(self, driver, monkeypatch):
        monkeypatch.setattr("streams.unit.TIMERS_PER_TICK", 3)
        self.of_one_task = [
            f"acme|v{number}" for number in range(100) if driver._partition_of(b"acme|v%d" % number) == 0
        ]
        for number, variant in enumerate(self.of_one_task[:10]):
            send(driver, delta(variant))
            driver.tick(1_000 + number)  # each is due a little later than the one before
        return driver

    def test_a_tick_fires_the_first_of_them_and_the_next_ones_the_rest(self, late):
        fired = []
        for at in (200_000, 200_001, 200_002, 200_003, 200_004):
            late.tick(at)
            fired.append([alert.entity_id for alert in late.read("operational-alerts")])
        variants = self.of_one_task
        assert fired == [variants[:3], variants[3:6], variants[6:9], variants[9:10], []]

    def test_a_restart_in_between_forgets_none(self, late):
        late.tick(200_000)
        late.read("operational-alerts")
        task = late._tasks[0]
        task.unit = UnitOfWork(TOPOLOGY, (ENGINE_STAGE, tally.STAGE), CODEC, task.store)
        recall_time(task.unit)
        late.tick(200_001)
        assert [alert.entity_id for alert in late.read("operational-alerts")] == self.of_one_task[3:6]

    def test_once_all_have_fired_nothing_of_it_is_kept(self, late):
        for at in range(200_000, 200_005):
            late.tick(at)
        assert not [key for key in late._tasks[0].store.rows if key == b"engine|timers"]


def test_a_timer_fires_once_on_the_first_tick_at_or_after_its_time(driver):
    driver.tick(2_000)
    send(driver, delta(units=3), at=2_500)
    driver.tick(2_000 + tally.CLOSE_AFTER_MS - 1)
    assert driver.read("operational-alerts") == []
    driver.tick(2_000 + tally.CLOSE_AFTER_MS)
    driver.tick(2_000 + tally.CLOSE_AFTER_MS * 2)
    assert [alert.actual for alert in driver.read("operational-alerts")] == [3]


def test_time_never_goes_back(driver):
    driver.tick(50_000)
    driver.tick(10_000)
    send(driver, delta(), at=60_000)
    driver.tick(50_000 + tally.CLOSE_AFTER_MS)
    assert len(driver.read("operational-alerts")) == 1


def test_a_row_beyond_the_changelog_limit_blames_the_input_that_made_it(driver):
    for record in (delta(units=1), delta(units=200_000, reason="bloat"), delta(units=1)):
        driver._append("stock-deltas", driver._partition_of(b"acme|v1"), b"acme|v1", CODEC.encode(record), 1_000)
    driver.run()
    assert [(letter.reason, letter.offset) for letter in driver.read("dead-letters")] == [("OUTPUT_TOO_LARGE", 1)]
    assert [row.units for row in driver.rows(tally.SUMS).values()] == [2]


def test_a_key_counts_toward_what_its_topic_takes(driver):
    """The broker counts it: a transaction with such an output would be refused again and again."""
    long = "acme|" + "v" * 60_000
    for number, variant in enumerate(("acme|v1", long, "acme|v2")):
        send(driver, delta(variant=variant), at=1_000 + number)
    assert [letter.reason for letter in driver.read("dead-letters")] == ["OUTPUT_TOO_LARGE"]
    assert len(driver.rows(tally.SUMS)) == 2


def test_two_runs_write_the_same_logs():
    logs = []
    for _ in range(2):
        with TopologyDriver(TOPOLOGY, [tally.STAGE], start_at=1_000) as made:
            made.publish()
            for number in range(50):
                send(made, delta(variant=f"acme|v{number % 7}", units=number), at=1_000 + number)
                if number % 9 == 0:
                    made.tick(1_000 + number * 10_000)
            logs.append(made.logs)
    assert logs[0] == logs[1]


def test_a_gauge_is_the_sum_over_its_table(driver):
    for units in (5, 2, 9):
        send(driver, delta(variant=f"acme|v{units}", units=units))
    send(driver, delta(variant="acme|v9", units=-4))
    send(driver, delta(variant="acme|v9", units=1, reason="damage"))
    assert sum(task.unit.gauges["units"] for task in driver._tasks) == 12
    counted = type(driver._tasks[0].unit)(TOPOLOGY, [tally.STAGE], CODEC, driver._tasks[0].store)
    counted.count_gauges(driver._tasks[0].store.rows.items())
    assert counted.gauges == driver._tasks[0].unit.gauges


def test_reference_data_that_cannot_be_used_is_a_dead_letter_and_the_partition_goes_on(driver):
    wrong_kind, merchant = CODEC.encode(Tick(at=1)), MerchantDefined("acme|m", "M", "EUR", "DE", "acme|rules")
    rules = CODEC.encode(RuleSetPublished("acme|rules", 2, "", b"no rules"))
    driver.publish_raw(b"garbage", wrong_kind, rules)
    driver.publish(merchant)
    send(driver, delta())
    letters = driver.read("dead-letters")
    assert [(letter.topic, letter.offset, letter.reason) for letter in letters] == [
        ("network", 0, "UNDECODABLE"),
        ("network", 1, "UNDECLARED_RECORD"),
        ("network", 2, "INVALID_VALUE"),
    ]
    assert letters[2].value == rules
    assert [task.unit.network.merchants for task in driver._tasks] == [{"acme|m": merchant}] * TOPOLOGY.partitions
    assert driver.read("stock-snapshots")[0].on_hand == 1
    driver.publish(merchant)
    assert driver.read("dead-letters") == []  # each is told once


def test_too_many_dead_letters_in_a_minute_are_an_alert_that_ends_with_them(driver):
    def fail(times):
        for _ in range(times):
            send(driver, delta(reason="damage"), at=driver.now_at)

    def told():
        return [
            (alert.kind, alert.entity_id, alert.status, alert.actual) for alert in driver.read("operational-alerts")
        ]

    kind, task = "DEAD_LETTER_RATE", f"tally|{PLACE}"
    driver.tick(10_000)
    fail(PER_MINUTE_MAX)
    assert told() == []
    fail(5)
    assert told() == [(kind, task, "open", PER_MINUTE_MAX + 1)]
    driver.tick(60_000)
    assert told() == []  # the minute is not over
    driver.tick(70_000)
    assert told() == []  # and held too many
    driver.tick(130_000)
    assert told() == [(kind, task, "resolved", 0)]
    driver.tick(200_000)
    fail(PER_MINUTE_MAX // 2)
    driver.tick(260_000)
    fail(PER_MINUTE_MAX // 2 + 1)
    assert told() == []  # never so many in one minute
    driver.tick(330_000)
    rows = [key for task in driver._tasks for key in task.store.rows if key.startswith(b"engine|dead")]
    assert rows == []


def test_a_record_on_the_wrong_partition_is_told_with_the_setting_that_mends_it(driver, caplog):
    other = (PLACE + 1) % TOPOLOGY.partitions
    for _ in range(3):
        send(driver, delta(), partition=other)
    [warning] = [record.message for record in caplog.records if "murmur2_random" in record.message]
    assert warning.startswith(f"stock-deltas|{other}|0 ")


def test_a_timer_of_a_stage_that_only_a_newer_worker_has_waits_for_it():
    """In a rolling upgrade the partition comes back to an old worker: it must neither fire nor bury the timer."""
    store = MemoryStore()

    def worker(*stages):
        unit = UnitOfWork(TOPOLOGY, (ENGINE_STAGE, *stages), CODEC, store)
        recall_time(unit)
        machine = Machine(
            TOPOLOGY, stages, CODEC, partition=0, keys=None, sealer=DeadLetterSealer(None), networks=NetworkCopy()
        )
        return unit, machine

    def tick(unit, machine, at):
        machine.run([Raw("clock", 0, at, at, b"0", CODEC.encode(Tick(at)))], unit)
        outputs = unit.outputs
        store.write(unit.changes())
        unit.committed()
        return [output.topic for output in outputs]

    new = worker(tally.STAGE)
    new[0].put(tally.SUMS, "acme|v1", tally.Sum(1, 1))
    new[0].wake(5_000, "tally.close", "acme|v1")
    assert tick(*new, at=1_000) == []
    old = worker(Stage(name="older", handlers={}, timers={"older.due": lambda *_: None}))
    old[0].wake(6_000, "older.due", "x")
    assert [tick(*old, at=at) for at in (4_000, 7_000, 9_000)] == [[], [], []]
    assert not [key for key in store.rows if b"older.due" in key]
    again = worker(tally.STAGE)
    assert tick(*again, at=10_000) == ["operational-alerts"]
    assert tick(*again, at=11_000) == []
    assert not [key for key in store.rows if key.startswith(b"~")]
