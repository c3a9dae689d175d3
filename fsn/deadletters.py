"""`fsn dlq`: look at the records that could not be processed, and send them again once the cause is mended.

In: the topic `dead-letters`, read to its end, and FSN_DEAD_LETTER_KEY where letters are encrypted. Out: tables; on
`replay` the original bytes, key, timestamp and headers on the original topic, on the partition of the key, so that a
signature still holds. Refused: positions nobody knows, and letters that no record can be made of (a timer's).

What was replayed is remembered in `dead-letters` itself: beside each record sent, in the same transaction, an empty
letter under the same key. So a replay that is repeated or cut short sends nothing twice; of two replays at once the
later one fences the earlier, and reads only then. `--again` sends a letter once more on purpose.
"""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fsn.terminal import literal, plain, utc

if TYPE_CHECKING:
    from rich.console import Console

    from fsn.letters import Letters

app = typer.Typer(name="dlq", help="Dead letters: list, show, replay.", no_args_is_help=True)

File = Annotated[Path, typer.Option("--file", "-f", help="The declaration.")]
Brokers = Annotated[str | None, typer.Option("--brokers", "-b", envvar="FSN_BROKERS", help="host:port, or several.")]
Reasons = Annotated[list[str] | None, typer.Option("--reason", "-r", help="Only this reason; may be repeated.")]
Topics = Annotated[list[str] | None, typer.Option("--topic", "-t", help="Only from this topic; may be repeated.")]
DEFAULT_FILE = Path("topology.yaml")
SHOWN_BYTES = 256
SHOWN_CHARACTERS = 4_000


@app.command(name="list")
def list_letters(
    *,
    reason: Reasons = None,
    topic: Topics = None,
    limit: Annotated[int, typer.Option(help="Rows at most, the newest; the counts are always of all.", min=0)] = 50,
    brokers: Brokers = None,
    file: File = DEFAULT_FILE,
) -> None:
    """List dead letters, and count them by reason."""
    from collections import deque

    from rich.table import Table

    from fsn.letters import Filter

    letters = _open(brokers, file)
    done, wanted = letters.replayed(), Filter.of(reason, topic)
    counts: Counter[str] = Counter()
    open_counts: Counter[str] = Counter()
    newest: deque[tuple[str, ...]] = deque(maxlen=limit)
    topics: set[str] = set()
    for found in letters.read():
        topics.add(found.letter.topic)
        if not wanted.takes(found):
            continue
        letter = found.letter
        counts[letter.reason] += 1
        open_counts[letter.reason] += found.key not in done
        size = f"{len(letter.value or b''):,}"
        state = "replayed" if found.key in done else "open"
        newest.append((found.key, utc(letter.timestamp), letter.reason, size, state, plain(letter.detail)))
    letters.check_topics(wanted, topics)
    console = _console()
    if newest:
        shown = Table("position", "time (UTC)", "reason", "bytes", "state", "detail", title="dead letters")
        for row in newest:
            shown.add_row(*map(literal, row))
        console.print(shown)
    by_reason = Table("reason", "letters", "open", title=f"{sum(counts.values())} dead letters by reason")
    for name, count in counts.most_common():
        by_reason.add_row(literal(name), str(count), str(open_counts[name]))
    console.print(by_reason)


@app.command()
def show(
    position: Annotated[str, typer.Argument(help="topic|partition|offset, as `list` shows it.")],
    *,
    whole: Annotated[bool, typer.Option("--whole", help="All of the record and its bytes, however long.")] = False,
    brokers: Brokers = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Show one dead letter: why, its headers, and the record in it."""
    letters = _open(brokers, file)
    found = letters.find(position)
    letter, console = found.letter, _console()
    key, value = letters.opened(found)
    for name, text in (
        ("position", found.key),
        ("time", f"{utc(letter.timestamp)} UTC"),
        ("reason", letter.reason),
        ("detail", letter.detail),
        ("state", "replayed" if found.key in letters.replayed() else "open"),
        ("encrypted", "yes" if letter.encrypted else "no"),
        ("key", _text(key, whole=whole)),
    ):
        _line(console, name, text)
    for header, content in zip(letter.header_names, letter.header_values, strict=True):
        _line(console, f"header {header}", _text(content, whole=whole))
    _line(console, "record", _head(letters.describe(value), SHOWN_CHARACTERS, whole=whole))
    if value is not None:
        shown = value if whole else value[:SHOWN_BYTES]
        _line(console, "bytes", f"{len(value)}, first {len(shown)}: {shown.hex(' ', -4)}")


@app.command()
def replay(
    positions: Annotated[list[str] | None, typer.Argument(help="Positions, as `list` shows them.")] = None,
    *,
    reason: Reasons = None,
    topic: Topics = None,
    every: Annotated[bool, typer.Option("--all", help="Every open dead letter.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also what was replayed before.")] = False,
    brokers: Brokers = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Send dead letters again, as they were, to the topic they came from."""
    from fsn.letters import Filter, LetterError

    if not (positions or reason or topic or every):
        raise LetterError("nothing is chosen: name positions, --reason, --topic, or say --all")
    letters = _open(brokers, file)
    wanted = Filter.of(reason, topic, positions)
    report = letters.replay(wanted, dry_run=dry_run, again=again)
    unknown = [position for position in positions or [] if position not in report.seen]
    if unknown:
        _line(_console(stderr=True), "no such dead letter, or not of the reason or topic named", ", ".join(unknown))
    for key, why in report.refused:
        _line(_console(stderr=True), f"not replayed: {key}", why)
    console = _console()
    for (to, name), count in sorted(report.sent.items()):
        _line(console, "would send" if dry_run else "sent", f"{count} to {to} ({name})")
    before = f"; {report.before} replayed before (--again sends them once more)" if report.before else ""
    _line(console, "in all", f"{sum(report.sent.values())} {'to send' if dry_run else 'sent'}{before}")
    if unknown or report.refused:
        raise typer.Exit(1)


def _open(brokers: str | None, file: Path) -> "Letters":
    from fsn.letters import Letters
    from schemas.topology import load
    from streams.settings import read_settings

    return Letters(load(file), read_settings(brokers=brokers))


def _console(*, stderr: bool = False) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def _line(console: "Console", name: str, text: str) -> None:
    shown = "\n".join(map(plain, text.splitlines())) if "\n" in text else plain(text)
    console.print(f"{plain(name)}: {shown}", markup=False, soft_wrap=True)


def _text(content: bytes | None, *, whole: bool) -> str:
    if content is None:
        return "none"
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = f"0x{content.hex()}"
    return _head(text, SHOWN_BYTES, whole=whole)


def _head(text: str, characters: int, *, whole: bool) -> str:
    more = len(text) - characters
    return text if whole or more <= 0 else f"{text[:characters]}\n…: {more:,} characters more (--whole shows them)"
