"""Structured logs: one JSON object a line on standard error, or plain text for people.

Client libraries say the same thing many times a second while a broker is away: of what one of them repeats, a line
every ten seconds goes on, which says how many it stands for.
"""

import json
import logging
import sys
from collections.abc import Sequence
from typing import Any, Final, TextIO

REPEAT_S: Final = 10.0
REMEMBERED_MAX: Final = 1_000


class JsonFormatter(logging.Formatter):
    """time, level, logger, message, and the exception's text where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        entry: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class Repeats(logging.Filter):
    """Lets a client library say the same thing (a message before its arguments) once in a while only."""

    def __init__(self, libraries: Sequence[str] = ("aiokafka", "faust", "mode")) -> None:
        super().__init__()
        self._libraries = tuple(libraries)
        self._said: dict[tuple[str, str], tuple[float, int]] = {}
        """When it was last let through, and how often it was held back since."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line goes on."""
        if record.name.partition(".")[0] not in self._libraries:
            return True
        what = record.name, str(record.msg)
        said_at, held = self._said.get(what, (-REPEAT_S, 0))
        if record.created - said_at < REPEAT_S:
            self._said[what] = said_at, held + 1
            return False
        if held:
            record.msg, record.args = f"{record.getMessage()} (and {held} more like it)", ()
        if len(self._said) >= REMEMBERED_MAX:
            self._said.clear()
        self._said[what] = record.created, 0
        return True


class StandardError(logging.StreamHandler[TextIO]):
    """Standard error as it is now: while a restore draws its bars there, lines go above them, not into them."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line, or several with an exception."""
        self.stream = sys.stderr
        super().emit(record)


def logging_config(log_format: str) -> dict[str, Any]:
    """A dictConfig: everything from INFO, Faust's and aiokafka's chatter from WARNING."""
    formatter = {"()": JsonFormatter} if log_format == "json" else {"format": "%(asctime)s %(levelname)s %(message)s"}
    quiet = {"level": "WARNING"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"default": formatter},
        "filters": {"repeats": {"()": "streams.logs.Repeats"}},
        "handlers": {"stderr": {"class": "streams.logs.StandardError", "formatter": "default", "filters": ["repeats"]}},
        "root": {"level": "INFO", "handlers": ["stderr"]},
        "loggers": {"faust": quiet, "mode": quiet, "aiokafka": quiet, "aiohttp": quiet},
    }
