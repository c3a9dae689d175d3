"""Structured logs: one JSON object a line on standard error, or plain text for people."""

import json
import logging
import sys
from typing import Any, TextIO


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
        "handlers": {"stderr": {"class": "streams.logs.StandardError", "formatter": "default"}},
        "root": {"level": "INFO", "handlers": ["stderr"]},
        "loggers": {"faust": quiet, "mode": quiet, "aiokafka": quiet, "aiohttp": quiet},
    }
