"""`fsn explain` over a recorded run: what it says is what was decided, and what it says would flip it does."""

import json
from html.parser import HTMLParser
from io import StringIO

import msgspec
import pytest
from rich.console import Console
from typer.testing import CliRunner

import fsn.recording
from fsn import cli
from fsn import explain as explain_command
from fsn.explain import explained
from fsn.explaining.document import Explained
from fsn.explaining.page import page
from fsn.explaining.recording import ROUTERS, inputs_of
from fsn.explaining.story import UnknownOrder, read_story
from fsn.explaining.tables import show
from fsn.recorded import RecordedError
from fsn.terminal import plain, utc
from processors.routing.changes import Change, Kind, apply
from processors.routing.counterfactual import evaluate
from processors.routing.pipeline import route
from tests.fsn.explained import HOSTILE, ONE_HOP, PARKED, REJECTED, TWO_VARIANTS, recorded, recording

ALL = (ONE_HOP, TWO_VARIANTS, PARKED, REJECTED, HOSTILE)


@pytest.fixture(scope="module")
def run():
    return recorded()


@pytest.fixture
def told(run):
    return lambda order_id, **options: explained(recording(run), order_id, **options)


def shown(it):
    console = Console(file=StringIO(), width=160, highlight=False)
    show(it, console)
    return console.file.getvalue()


@pytest.mark.parametrize("order_id", ALL)
def test_the_inputs_are_found_whoever_evaluated(run, order_id):
    """Of one variant: the stock task; of two: the order's own."""
    made = recording(run)
    evaluation = read_story(made, order_id).evaluation(None)
    assert (evaluation.variant_id is None) is (order_id == TWO_VARIANTS)
    inputs = inputs_of(made, order_id, evaluation.attempt, evaluation.packed, variant_id=evaluation.variant_id)
    assert evaluate(inputs).audit == evaluation.packed
    assert all(router["route"] is route for router in ROUTERS)


@pytest.mark.parametrize("order_id", ALL)
def test_each_change_told_flips_the_recorded_decision(run, told, order_id):
    it = told(order_id)
    evaluation = read_story(recording(run), order_id).evaluation(None)
    inputs = inputs_of(recording(run), order_id, it.attempt, evaluation.packed, variant_id=evaluation.variant_id)
    losers = [one for one in it.candidates if not one.chosen]
    assert losers
    for one in losers:
        assert one.changes or one.fences
        for change in one.changes:
            made = Change(Kind(change.kind), one.location_id, change.amount, change.unit, change.detail)
            assert one.location_id in {part.location_id for part in evaluate(apply(made, inputs)).plan.parts}


def test_the_head_is_the_decision_as_published(run, told):
    it = told(ONE_HOP)
    decisions = [run.codec.decode(raw.value) for at in range(4) for raw in run.logs["routing-decisions", at]]
    assert it.decision in decisions
    assert (it.decision.order_id, it.inputs_digest) == (ONE_HOP, it.decision.inputs_digest)
    text = shown(it)
    for said in (
        it.decision.decision_id,
        "106.20 EUR",
        "score: 0.899",
        f"sha1 {it.inputs_digest}",
        "network: offset 11",
    ):
        assert said in text


def test_eleven_steps_and_the_shortlist_with_their_counts(told):
    counts = [(step.name, step.candidates_in, step.candidates_out) for step in told(ONE_HOP).steps]
    assert len(counts) == 12
    assert counts[0] == ("shortlist", 3, 3)
    assert counts[9] == ("freshness", 3, 2)
    assert counts[11] == ("audit", 2, 1)


def test_weighted_ratings_make_the_score(told):
    for one in told(ONE_HOP).candidates:
        assert sum(rating.weight for rating in one.ratings) == (25 if one.score is not None else 0)
        assert 0 <= (one.score or 0) - sum(rating.points for rating in one.ratings) < len(one.ratings) + 1


def test_a_loser_says_what_its_score_lacks(told):
    far = next(one for one in told(ONE_HOP).candidates if one.location_id == "acme|loc_far")
    assert far.verdict == "lower_score"
    assert far.behind == told(ONE_HOP).decision.plan.score - far.score
    assert "score needs 0.040 more" in shown(told(ONE_HOP))


def test_a_parked_order_is_explained_too(told):
    it = told(PARKED)
    assert (it.decision, it.outcome, it.reason) == (None, "unroutable", "stock_short")
    assert [one.changes[0].words for one in it.candidates if one.changes] == ["485 more units of acme|var_a"] * 2
    assert "OrderParked" in shown(it)


def test_attempts_and_what_came_between_them(told):
    it = told(REJECTED)
    assert (it.attempt, it.decision.supersedes) == (2, it.attempts[0].decision_id)
    assert [event.what for event in it.events] == [
        "OrderPlaced",
        "RoutingDecision",
        "AssignmentRejected",
        "RoutingDecision",
    ]
    assert it.steps[0].fallen[0].verdict == "excluded"
    first = told(REJECTED, attempt=1)
    assert first.decision.decision_id == it.decision.supersedes
    assert it.decision.supersedes in shown(it)


def test_a_log_that_begins_too_late_is_explained_from_the_audit_alone(run):
    made = recording(run, lost=1)
    found = None
    for order_id in (TWO_VARIANTS, PARKED, REJECTED, HOSTILE):
        try:
            found = explained(made, order_id)
        except UnknownOrder:
            continue
        break
    assert "cannot be replayed" in found.replay or "does not meet" in found.replay
    assert all(one.changes is None and one.fences is None for one in found.candidates)
    assert len(found.steps) == 12
    assert "no counterfactuals: " in shown(found)
    assert "No counterfactuals: " in page(found)


def test_without_a_replay_when_nobody_asks_for_it(told):
    assert told(ONE_HOP, counterfactuals=False).replay == "not asked for"


@pytest.mark.parametrize(
    ("order_id", "attempt", "words"),
    [
        ("acme|shop|none", None, "tenant|source|number"),
        ("acme|\udc9b", None, "no order 'acme|\\udc9b'"),
        (ONE_HOP, 7, "has no attempt 7, only [1]"),
    ],
)
def test_unknown(told, order_id, attempt, words):
    with pytest.raises(UnknownOrder) as caught:
        told(order_id, attempt=attempt)
    assert words in str(caught.value)


def test_an_audit_of_another_layout_is_told(run, monkeypatch):
    story = read_story(recording(run), ONE_HOP)
    later = msgspec.structs.replace(story.evaluations[0], packed=msgspec.msgpack.encode([9]))
    monkeypatch.setattr(
        "fsn.explaining.story.read_story", lambda *_: msgspec.structs.replace(story, evaluations=(later,))
    )
    with pytest.raises(
        RecordedError, match=r"attempt 1: audit layout 9 is not one of \(1,\): read it with the version"
    ):
        explained(recording(run), ONE_HOP)


def test_an_order_that_was_never_evaluated_says_what_came_last(run, monkeypatch):
    story = read_story(recording(run), ONE_HOP)
    denied = msgspec.structs.replace(story.evaluations[0], packed=b"")
    monkeypatch.setattr(
        "fsn.explaining.story.read_story", lambda *_: msgspec.structs.replace(story, evaluations=(denied,))
    )
    with pytest.raises(UnknownOrder, match=r"was never evaluated; last: RoutingDecision"):
        explained(recording(run), ONE_HOP)


def run_command(run, monkeypatch, *arguments):
    monkeypatch.setattr(fsn.recording, "open_recording", lambda *_: recording(run))
    return CliRunner().invoke(explain_command.app, list(arguments), env={"COLUMNS": "160"})


def test_no_control_character_of_an_id_reaches_the_terminal(run, monkeypatch):
    for options in ((), ("--json",)):
        result = run_command(run, monkeypatch, HOSTILE, *options)
        assert result.exit_code == 0
        assert not [letter for letter in result.output if letter != "\n" and not letter.isprintable()]
    result = run_command(run, monkeypatch, "acme|\x1b[2J")
    assert result.exit_code == 1
    assert "\x1b[2J" not in result.output


def test_json_reads_back_as_what_it_is(run, monkeypatch, told):
    result = run_command(run, monkeypatch, HOSTILE, "--json")
    assert msgspec.json.decode(result.output, type=Explained) == told(HOSTILE)
    assert json.loads(result.output)["version"] == 1


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_is_one_file_that_loads_and_runs_nothing(run, monkeypatch, tmp_path):
    result = run_command(run, monkeypatch, HOSTILE, "--html", str(tmp_path / "why.html"))
    assert result.exit_code == 0
    text = (tmp_path / "why.html").read_text("utf-8")
    tags = Tags()
    tags.feed(text)
    assert not tags.tags & {"script", "link", "img", "iframe", "b", "a"}
    assert tags.attributes <= {"lang", "charset", "http-equiv", "content", "name", "class"}
    assert "<script>alert(1)</script>" in "".join(tags.text)  # as text
    assert "url(" not in text
    assert "prefers-color-scheme: dark" in text


def test_a_page_that_cannot_be_written_is_told(run, monkeypatch, tmp_path):
    result = run_command(run, monkeypatch, ONE_HOP, "--html", str(tmp_path / "nowhere" / "why.html"))
    assert result.exit_code == 2
    assert "No such file or directory" in result.output


def test_no_broker_is_told_in_a_line(monkeypatch, capsys):
    monkeypatch.setattr("fsn.recorded.SILENCE_S", 0.5)
    monkeypatch.setattr("sys.argv", ["fsn", "explain", ONE_HOP, "--brokers", "127.0.0.1:1"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "no broker answers at 127.0.0.1:1" in capsys.readouterr().err


def test_numbers_of_strangers():
    assert utc(10**20) == f"{10**20} ms"
    assert plain("a\x9bb") == "a\\x9bb"
