"""A restore is shown by a bar where somebody watches and by few lines elsewhere; both come from several threads."""

import io
import logging
import logging.config
import threading
from types import SimpleNamespace

import pytest
from rich.console import Console

from streams.app import _restoring
from streams.changelog import restore
from streams.logs import logging_config
from streams.progress import LINE_EVERY_S, Bars, Lines, shown_restores
from streams.settings import Settings
from streams.store import LAYOUT_VERSION, LocalStore, StoreMeta
from streams.telemetry import Metrics


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def screen(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return Screen()


@pytest.fixture
def bars(screen, clock):
    return Bars(Console(file=screen, width=100), clock)


@pytest.fixture
def lines(caplog, clock):
    caplog.set_level(logging.INFO, logger="streams.progress")
    return Lines(clock)


@pytest.mark.parametrize(
    ("terminal", "for_people", "shown"), [(True, True, Bars), (True, False, Lines), (False, True, Lines)]
)
def test_bars_are_for_people_on_a_terminal(screen, clock, terminal, for_people, shown):
    console = Console(file=screen if terminal else io.StringIO())
    assert isinstance(shown_restores(console, clock, for_people=for_people).__self__, shown)


def test_a_line_says_where_it_begins_then_every_5_s_and_where_it_ends(lines, clock, caplog):
    with lines.restoring(2) as tell:
        tell(0, 40_000)
        clock.now += LINE_EVERY_S - 0.1
        tell(12_000, 40_000)
        clock.now += 0.1
        tell(12_345, 40_000)
        tell(40_000, 40_000)
        clock.now += LINE_EVERY_S
        tell(40_000, 40_000)
    assert caplog.messages == [
        "partition 2: restored 0 of 40,000 changelog offsets",
        "partition 2: restored 12,345 of 40,000 changelog offsets",
        "partition 2: restored 40,000 of 40,000 changelog offsets",
    ]


def test_each_partition_has_lines_of_its_own(lines, caplog):
    with lines.restoring(1) as one, lines.restoring(2) as two:
        one(0, 10)
        two(5, 20)
    assert caplog.messages == [
        "partition 1: restored 0 of 10 changelog offsets",
        "partition 2: restored 5 of 20 changelog offsets",
    ]


def test_a_store_that_is_up_to_date_shows_nothing(lines, bars, screen, caplog):
    for shown in (lines, bars):
        with shown.restoring(2) as tell:
            tell(40_000, 40_000)
            tell(40_000, 40_000)
    assert (caplog.messages, screen.getvalue()) == ([], "")


def test_a_bar_shows_partition_and_rows(bars, screen, clock):
    with bars.restoring(2) as tell:
        tell(0, 40_000)
        assert "restoring partition 2" in screen.getvalue()
        assert "0 of 40,000 rows" in screen.getvalue()
        clock.now += 1
        tell(12_345, 40_000)
        assert "12,345 of 40,000 rows" in screen.getvalue()


def test_a_bar_is_not_drawn_more_often_than_eyes_see(bars, screen, clock):
    with bars.restoring(2) as tell:
        tell(0, 40_000)
        tell(1, 40_000)
        drawn = len(screen.getvalue())
        for position in range(2, 1_000):
            tell(position, 40_000)
        assert len(screen.getvalue()) == drawn


def test_a_log_that_goes_on_is_no_more_than_whole(bars, screen, clock):
    with bars.restoring(2) as tell:
        tell(0, 40_000)
        clock.now += 1
        tell(41_000, 40_000)
    assert "40,000 of 40,000 rows" in screen.getvalue()


def test_a_restore_that_ends_early_takes_its_bar_away(bars, screen, clock):
    def broken():
        with bars.restoring(2) as tell:
            tell(0, 40_000)
            raise OSError("broker")

    with bars.restoring(1) as other:
        other(0, 10)
        with pytest.raises(OSError, match="broker"):
            broken()
        screen.truncate(0)
        clock.now += 1
        other(5, 10)
        assert "partition 1" in screen.getvalue()
        assert "partition 2" not in screen.getvalue()
    with bars.restoring(2) as again:
        again(7, 40_000)
        assert "7 of 40,000 rows" in screen.getvalue()


def test_restores_of_many_threads_leave_the_terminal_as_it_was(bars, screen):
    def restore(partition):
        for _ in range(20):
            with bars.restoring(partition) as tell:
                for position in range(20):
                    tell(position, 20)

    threads = [threading.Thread(target=restore, args=(partition,)) for partition in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shown = screen.getvalue()
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") > 0, "the cursor is hidden while bars are drawn"
    assert (bars._display, bars._bars) == (None, {})


def test_a_log_line_goes_above_the_bars(monkeypatch, screen, clock):
    """Written into them, it would be wiped by the next drawing."""
    monkeypatch.setattr("sys.stderr", screen)
    handler = logging.config.DictConfigurator(logging_config("text")).configure_handler(
        {"class": logging_config("text")["handlers"]["stderr"]["class"]}
    )
    with Bars(Console(stderr=True, width=100), clock).restoring(2) as tell:
        tell(0, 40_000)
        screen.truncate(0)
        handler.emit(logging.makeLogRecord({"msg": "task 1 is ready"}))
        written = screen.getvalue()
    assert "task 1 is ready" in written
    assert "\x1b[2K" in written.partition("task 1 is ready")[0], "the bar is wiped first"
    assert "restoring partition 2" in written.partition("task 1 is ready")[2], "and drawn again below"


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_the_worker_shows_a_restore_as_a_metric_too(monkeypatch, screen, caplog, log_format):
    monkeypatch.setattr("sys.stderr", screen)
    caplog.set_level(logging.INFO, logger="streams.progress")
    metrics = Metrics()
    with _restoring(metrics, Settings(log_format=log_format))(2) as tell:
        tell(0, 40_000)
        tell(10_000, 40_000)
        assert 'fsn_restore_offsets_left{partition="2"} 30000.0' in metrics.text().decode()
    assert 'fsn_restore_offsets_left{partition="2"} 0.0' in metrics.text().decode(), "it is not restoring any more"
    assert ("restoring partition 2" in screen.getvalue(), caplog.messages != []) == (
        (True, False) if log_format == "text" else (False, True)
    )


class Changelog:
    """A consumer of a changelog that ends at 300, in answers of up to 200 records."""

    def __init__(self, **_):
        self.at = 0

    async def start(self): ...

    async def stop(self): ...

    def assign(self, places): ...

    async def end_offsets(self, places):
        return dict.fromkeys(places, 300)

    def seek(self, place, offset):
        self.at = offset

    async def getmany(self, **_):
        first, self.at = self.at, min(300, self.at + 200)
        return {None: [SimpleNamespace(key=b"%d" % number, value=b"row") for number in range(first, self.at)]}

    async def position(self, place):
        return self.at


@pytest.mark.parametrize(("position", "told"), [(0, [0, 200, 300]), (250, [250, 300]), (300, [300, 300]), (301, [])])
def test_a_restore_tells_where_it_begins_and_every_step(monkeypatch, tmp_path, position, told):
    monkeypatch.setattr("streams.changelog.PatientConsumer", Changelog)
    monkeypatch.setattr("streams.changelog.found_ended", lambda consumer, _: consumer.at == 300)
    store = LocalStore(tmp_path)
    heard = []
    meta = StoreMeta("changelog", 4, LAYOUT_VERSION, position, 0)
    restored = restore(
        {"bootstrap.servers": ""}, store, meta, topic="changelog", partition=2, progress=lambda *at: heard.append(at)
    )
    store.close()
    assert heard == [(at, 300) for at in told]
    assert (restored.position if told else restored) == (300 if told else None), "a store ahead of the log is refused"
