"""Terminal: what strangers wrote, shown so that no terminal obeys it, and instants as people read them.

In: ids, details and timestamps that came from topics; instants as people write them. Out: text for rich or for a plain line;
nothing is lost, control characters show as their codes. Refused, as `typer.BadParameter`: what is no instant.
"""

from datetime import UTC, datetime
from typing import Final

EPOCH_MS_DIGITS: Final = 11
"""As many as epoch ms have had since March 1973."""


def plain(text: str) -> str:
    """Text of strangers without what a terminal would obey: control characters show as their codes."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def literal(text: str) -> str:
    """The same for rich: neither a terminal nor its markup is obeyed."""
    from rich.markup import escape

    return escape(plain(text))


def utc(epoch_ms: int) -> str:
    """An instant in UTC, to the second; as it is, where no calendar has it."""
    try:
        return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):  # a sender may claim any timestamp
        return f"{epoch_ms} ms"


def instant_of(text: str, *, option: str) -> int:
    """Epoch ms of an instant as people write it; without a zone, UTC is meant. option: which one holds it"""
    import typer

    if text.isascii() and text.isdigit() and len(text) >= EPOCH_MS_DIGITS:  # 20260317 is a day
        return int(text)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither ISO 8601 nor epoch ms", param_hint=option) from None
    aware = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)
