"""`fsn topology`: check, draw and apply the one declaration of what runs, and carry a run to other partitions.

`check` proves `topology.yaml`, alone and against the stages and record types; `draw` writes `docs/topology.mmd` and
`docs/topology.svg`; `apply` makes a broker's topics what it says; `repartition` carries a stopped run to another cluster
with another number of partitions (`docs/decisions/0009-repartition.md`). Each fails with one line per problem, which names the
place and the mend.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from schemas.topology import Topology
    from streams.admin import Report

app = typer.Typer(help="Topics, tables and stages: topology.yaml.", no_args_is_help=True)

File = Annotated[Path, typer.Option("--file", "-f", help="The declaration.")]
DEFAULT_FILE = Path("topology.yaml")


@app.command()
def check(
    *,
    file: File = DEFAULT_FILE,
    names_only: Annotated[bool, typer.Option("--names-only", help="Do not import the stages.")] = False,
) -> None:
    """Prove the declaration: by itself, and against the stages and record types."""
    topology = _load(file, code=not names_only)
    against = "by itself" if names_only else "by itself and against the code"
    typer.echo(
        f"{file} holds, {against}: {len(topology.topics)} topics, {len(topology.stages)} stages, "
        f"{len(topology.source_topics)} source topics of {topology.partitions} partitions"
    )


@app.command()
def draw(
    *,
    file: File = DEFAULT_FILE,
    folder: Annotated[Path, typer.Option("--folder", "-o", help="Where to write the drawings.")] = Path("docs"),
    verify: Annotated[bool, typer.Option("--verify", help="Write nothing; fail when a drawing is outdated.")] = False,
) -> None:
    """Draw the topology as Mermaid and SVG."""
    from fsn import drawing

    topology = _load(file)
    texts = {folder / "topology.mmd": drawing.mermaid(topology), folder / "topology.svg": drawing.svg(topology)}
    if verify:
        outdated = [path for path, text in texts.items() if not path.is_file() or path.read_text("utf-8") != text]
        if outdated:
            _fail("\n".join(f"{path} is outdated: run `fsn topology draw`" for path in outdated))
        return
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        path.write_text(text, "utf-8")
        typer.echo(f"wrote {path}")


@app.command()
def apply(
    *,
    file: File = DEFAULT_FILE,
    brokers: Annotated[
        str, typer.Option("--brokers", "-b", envvar="FSN_BROKERS", help="host:port of a broker, or several.")
    ] = "",
    records_may_go: Annotated[
        bool, typer.Option("--records-may-go", help="Allow a shorter retention or another cleanup.")
    ] = False,
) -> None:
    """Create missing topics and correct the settings of the others; never re-partition one."""
    from streams import admin
    from streams.errors import ConfigurationError

    topology = _load(file)
    if not brokers:
        _fail("no broker is named: give --brokers host:9092 or set FSN_BROKERS (`fsn broker` starts one)")
    try:
        report = admin.apply(topology, brokers, records_may_go=records_may_go)
    except ConfigurationError as error:
        _fail(str(error))
    _show(report)


@app.command()
def repartition(
    *,
    file: File = DEFAULT_FILE,
    clock: Annotated[str | None, typer.Option(help="leader or external: overrides the topology.")] = None,
    source: Annotated[str, typer.Option("--from-brokers", help="The cluster that holds the stopped run.")],
    target: Annotated[str, typer.Option("--to-brokers", help="An empty cluster.")],
    partitions: Annotated[int, typer.Option(min=1, help="How many the topics that tasks read shall have.")],
    scratch: Annotated[Path, typer.Option(help="Where the tables lie meanwhile; emptied first.")] = Path(
        ".fsn/repartition"
    ),
    workers_stopped: Annotated[
        bool, typer.Option("--workers-stopped", help="Whom the source still lists as members of the group are dead.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier attempt ended.")] = False,
) -> None:
    """Carry a stopped run, its records, tables and offsets, to another cluster and number of partitions."""
    from fsn.declaration import load_topology
    from fsn.repartitioning import Repartition
    from schemas.topology import TopologyError
    from streams.app import load_stages
    from streams.errors import StreamsError
    from streams.settings import read_settings

    try:
        old, new = load_topology(file, clock=clock), load_topology(file, clock=clock, partitions=partitions)
        clients = [read_settings(brokers=brokers).client() for brokers in (source, target)]
        move = Repartition(
            old,
            new,
            load_stages(old),
            source=clients[0],
            target=clients[1],
            scratch=scratch,
            progress=lambda line: typer.echo(line, err=True),
        )
        report = move.run(resume=resume, workers_stopped=workers_stopped)
    except (TopologyError, StreamsError) as error:
        _fail(str(error))
    for topic, count in report.records.items():
        typer.echo(f"{count:>12,}  {topic}")
    typer.echo(
        f"{sum(report.records.values()):,} records ({report.unprocessed:,} still to be processed) and {report.rows:,} rows "
        f"and timers carried from {old.partitions} to {new.partitions} partitions. Write `partitions: {new.partitions}` into "
        f"{file}, start the workers with FSN_BROKERS={target}, then send them there who write and read"
    )


def _show(report: "Report") -> None:
    for topic in report.created:
        typer.echo(f"created  {topic}")
    for change in report.changed:
        typer.echo(f"changed  {change.topic}: {change.setting} {change.found} → {change.wanted}")
    for line in report.not_changed:
        typer.echo(f"left     {line}", err=True)
    typer.echo(
        f"{len(report.created)} created, {len(report.changed)} settings changed, {len(report.unchanged)} as they were"
    )


def _load(file: Path, *, code: bool = False) -> "Topology":
    from schemas.topology import TopologyError, load

    if code:  # the stages are imported from the current folder when FSN is not installed
        import sys

        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
    try:
        return load(file, code=code)
    except TopologyError as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)
