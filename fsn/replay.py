"""`fsn replay`: a recorded run again, task by task from their manifests; does it say what it said?

In: a broker that holds a run, FSN_KEYS and FSN_DEAD_LETTER_KEY as the workers had them. Out: a table of partitions and one
of topics with their hashes, or `--json`; the first transaction that differs, both sides decoded. Exit code 1 when
anything differs or cannot be replayed to its end.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from fsn.declaration import DEFAULT_FILE, File

if TYPE_CHECKING:
    from rich.console import Console

    from fsn.replaying import Result

app = typer.Typer(name="replay")

SHOWN_RECORDS = 5
SHOWN_CHARACTERS = 600


@app.command()
def replay(
    *,
    partition: Annotated[list[int] | None, typer.Option(help="Only this partition; may be repeated.", min=0)] = None,
    topic: Annotated[list[str] | None, typer.Option("--topic", "-t", help="Compare only this topic; …")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    brokers: Annotated[str | None, typer.Option("--brokers", "-b", envvar="FSN_BROKERS", help="host:port, …")] = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Replay a recorded run from its manifests, and compare what tasks emit with what the topics hold."""
    import json

    import msgspec
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from fsn.recording import open_recording
    from fsn.replaying import comparable, replay_run

    recording = open_recording(brokers, file)
    for wrong in sorted(set(partition or ()) - set(range(recording.topology.partitions))):
        raise typer.BadParameter(f"there is no partition {wrong}: they are 0 to {recording.topology.partitions - 1}")
    known = comparable(recording)
    for name in sorted(set(topic or ()) - set(known)):
        raise typer.BadParameter(f"{name!r} is no topic that only tasks write: {', '.join(known)}")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        bar = shown.add_task("reading")
        result = replay_run(
            recording,
            partitions=partition or (),
            topics=topic or (),
            progress=lambda place, count: shown.update(bar, description=f"partition {place}: {count:,} transactions"),
        )
    if as_json:
        typer.echo(json.dumps({**msgspec.to_builtins(result), "same": result.same}, indent=2))
    else:
        show(result, Console(highlight=False))
    if not result.same:
        raise typer.Exit(1)


def show(result: "Result", console: "Console") -> None:
    """The findings as tables."""
    from rich.table import Table

    from fsn.terminal import literal

    tasks = Table("partition", "transactions", "differ", "", title="Tasks replayed from their manifests")
    for task in result.tasks:
        verdict = "same" if not task.differing and not task.problem else task.problem or "differs"
        tasks.add_row(str(task.partition), f"{task.transactions:,}", f"{task.differing:,}", literal(verdict))
    console.print(tasks)
    if result.topics:
        topics = Table("topic", "records", "replayed", "SHA-256 of the set", "", title="Topics that only tasks write")
        for one in result.topics:
            digest = one.sha256[:16] if one.same else f"{one.sha256[:16]} ≠ {one.replayed_sha256[:16]}"
            verdict = "same" if one.same else "differs"
            topics.add_row(one.topic, f"{one.records:,}", f"{one.replayed_records:,}", digest, verdict)
        console.print(topics)
    else:
        console.print("Topics are compared when all partitions are replayed to their end.")
    _show_difference(result, console)
    console.print("The run repeats byte for byte." if result.same else "The run does not repeat.")


def _show_difference(result: "Result", console: "Console") -> None:
    from fsn.terminal import plain

    found = result.difference
    if found is None:
        return
    lines = [
        f"first difference: partition {found.partition}, transaction {found.transaction}: {', '.join(found.consumed)}"
    ]
    for what, records in (("emitted now, and not on the log", found.emits), ("on the log", found.recorded)):
        lines += [f"  {what}: {record[:SHOWN_CHARACTERS]}" for record in records[:SHOWN_RECORDS]]
    for line in lines:
        console.print(plain(line), markup=False, soft_wrap=True)
