"""`fsn schemas`: write the Avro schemas of the record types, check them, show one, rehearse a change.

`write` commits a new version for each changed record to `schemas/avro/`, or refuses a change that earlier data would
not survive, with record, field and mend. `write --rewrite` starts all over, and is refused once there has been a release:
its records lie on topics under the old ids. `check` fails when the committed files are not what the record types say,
when the BACKWARD_TRANSITIVE rule is broken, or when a field is marked as personal data. `show` prints one record as
people read it. `rehearse` replays a recorded run under schemas that are only proposed, and lists what would differ.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

if TYPE_CHECKING:
    from schemas.registry import SchemaVersion

FIRST_RELEASE: Final = (0, 1, 0)

app = typer.Typer(help="The Avro schemas of the records.", no_args_is_help=True)


@app.command()
def write(
    *,
    rewrite: Annotated[
        bool, typer.Option("--rewrite", help="Forget all versions and start at id 1; before the first release only.")
    ] = False,
) -> None:
    """Commit a new schema version for each changed record."""
    from schemas.errors import SchemaError
    from schemas.evolution import plan
    from schemas.registry import read_versions, record_types

    if rewrite:
        _refuse_after_a_release(package_version())
    folder = avro_folder()
    try:
        committed = read_versions(folder)
        planned = plan(record_types(), committed, rewrite=rewrite)
    except SchemaError as error:
        _fail(str(error))
    changed = write_versions(folder, planned)
    typer.echo(f"{len(planned)} schema versions in {folder}, {len(changed)} files changed")
    for name in changed:
        typer.echo(f"  {name}")


@app.command()
def check() -> None:
    """Fail unless the committed schemas are those of the record types, and every version reads all earlier data."""
    from schemas.errors import SchemaError

    try:
        problems = check_folder(avro_folder())
    except SchemaError as error:
        problems = str(error).splitlines()
    if problems:
        _fail("\n".join(problems))
    typer.echo("The committed schemas are those of the record types; every version reads all earlier data.")


@app.command()
def show(record: Annotated[str, typer.Argument(help="Name of a record type, e.g. StockDelta.")]) -> None:
    """Print a record type's fields and their meaning."""
    from rich.console import Console
    from rich.table import Table

    from schemas.registry import bundled, record_types

    record_type = record_types().get(record)
    if record_type is None:
        _fail(f"no record is called {record}; the records are {', '.join(record_types())}")
    version = bundled().latest(record_type)
    table = Table("field", "type", "meaning", title=f"{version.full_name} v{version.version}, schema id {version.id}")
    for field in version.schema["fields"]:
        table.add_row(field["name"], shown_type(field["type"]), field["doc"])
    console = Console()
    console.print(version.schema["doc"])
    console.print(table)


@app.command()
def rehearse(
    *,
    proposed: Annotated[
        Path, typer.Option("--schemas", help="A folder of proposed .avsc files, named as in schemas/avro.")
    ],
    file: Annotated[Path, typer.Option("--file", "-f", help="The topology of the run.")] = Path("topology.yaml"),
    brokers: Annotated[str | None, typer.Option("--brokers", "-b", help="Who holds the recorded run.")] = None,
    keys: Annotated[Path | None, typer.Option(help="The file of signing keys that the run was checked with.")] = None,
    examples: Annotated[int, typer.Option(min=0, help="How many of each difference to show.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Replay a recorded run under changed schemas and list every difference; exit code 1 if there is any."""
    import msgspec
    from rich.console import Console

    from fsn.declaration import load_topology
    from fsn.rehearsing import Rehearsal, show
    from streams.app import load_stages
    from streams.settings import read_settings

    topology = load_topology(file)
    settings = read_settings(brokers=brokers, keys=keys)
    found = Rehearsal(topology, load_stages(topology), settings, examples=examples).run(proposed)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        show(found, Console())
    if found.differs:
        raise typer.Exit(1)


def avro_folder() -> Path:
    """Where the committed schemas lie."""
    import schemas

    return Path(schemas.__path__[0]) / "avro"


def package_version() -> str:
    """What `pyproject.toml` says, for the installed metadata of a checkout may be old; without it, the installed version."""
    import tomllib
    from importlib.metadata import version

    project = avro_folder().parents[1] / "pyproject.toml"
    if project.is_file():
        return str(tomllib.loads(project.read_text("utf-8"))["project"]["version"])
    return version("fsn")


def write_versions(folder: Path, versions: "list[SchemaVersion]") -> list[str]:
    """Write the files of these versions, remove others; the names of files that changed."""
    texts = file_texts(versions)
    folder.mkdir(exist_ok=True)
    stale = [path for path in folder.glob("*.avsc") if path.name not in texts]
    for path in stale:
        path.unlink()
    changed = [path.name for path in stale]
    for name, text in texts.items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            changed.append(name)
    return changed


def file_texts(versions: "list[SchemaVersion]") -> dict[str, str]:
    """What `schemas/avro` should hold, by file name."""
    import json

    from schemas.registry import file_name

    texts = {
        file_name(version.record, version.version): json.dumps(version.schema, indent=2, ensure_ascii=False) + "\n"
        for version in versions
    }
    rows = ",\n".join(f"  {json.dumps([version.record, version.version])}" for version in versions)
    return texts | {"ids.json": f"[\n{rows}\n]\n"}


def check_folder(folder: Path) -> list[str]:
    """What is wrong with the committed schemas, one line each with its mend."""
    from schemas.evolution import broken_promises, personal_fields, plan
    from schemas.registry import read_versions, record_types

    committed = read_versions(folder)
    problems = [
        f"{name}: not what the record types say; run `fsn schemas write`"
        for name, text in file_texts(plan(record_types(), committed)).items()
        if not (folder / name).is_file() or (folder / name).read_text("utf-8") != text
    ]
    for index, version in enumerate(committed):
        earlier = [known for known in committed[:index] if known.record == version.record]
        problems += broken_promises(version.schema, earlier)
        problems += [
            f"{field} is marked as personal data: keep it in the vault and put an opaque reference on the topic"
            for field in personal_fields(version.schema)
        ]
    return problems


def shown_type(schema: object) -> str:
    """A field's type in a word or two."""
    if isinstance(schema, list):
        return " or ".join(shown_type(branch) for branch in schema)
    if isinstance(schema, dict):
        return f"list of {shown_type(schema['items'])}" if schema["type"] == "array" else str(schema["name"])
    return str(schema).rsplit(".", 1)[-1]


def _refuse_after_a_release(version: str) -> None:
    """A version beyond the first release's, a pre-release too, says that the first one is out."""
    import re

    numbers = re.match(r"\d+(?:\.\d+)*", version)
    if numbers is None or tuple(map(int, numbers[0].split("."))) > FIRST_RELEASE:
        first = ".".join(map(str, FIRST_RELEASE))
        _fail(
            f"FSN is at {version}: since {first} records lie on topics under the committed schema ids, and --rewrite would "
            "make them unreadable. Run `fsn schemas write`: it adds a version for each changed record"
        )


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)
