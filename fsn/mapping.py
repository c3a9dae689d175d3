"""`fsn mapping`: what SKUs mean: import many, define one, see what waits and what was said before.

In: a CSV file or one alias, FSN_KEYS for the signature, the topics of a cluster. Out: AliasDefined on `aliases`; tables.
An import that is repeated changes nothing: the same alias said twice is one. Refused: what `fsn.aliases` refuses.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fsn.declaration import DEFAULT_FILE, File
from fsn.terminal import literal, plain, utc

if TYPE_CHECKING:
    from fsn.aliases import AliasDesk

app = typer.Typer(name="mapping", help="SKUs and what they mean: import, define, queue, show.", no_args_is_help=True)

Brokers = Annotated[str | None, typer.Option("--brokers", "-b", envvar="FSN_BROKERS", help="host:port, or several.")]
Signer = Annotated[str | None, typer.Option(help="Whose key of FSN_KEYS signs; without it, the tenant's.")]
Author = Annotated[str, typer.Option(help="Who says so; kept with each version.")]


@app.command(name="import")
def import_aliases(
    path: Annotated[Path, typer.Argument(help="CSV: namespace, sku, variant_id[, units_per_pack][, version].")],
    *,
    tenant: Annotated[str, typer.Option(help="Whose aliases they are.")],
    author: Author = "import",
    signer: Signer = None,
    brokers: Brokers = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Define every alias of a file; nothing is sent when anything in it is wrong."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from fsn.aliases import read_file, refuse

    aliases = read_file(path, tenant, author=author, at=_now())
    desk = _open(brokers, file)
    refuse(desk.unknown_variants(aliases), str(path))
    console = Console()
    started = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("aliases", total=len(aliases))
        desk.send(aliases, signer=signer or tenant, on_sent=lambda count: progress.advance(bar, count))
    console.print(f"{len(aliases):,} aliases sent in {time.monotonic() - started:.1f} s")


@app.command()
def define(
    alias_id: Annotated[str, typer.Argument(help="tenant|namespace|sku, as `queue` shows it.")],
    variant_id: Annotated[str | None, typer.Argument(help="What it means.")] = None,
    *,
    retire: Annotated[bool, typer.Option("--retire", help="It means nothing any more.")] = False,
    units: Annotated[int, typer.Option(help="Units of the variant in one of these.", min=1)] = 1,
    author: Author = "operator",
    signer: Signer = None,
    brokers: Brokers = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Say what a SKU means: its first version, or the next one."""
    from fsn.aliases import AliasError, refuse
    from processors.aliases import alias_id_of, parts_of, problem_of
    from schemas.records.mapping import AliasDefined

    if (variant_id is None) is not retire:
        raise typer.BadParameter("name the variant it means, or --retire it, one of the two")
    tenant, namespace, sku = parts_of(alias_id)
    problem = problem_of(namespace, sku)
    if problem is not None:
        raise AliasError(f"{alias_id}: {problem}")
    alias_id = alias_id_of(tenant, namespace, sku)
    desk = _open(brokers, file)
    versions = desk.history(alias_id)
    version = versions[-1].version + 1 if versions else 1
    alias = AliasDefined(alias_id, variant_id, units, version, author, _now())
    refuse(desk.unknown_variants([alias]), alias_id)
    desk.send([alias], signer=signer or tenant, on_sent=lambda _: None)
    typer.echo(f"{plain(alias_id)} version {version}: {plain(variant_id or 'nothing')}")


@app.command()
def queue(*, brokers: Brokers = None, file: File = DEFAULT_FILE) -> None:
    """Show the SKUs that wait for a person, and what each could mean."""
    from rich.console import Console
    from rich.table import Table

    items = _open(brokers, file).queue()
    shown = Table("alias", "kind", "since (UTC)", "candidates", title=f"{len(items)} SKUs wait for a person")
    for item in items:
        candidates = ", ".join(f"{one.entity_id} {one.confidence_e6 / 1_000_000:.2f}" for one in item.candidates)
        row = (item.entity_id, item.kind.removeprefix("SKU_").lower(), utc(item.raised_at), candidates or "none")
        shown.add_row(*map(literal, row))
    Console().print(shown)


@app.command()
def show(
    alias_id: Annotated[str, typer.Argument(help="tenant|namespace|sku.")],
    *,
    brokers: Brokers = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Show every version of an alias."""
    from rich.console import Console
    from rich.table import Table

    from fsn.aliases import AliasError

    versions = _open(brokers, file).history(alias_id)
    if not versions:
        raise AliasError(f"{plain(alias_id)} was never defined: `fsn mapping queue` shows what waits")
    shown = Table("version", "means", "units", "source", "confidence", "author", "since (UTC)", title=literal(alias_id))
    for one in versions:
        confidence = f"{one.confidence_e6 / 1_000_000:.2f}"
        meaning = one.variant_id or "nothing (retired)"
        row = (str(one.version), meaning, str(one.units_per_pack), one.source, confidence, one.author)
        shown.add_row(*map(literal, (*row, utc(one.changed_at))))
    Console().print(shown)


def _open(brokers: str | None, file: Path) -> "AliasDesk":
    from fsn.aliases import AliasDesk
    from fsn.declaration import load_topology
    from streams.settings import read_settings

    return AliasDesk(load_topology(file), read_settings(brokers=brokers))


def _now() -> int:
    return int(time.time() * 1000)
