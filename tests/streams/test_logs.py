"""What a worker's log says: one line for many of a kind, and nothing of ours left out."""

import json
import logging

from streams.logs import REMEMBERED_MAX, REPEAT_S, JsonFormatter, Repeats


def line(message, *arguments, at=0.0, logger="aiokafka.client"):
    record = logging.LogRecord(logger, logging.ERROR, "file", 1, message, arguments, None)
    record.created = at
    return record


def said(repeats, *lines):
    return [record.getMessage() for record in lines if repeats.filter(record)]


def test_what_a_library_repeats_is_said_once_in_ten_seconds_and_counted():
    lines = [line("Failed fetch messages from %s: %s", 1, "gone", at=tenth / 10) for tenth in range(201)]
    assert said(Repeats(), *lines) == [
        "Failed fetch messages from 1: gone",
        "Failed fetch messages from 1: gone (and 99 more like it)",
        "Failed fetch messages from 1: gone (and 99 more like it)",
    ]


def test_other_messages_and_other_loggers_are_said():
    repeats = Repeats()
    shown = said(repeats, line("a"), line("b"), line("a", logger="aiokafka.conn"), line("a"))
    assert shown == ["a", "b", "a"]


def test_nothing_of_ours_is_held_back():
    ours = [line("task %d failed", 1, logger="streams.task") for _ in range(3)]
    assert said(Repeats(), *ours) == ["task 1 failed"] * 3


def test_what_is_remembered_has_a_bound():
    repeats = Repeats()
    for number in range(REMEMBERED_MAX + 10):
        assert repeats.filter(line(f"odd {number}"))
    assert repeats.filter(line("odd 0", at=REPEAT_S / 2))


def test_a_line_of_json_is_a_line():
    record = line("restored %d rows\nof many", 7)
    assert json.loads(JsonFormatter().format(record))["message"] == "restored 7 rows\nof many"
