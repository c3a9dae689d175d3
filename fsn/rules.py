"""`fsn rules`: a merchant's rules from draft over shadow to active: prove, publish, move, look back, compare.

In: a YAML document, or a rule set's id; the topics of a cluster. Out: RuleSetPublished on `network`; tables, or JSON. A
document is proven before anything is sent; what a worker would refuse is refused here in the same words.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fsn.declaration import DEFAULT_FILE, File
from fsn.terminal import literal, plain, utc

if TYPE_CHECKING:
    from fsn.network_desk import NetworkDesk, Published
    from fsn.rule_desk import Agreement
    from schemas.records.network import RuleSetPublished

app = typer.Typer(
    name="rules", help="Rule sets: check, publish, promote, retire, history, show, agreement.", no_args_is_help=True
)

Brokers = Annotated[str | None, typer.Option("--brokers", "-b", envvar="FSN_BROKERS", help="host:port, or several.")]
RuleSetId = Annotated[str, typer.Argument(help="The rule set's id, such as `acme|euro`.")]
Author = Annotated[str, typer.Option(help="Who says so; kept with the version.")]
Comment = Annotated[str, typer.Option(help="Why; kept with the version.")]
Version = Annotated[int, typer.Argument(help="The version, as `history` shows it.", min=1)]


class Status(StrEnum):
    """How far a version may come at once."""

    DRAFT = "draft"
    SHADOW = "shadow"
    ACTIVE = "active"


@app.command()
def check(path: Annotated[Path, typer.Argument(help="The YAML document.")]) -> None:
    """Prove a rule document: every problem with its line."""
    from fsn.rule_documents import read_document
    from processors.rules import DEFAULT_RULES

    rules = read_document(path).rules
    own = [name for name in rules.__struct_fields__ if getattr(rules, name) != getattr(DEFAULT_RULES, name)]
    typer.echo(f"{path.name}: {len(own)} of {len(rules.__struct_fields__)} rules differ from the defaults")


@app.command()
def publish(
    rule_set_id: RuleSetId,
    path: Annotated[Path, typer.Argument(help="The YAML document.")],
    *,
    status: Annotated[Status, typer.Option(help="How far it comes at once.")] = Status.DRAFT,
    author: Author = "operator",
    comment: Comment = "",
    brokers: Brokers = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Publish a document as the rule set's next version."""
    from fsn.rule_desk import history as history_of
    from fsn.rule_desk import newest
    from fsn.rule_documents import read_document
    from schemas.records.network import RuleSetPublished

    document = read_document(path)
    desk = _open(brokers, file)
    version = max(newest(history_of(desk, rule_set_id)), default=0) + 1
    record = RuleSetPublished(rule_set_id, version, document.text, document.compiled, status.value, author, comment)
    _send(desk, record)


@app.command()
def promote(
    rule_set_id: RuleSetId,
    version: Version,
    *,
    to: Annotated[Status, typer.Option(help="shadow or active.")] = Status.ACTIVE,
    author: Author = "operator",
    comment: Comment = "",
    brokers: Brokers = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Move a draft or a shadow on."""
    _move(rule_set_id, version, to.value, author=author, comment=comment, desk=_open(brokers, file))


@app.command()
def retire(
    rule_set_id: RuleSetId,
    version: Version,
    *,
    author: Author = "operator",
    comment: Comment = "",
    brokers: Brokers = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Give a draft or a shadow up."""
    _move(rule_set_id, version, "retired", author=author, comment=comment, desk=_open(brokers, file))


@app.command()
def history(
    rule_set_id: Annotated[str | None, typer.Argument(help="The rule set; without it, all.")] = None,
    *,
    brokers: Brokers = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Show every step of every version: who, when, why; and what workers refused."""
    from rich.console import Console
    from rich.table import Table

    shown = Table("rule set", "version", "status", "author", "comment", "since (UTC)", "network offset")
    for one in _known(_open(brokers, file), rule_set_id):
        record = one.record
        status = record.status if one.refused is None else f"refused: {one.refused}"
        row = (record.rule_set_id, str(record.version), status, record.author, record.comment, utc(one.at))
        shown.add_row(*map(literal, (*row, str(one.offset))))
    Console().print(shown)


@app.command()
def show(
    rule_set_id: RuleSetId,
    version: Annotated[int | None, typer.Argument(help="The version; without it, the active one.", min=1)] = None,
    *,
    brokers: Brokers = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Print the document of a version, as its author wrote it."""
    record = _version_of(_known(_open(brokers, file), rule_set_id), rule_set_id, version)
    typer.echo("\n".join(plain(line) for line in record.document.splitlines()))


@app.command()
def agreement(
    rule_set_id: Annotated[str | None, typer.Argument(help="The rule set; without it, all.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    brokers: Brokers = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Show how often shadow rules would have decided as the active ones did, and where they would not."""
    import msgspec
    from rich.console import Console

    from fsn.rule_desk import agreements

    found = agreements(_open(brokers, file), rule_set_id)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode([_as_json(one) for one in found])).decode())
        return
    console = Console()
    for one in found:
        _print_agreement(one, console)
    if not found:
        console.print("no shadow has been compared yet: publish one with `fsn rules publish … --status shadow`")


def _print_agreement(one: "Agreement", console: object) -> None:
    from rich.console import Console
    from rich.table import Table

    from fsn.rule_desk import difference
    from processors.money import show as money

    assert isinstance(console, Console)
    rate = "-" if one.rate_e6 is None else f"{one.rate_e6 / 10_000:.2f} %"
    names = f"{one.rule_set_id}: shadow version {one.shadow_version} beside version {one.active_version}"
    summary = Table("evaluations", "agree", "differ", "unknown", "agreement", "cost", "shipments", title=literal(names))
    total = one.agrees + one.differs + one.unknown
    cost = ", ".join(money(minor, currency) for currency, minor in sorted(one.cost_minor.items())) or "-"
    row = (f"{total:,}", f"{one.agrees:,}", f"{one.differs:,}", f"{one.unknown:,}", rate)
    summary.add_row(*row, cost, f"{one.shipments:+,}")
    console.print(summary)
    if not one.examples:
        return
    examples = Table("order", "attempt", "differs in", "active", "shadow", title="Some of the differences")
    for record in one.examples:
        plans = [
            reason if plan is None else " + ".join(part.location_id for part in plan.parts)
            for plan, reason in (
                (record.active_plan, record.active_reason),
                (record.shadow_plan, record.shadow_reason),
            )
        ]
        examples.add_row(*map(literal, (record.order_id, str(record.attempt), difference(record), *plans)))
    console.print(examples)


def _as_json(one: "Agreement") -> dict[str, object]:
    import msgspec

    return {
        **msgspec.structs.asdict(one),
        "reasons": dict(one.reasons),
        "cost_minor": dict(one.cost_minor),
        "rate_e6": one.rate_e6,
    }


def _move(rule_set_id: str, version: int, status: str, *, author: str, comment: str, desk: "NetworkDesk") -> None:
    import msgspec

    record = _version_of(_known(desk, rule_set_id), rule_set_id, version)
    _send(desk, msgspec.structs.replace(record, status=status, author=author, comment=comment))


def _send(desk: "NetworkDesk", record: "RuleSetPublished") -> None:
    desk.publish((record.rule_set_id, record))
    typer.echo(f"{plain(record.rule_set_id)} version {record.version}: {record.status}")


def _known(desk: "NetworkDesk", rule_set_id: str | None) -> "list[Published[RuleSetPublished]]":
    from fsn.rule_desk import RuleSetError
    from fsn.rule_desk import history as history_of

    found = history_of(desk, rule_set_id)
    if not found:
        what = "no rule set" if rule_set_id is None else plain(rule_set_id)
        raise RuleSetError(f"{what} was ever published: `fsn rules publish` does")
    return found


def _version_of(
    history: "list[Published[RuleSetPublished]]", rule_set_id: str, version: int | None
) -> "RuleSetPublished":
    """The last record of a version; without one, of the active version."""
    from fsn.rule_desk import RuleSetError, newest

    known = newest(history)
    if version is None:
        version = max((number for number, one in known.items() if one.record.status == "active"), default=0)
    if version not in known:
        versions = ", ".join(map(str, sorted(known))) or "none"
        what = f"version {version}" if version else "active version"
        raise RuleSetError(f"{plain(rule_set_id)} has no {what}: its versions are {versions}")
    return known[version].record


def _open(brokers: str | None, file: Path) -> "NetworkDesk":
    from fsn.declaration import load_topology
    from fsn.network_desk import NetworkDesk
    from streams.settings import read_settings

    return NetworkDesk(load_topology(file), read_settings(brokers=brokers))
