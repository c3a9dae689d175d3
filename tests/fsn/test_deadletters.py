"""`fsn dlq` on letters that the engine itself wrote: the tally stage refuses, the operator looks and sends again."""

import os
import time
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from typer.testing import CliRunner

from fsn import letters
from fsn.deadletters import app
from fsn.letters import Filter, LetterError, Letters
from fsn.processes import WorkerProcess
from fsn.terminal import plain
from schemas.codec import Codec
from schemas.records.network import MerchantDefined
from schemas.records.stock import StockDelta
from schemas.topology import load
from streams.admin import apply
from streams.deadletters import DeadLetterSealer, position_of
from streams.machine import Raw
from streams.partitioner import Partitioner
from streams.settings import read_settings
from streams.testing import TopologyDriver
from tests.streams import tally

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tests" / "streams" / "tally.yaml"
TOPOLOGY = load(FILE)
CODEC = Codec()
KEY = "ab" * 32
DELTA = StockDelta("f", "loc", "v", None, "s", 1, None, 3, "damage", None, 7)

# (offset, key, value, headers, reason, detail); all of stock-deltas
LETTERS = [
    (0, b"v-0", CODEC.encode(DELTA), (("fsn-key-id", b"k"), ("fsn-signature", b"\x00\xff")), "INVALID_VALUE", "damage"),
    (1, b"v-1", b"\x1b[2Jgarbage", (("fsn-forwarded", b"2"), ("fsn-replayed", b"older|0|1")), "UNDECODABLE", "\x1b[2J"),
    (2, b"v-2", CODEC.encode(DELTA), (), "INVALID_VALUE", "damage"),
    (3, None, None, (), "KEY_MISMATCH", "no key"),
]


@pytest.fixture
def brokers(start_broker, monkeypatch):
    """A broker of its own: the tally's topics have fixed names."""
    for name in [name for name in os.environ if name.startswith("FSN_")]:
        monkeypatch.delenv(name)
    broker = start_broker()
    apply(TOPOLOGY, broker.bootstrap)
    yield broker.bootstrap
    broker.kill()


def bury(brokers, *, key=None, timer=False):
    """Write the letters as a task writes them."""
    sealer = DeadLetterSealer(None if key is None else bytes.fromhex(key))
    producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random"})
    for offset, raw_key, value, headers, reason, detail in LETTERS:
        raw = Raw("stock-deltas", 1, offset, 1_000 + offset, raw_key, value, headers)
        letter = sealer.seal(raw, letters.Reason(reason), detail)
        name = f"stock-deltas|1|{offset}" + ("|tally.close" if timer else "")
        producer.produce("dead-letters", CODEC.encode(letter), name)
    assert producer.flush(10) == 0


def write(brokers, letter, name):
    producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random"})
    producer.produce("dead-letters", CODEC.encode(letter), name)
    assert producer.flush(10) == 0


def dlq(brokers, *arguments, key=None):
    env = {"FSN_BROKERS": brokers, "COLUMNS": "200"} | ({} if key is None else {"FSN_DEAD_LETTER_KEY": key})
    return CliRunner().invoke(app, [*arguments, "--file", str(FILE)], env=env)


def read(brokers, topic, *, isolation="read_committed"):
    """Everything on a topic, by a reader that shares nothing with the code under test."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "independent",
            "isolation.level": isolation,
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(4)])
    found, ended = [], 0
    while ended < 4:
        message = consumer.poll(10)
        assert message is not None, f"{topic} never ended"
        if message.error():
            ended += 1
        else:
            found.append(message)
    consumer.close()
    return found


def sent(brokers):
    return sorted(read(brokers, "stock-deltas"), key=lambda message: dict(message.headers())["fsn-replayed"])


@pytest.mark.broker
def test_list_shows_and_counts(brokers):
    bury(brokers)
    shown = dlq(brokers, "list")
    assert shown.exit_code == 0, shown.output
    assert "4 dead letters by reason" in shown.output
    assert all(f"stock-deltas|1|{offset}" in shown.output for offset in range(4))
    only = dlq(brokers, "list", "--reason", "undecodable").output
    assert "1 dead letters by reason" in only
    assert "stock-deltas|1|0" not in only
    assert "0 dead letters" in dlq(brokers, "list", "--topic", "network").output
    for command in ("list", "replay"):
        misspelt = dlq(brokers, command, "--topic", "stock-delta").exception
        assert str(misspelt) == "stock-delta is no topic; did you mean stock-deltas?"
    dlq(brokers, "replay", "--topic", "stock-deltas", "--topic", "stock-delta")
    assert sent(brokers) == [], "nor is what was spelt well sent, and its report lost"
    assert "4 dead letters" in dlq(brokers, "list", "--limit", "0").output


@pytest.mark.broker
def test_a_letter_cannot_command_the_terminal(brokers):
    bury(brokers)
    for output in (dlq(brokers, "list").output, dlq(brokers, "show", "stock-deltas|1|1").output):
        assert "\x1b[2J" not in output
        assert "\\x1b[2J" in output


@pytest.mark.broker
def test_show_tells_why_and_decodes(brokers):
    bury(brokers)
    shown = dlq(brokers, "show", "stock-deltas|1|0").output
    assert "reason: INVALID_VALUE" in shown
    assert "StockDelta {" in shown
    assert '"quantity": 3' in shown
    assert "header fsn-key-id: k" in shown
    assert "header fsn-signature: 0x00ff" in shown
    assert "cannot be decoded" in dlq(brokers, "show", "stock-deltas|1|1").output
    assert "none: the value was empty" in dlq(brokers, "show", "stock-deltas|1|3").output


@pytest.mark.broker
def test_a_long_record_is_shown_in_part_unless_asked_for(brokers):
    value = CODEC.encode(msgspec.structs.replace(DELTA, reason="x" * 9_000))
    raw = Raw("stock-deltas", 0, 5, 1, b"k" * 300, value, (("h", b"\xff" * 300),))
    write(brokers, DeadLetterSealer(None).seal(raw, letters.Reason.INVALID_VALUE, "too long"), "stock-deltas|0|5")
    shown = dlq(brokers, "show", "stock-deltas|0|5").output
    assert len(shown) < 6_000
    assert shown.count("characters more (--whole shows them)") == 3, "of the record, the key and the header"
    assert "…: 44 characters more" in shown, "of a key of 300"
    whole = dlq(brokers, "show", "stock-deltas|0|5", "--whole").output
    assert "x" * 9_000 in whole
    assert f"key: {'k' * 300}\n" in whole
    assert value.hex(" ", -4) in whole
    assert "characters more" not in whole


@pytest.mark.broker
def test_an_unknown_position_is_said(brokers):
    bury(brokers)
    assert "no dead letter is called" in str(dlq(brokers, "show", "orders|0|7").exception)
    replayed = dlq(brokers, "replay", "stock-deltas|1|0", "orders|0|7")
    assert replayed.exit_code == 1
    assert "orders|0|7" in replayed.output
    assert len(sent(brokers)) == 1, "what is known is sent nevertheless"


@pytest.mark.broker
def test_encrypted_letters_need_their_key(brokers):
    bury(brokers, key=KEY)
    assert "4 dead letters" in dlq(brokers, "list").output
    assert "set FSN_DEAD_LETTER_KEY" in str(dlq(brokers, "show", "stock-deltas|1|0").exception)
    assert "encrypted under another key" in str(dlq(brokers, "show", "stock-deltas|1|0", key="cd" * 32).exception)
    assert "StockDelta {" in dlq(brokers, "show", "stock-deltas|1|0", key=KEY).output
    assert isinstance(dlq(brokers, "replay", "--all", key="cd" * 32).exception, LetterError)
    assert sent(brokers) == [], "a replay that cannot open a letter sends none of its transaction"
    assert dlq(brokers, "replay", "--all", key=KEY).exit_code == 0
    assert sent(brokers)[0].value() == CODEC.encode(DELTA)


@pytest.mark.broker
def test_replay_sends_the_same_bytes_to_the_partition_of_the_key(brokers):
    bury(brokers)
    assert dlq(brokers, "replay", "--all").exit_code == 0
    found = sent(brokers)
    for message, (offset, key, value, headers, _, _) in zip(found, LETTERS, strict=True):
        kept = [(name, content) for name, content in headers if name not in {"fsn-forwarded", "fsn-replayed"}]
        assert (message.key(), message.value(), message.timestamp()[1]) == (key, value, 1_000 + offset)
        assert message.headers() == [*kept, ("fsn-replayed", f"stock-deltas|1|{offset}".encode())]
        assert message.partition() == (1 if key is None else Partitioner(4)(key))


@pytest.mark.broker
def test_replay_keeps_the_order_in_which_the_records_were_read(brokers):
    """`dead-letters` spreads them by their positions: read partition by partition they come in another order."""
    sealer, count = DeadLetterSealer(None), 40
    for offset in range(count):
        raw = Raw(
            "stock-deltas", 1, offset, 1_000, b"v-0", CODEC.encode(msgspec.structs.replace(DELTA, quantity=offset))
        )
        write(brokers, sealer.seal(raw, letters.Reason.UNKNOWN_FEED, "define it"), f"stock-deltas|1|{offset}")
    as_read = [CODEC.decode(message.value()).offset for message in read(brokers, "dead-letters")]
    assert as_read != sorted(as_read)
    assert f"{count} sent" in dlq(brokers, "replay", "--reason", "UNKNOWN_FEED").output
    assert [CODEC.decode(message.value()).quantity for message in read(brokers, "stock-deltas")] == [*range(count)]


@pytest.mark.broker
def test_a_record_of_which_only_the_head_was_kept_is_not_sent_as_if_whole(brokers):
    huge = Raw("stock-deltas", 0, 0, 1, b"v-0", b"x" * 400_000)
    with TopologyDriver(TOPOLOGY, [tally.STAGE]) as driver:
        driver.publish()
        driver.send_raw(huge.topic, huge.key, huge.value)
        [letter] = driver.read("dead-letters")
    assert len(letter.value) < 400_000
    write(brokers, letter, position_of(letter))
    refused = dlq(brokers, "replay", "--all")
    assert (refused.exit_code, "only the head of the record was kept" in refused.output) == (1, True)
    assert read(brokers, "stock-deltas") == []


@pytest.mark.broker
def test_a_dry_run_sends_nothing_and_remembers_nothing(brokers):
    bury(brokers)
    said = dlq(brokers, "replay", "--reason", "INVALID_VALUE", "--dry-run").output
    assert "would send: 2 to stock-deltas (INVALID_VALUE)" in said
    assert read(brokers, "stock-deltas", isolation="read_uncommitted") == []
    assert "2 sent" in dlq(brokers, "replay", "--reason", "INVALID_VALUE").output


@pytest.mark.broker
def test_what_was_replayed_is_not_replayed_again_unless_told(brokers):
    bury(brokers)
    assert "2 sent" in dlq(brokers, "replay", "--reason", "INVALID_VALUE").output
    again = dlq(brokers, "replay", "--all").output
    assert "2 sent; 2 replayed before" in again
    assert "0 sent; 4 replayed before" in dlq(brokers, "replay", "--all").output
    assert len(sent(brokers)) == 4
    assert "1 sent" in dlq(brokers, "replay", "stock-deltas|1|0", "--again").output
    assert len(sent(brokers)) == 5
    assert "replayed" in dlq(brokers, "list").output


@pytest.mark.broker
def test_a_replay_cut_short_goes_on_where_its_last_transaction_ended(brokers, monkeypatch):
    bury(brokers)
    monkeypatch.setattr(letters, "PER_TRANSACTION", 1)
    opened, calls = Letters.opened, []

    def fail_at_the_third(self, found):
        calls.append(found.key)
        if len(calls) == 3:
            raise LetterError("the power went")
        return opened(self, found)

    monkeypatch.setattr(Letters, "opened", fail_at_the_third)
    assert isinstance(dlq(brokers, "replay", "--all").exception, LetterError)
    assert len(sent(brokers)) == 2
    monkeypatch.setattr(Letters, "opened", opened)
    assert "2 sent; 2 replayed before" in dlq(brokers, "replay", "--all").output
    replayed = [dict(message.headers())["fsn-replayed"] for message in sent(brokers)]
    assert len(replayed) == len(set(replayed)) == 4


@pytest.mark.broker
def test_of_two_replays_at_once_one_is_fenced_and_nothing_is_sent_twice(brokers, monkeypatch):
    """The second begins while the first stands inside its transaction."""
    bury(brokers)
    opened, begun = Letters.opened, []

    def let_another_begin(self, found):
        if not begun:
            begun.append(True)
        elif len(begun) == 1:
            begun.append(True)
            other = Letters(TOPOLOGY, read_settings(brokers=brokers))
            report = other.replay(Filter.of(None, None), dry_run=False, again=False)
            assert sum(report.sent.values()) == 4
        return opened(self, found)

    monkeypatch.setattr(Letters, "opened", let_another_begin)
    first = Letters(TOPOLOGY, read_settings(brokers=brokers))
    with pytest.raises(LetterError, match="another replay began meanwhile"):
        first.replay(Filter.of(None, None), dry_run=False, again=False)
    replayed = [dict(message.headers())["fsn-replayed"] for message in sent(brokers)]
    assert len(replayed) == len(set(replayed)) == 4


@pytest.mark.broker
def test_what_cannot_be_sent_is_refused_with_the_reason(brokers, tmp_path):
    bury(brokers, timer=True)
    refused = dlq(brokers, "replay", "--all")
    assert refused.exit_code == 1
    assert "a timer failed" in refused.output
    assert sent(brokers) == []
    other = tmp_path / "other.yaml"
    other.write_text(FILE.read_text("utf-8").replace("stock-deltas", "other-deltas"), "utf-8")
    bury(brokers)
    wrong = CliRunner().invoke(app, ["replay", "--all", "--file", str(other), "--brokers", brokers])
    assert "stock-deltas is not in the topology" in wrong.output


@pytest.mark.broker
def test_bytes_of_strangers_on_the_topic_are_passed_over(brokers):
    bury(brokers)
    producer = Producer({"bootstrap.servers": brokers})
    producer.produce("dead-letters", b"no letter", b"\xff")
    producer.produce("dead-letters", CODEC.encode(DELTA), b"x")
    assert producer.flush(10) == 0
    assert "4 dead letters" in dlq(brokers, "list").output


@pytest.mark.broker
def test_round_trip_through_a_worker(brokers, tmp_path):
    """A worker buries a record, the operator replays it, and the worker judges it anew, with its history in a header."""
    worker = WorkerProcess(
        topology=FILE,
        log_path=tmp_path / "worker.log",
        brokers=brokers,
        state_dir=tmp_path / "state",
        dead_letter_key=KEY,
    )
    producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random"})
    producer.produce("network", CODEC.encode(MerchantDefined("acme|m", "M", "EUR", "DE", "")), b"acme|m", 0)
    producer.produce("stock-deltas", CODEC.encode(DELTA), b"v-0", headers=[("traceparent", b"00-1")])
    assert producer.flush(10) == 0
    with worker:
        first = wait_for_letters(brokers, 1, tmp_path)[0]
        assert first.reason == "INVALID_VALUE"
        assert first.encrypted
        position = f"{first.topic}|{first.partition}|{first.offset}"
        assert dlq(brokers, "replay", position, key=KEY).exit_code == 0
        second = wait_for_letters(brokers, 2, tmp_path)[1]
        assert dict(zip(second.header_names, second.header_values, strict=True)) == {
            "traceparent": b"00-1",
            "fsn-replayed": position.encode(),
        }
        assert "0 sent; 1 replayed before" in dlq(brokers, "replay", position, key=KEY).output


def wait_for_letters(brokers, count, folder):
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        found = [CODEC.decode(message.value()) for message in read(brokers, "dead-letters") if message.value()]
        if len(found) >= count:
            return sorted(found, key=lambda letter: letter.offset)
        time.sleep(0.3)
    raise AssertionError((folder / "worker.log").read_text("utf-8")[-2_000:])


def test_nothing_is_replayed_unless_chosen():
    assert "nothing is chosen" in str(CliRunner().invoke(app, ["replay"]).exception)


def test_a_misspelt_reason_is_no_empty_answer():
    with pytest.raises(LetterError, match="FORGD is no reason; did you mean FORGED"):
        Filter.of(["forgd"], None)
    with pytest.raises(LetterError, match=r"XYZ is no reason$"):
        Filter.of(["xyz"], None)


def test_control_characters_show_as_codes():
    assert plain("a\x1b[31mb\x07ü") == "a\\x1b[31mb\\x07ü"


def test_a_broker_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(letters, "TIMEOUT_S", 0.5)
    found = Letters(TOPOLOGY, read_settings(brokers="127.0.0.1:1", security="log_level=0"))
    with pytest.raises(LetterError, match=r"no answer from 127.0.0.1:1"):
        list(found.read())


def test_a_producer_that_was_fenced_in_the_background_is_named_so():
    """Whether a call or librdkafka's own thread hears of it first is chance: then `produce` says nothing but "fatal"."""

    def produce():
        raise KafkaException(KafkaError(KafkaError._FATAL))

    with pytest.raises(LetterError, match="another replay began meanwhile"):
        letters._try(produce)
