"""Terminal: what strangers wrote, shown so that no terminal obeys it, and instants as people read them.

In: ids, details and timestamps that came from topics. Out: text for rich or for a plain line; nothing is lost, control
characters show as their codes.
"""

from datetime import UTC, datetime


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
