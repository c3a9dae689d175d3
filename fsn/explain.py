"""`fsn explain ORDER`: why an order went where it went, and the least that would have sent it elsewhere.

In: an order_id and a broker that holds the recorded run. Out: tables, `--json` or one HTML file. The published audit
holds every step and candidate; for the counterfactuals the evaluation's exact inputs are found by replaying the one
partition that made it. Where that cannot be done it says so, and explains from the audit alone. Refused: an order or an
attempt nobody knows (exit code 1), a broker that does not answer (2).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fsn.declaration import DEFAULT_FILE, File

if TYPE_CHECKING:
    from fsn.explaining.document import Explained
    from fsn.recording import Recording

app = typer.Typer(name="explain")


@app.command()
def explain(
    order: Annotated[str, typer.Argument(help="The order_id: tenant|source|number.")],
    *,
    attempt: Annotated[int | None, typer.Option(help="Which attempt; without it, the last decision.", min=1)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; its fields are a contract.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write one self-contained HTML file.", dir_okay=False)] = None,
    counterfactuals: Annotated[
        bool, typer.Option(help="Replay the partition, to say what would have flipped the decision.")
    ] = True,
    brokers: Annotated[str | None, typer.Option("--brokers", "-b", envvar="FSN_BROKERS", help="host:port, …")] = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Explain an order's routing: every step, every candidate, and what would have flipped the decision."""
    import json

    import msgspec
    from rich.console import Console

    from fsn.explaining.page import page
    from fsn.explaining.story import UnknownOrder
    from fsn.explaining.tables import show
    from fsn.recording import open_recording
    from fsn.terminal import plain

    try:
        found = explained(open_recording(brokers, file), order, attempt=attempt, counterfactuals=counterfactuals)
    except UnknownOrder as error:
        Console(stderr=True).print(plain(str(error)), style="bold red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    if html is not None:
        try:
            html.write_text(page(found), "utf-8")
        except OSError as error:
            raise typer.BadParameter(f"{html}: {error.strerror}", param_hint="--html") from None
        Console(stderr=True).print(f"written: {plain(str(html))}", markup=False, highlight=False, soft_wrap=True)
    if as_json:
        # ASCII: beyond it lie control characters too, which JSON does not escape and a terminal obeys.
        typer.echo(json.dumps(msgspec.to_builtins(found), indent=2))
    elif html is None:
        show(found, Console(highlight=False))


def explained(
    recording: "Recording", order_id: str, *, attempt: int | None = None, counterfactuals: bool = True
) -> "Explained":
    """The explanation of an order's last decision, or of another attempt."""
    from fsn.explaining.document import explain as explain_evaluation
    from fsn.explaining.recording import NotReplayed, inputs_of
    from fsn.explaining.story import UnknownOrder, read_story
    from fsn.recorded import RecordedError
    from processors.routing.audit import unpack

    story = read_story(recording, order_id)
    evaluation = story.evaluation(attempt)
    if evaluation is None:
        known = sorted({one.attempt for one in story.evaluations})
        which = "was never evaluated" if attempt is None or not known else f"has no attempt {attempt}, only {known}"
        last = f"; last: {story.events[-1].what} {story.events[-1].fields}" if story.events else ""
        raise UnknownOrder(f"order {order_id!r} {which}{last}")
    try:
        version = unpack(evaluation.packed).network_version
    except ValueError as error:
        raise RecordedError(f"order {order_id!r}, attempt {evaluation.attempt}: {error}") from error
    copy = recording.network()
    network = copy.at(version) if version <= copy.available else None
    inputs, replay = None, "not asked for"
    if counterfactuals:
        try:
            inputs = inputs_of(
                recording, order_id, evaluation.attempt, evaluation.packed, variant_id=evaluation.variant_id
            )
            replay = "found"
        except NotReplayed as error:
            replay = str(error)
    return explain_evaluation(story, evaluation, network, inputs=inputs, replay=replay)
