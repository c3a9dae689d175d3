"""`fsn topology`: check, draw, describe and apply the one declaration of what runs, who may do what, and on how many
partitions.

`check` proves `topology.yaml`, alone and against the stages and record types; `draw` writes `docs/topology.mmd` and
`docs/topology.svg`; `asyncapi` describes what outsiders may read and write; `apply` makes a broker's topics what it
says; `acls` shows the permissions of every role, or makes a broker's what it says; `repartition` carries a stopped run
to another cluster with another number of partitions (`docs/decisions/0009-repartition.md`). Each fails with one line per
problem, which names the place and the mend.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from schemas.topology import Topology
    from streams.admin import Report
    from streams.settings import Settings

app = typer.Typer(help="Topics, tables and stages: topology.yaml.", no_args_is_help=True)

File = Annotated[Path, typer.Option("--file", "-f", help="The declaration.")]
Brokers = Annotated[str, typer.Option("--brokers", "-b", envvar="FSN_BROKERS", help="host:port, or several.")]
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
def asyncapi(
    *,
    file: File = DEFAULT_FILE,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file to write instead of printing.")] = None,
    brokers: Brokers = "",
    security: Annotated[str, typer.Option(envvar="FSN_SECURITY", help="What a worker is told of it.")] = "",
) -> None:
    """Describe all that outsiders may read or write, as an AsyncAPI 3.0 document."""
    from fsn.asyncapi import document, text
    from fsn.schemas import package_version
    from schemas.registry import bundled

    written = text(
        document(_load(file), bundled(), version=package_version(), brokers=brokers, security=security),
    )
    if output is None:
        typer.echo(written, nl=False)
        return
    output.write_text(written, "utf-8")
    typer.echo(f"wrote {output}")


@app.command()
def apply(
    *,
    file: File = DEFAULT_FILE,
    brokers: Brokers = "",
    records_may_go: Annotated[
        bool, typer.Option("--records-may-go", help="Allow a shorter retention or another cleanup.")
    ] = False,
) -> None:
    """Create missing topics and correct the settings of the others; never re-partition one."""
    from streams import admin
    from streams.errors import ConfigurationError

    topology = _load(file)
    try:
        settings = _settings(brokers)
        report = admin.apply(topology, settings.brokers, client=settings.client(), records_may_go=records_may_go)
    except ConfigurationError as error:
        _fail(str(error))
    _show(report)


@app.command()
def acls(
    *,
    file: File = DEFAULT_FILE,
    brokers: Brokers = "",
    principal: Annotated[
        list[str] | None, typer.Option("--principal", "-p", help="role=User:name; without it, User:<role>.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Give the broker those it lacks.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="With --apply: take all others from these principals.")
    ] = False,
) -> None:
    """Show which role may do what, one permission a line; with --apply, make the broker's ACLs so."""
    from streams import acls as permissions
    from streams.connection import connect
    from streams.errors import ConfigurationError

    if prune and not apply:
        _fail("--prune changes the broker: say --apply with it")
    topology = _load(file)
    try:
        wanted = permissions.acls(topology, permissions.principals_of(principal or ()))
        if not apply:
            typer.echo("\n".join(map(str, wanted)))
            return
        done = permissions.apply_acls(connect(_settings(brokers).client())[0], wanted, prune=prune)
    except ConfigurationError as error:
        _fail(str(error))
    for acl in done.added:
        typer.echo(f"added    {acl}")
    for line in done.removed:
        typer.echo(f"removed  {line}")
    for line in done.surplus:
        typer.echo(f"left     {line}: not of this topology; --prune takes it away", err=True)
    typer.echo(f"{len(done.added)} added, {len(done.removed)} removed, {len(wanted) - len(done.added)} as they were")


def _settings(brokers: str) -> "Settings":
    from streams.settings import read_settings

    if not brokers:
        _fail("no broker is named: give --brokers host:9092 or set FSN_BROKERS (`fsn broker` starts one)")
    return read_settings(brokers=brokers)


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
