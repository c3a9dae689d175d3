"""Reading: a file of scenarios as checked values, or every problem with its file, line, key and mend.

In: YAML with `base` (a file beside it whose `given` lies below), `given` and `scenarios` by name. Out: `Scenario`s whose
`given` is laid over the file's, the base's and the defaults. Refused, as ScenarioError: what is no YAML, an unknown key, a
value of the wrong kind, a step that does two things, a scenario that expects nothing.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from fsn.scenarios.building import DEFAULTS, GivenError, merged, network_of
from schemas.errors import TopologyError
from schemas.topology import mapping_of, read, unknown_key
from schemas.topology_checks import Place, Places

M = TypeVar("M", bound=BaseModel)

UNITS_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class ScenarioError(Exception):
    """A file of scenarios that cannot be run; one line per problem."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def duration_ms(value: Any) -> int:
    """`30s`, `15m`, `2h`, `1d` in milliseconds."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("a duration is a number with s, m, h or d, such as 90m")
    return int(found[1]) * UNITS_MS[found[2]]


Duration = Annotated[int, BeforeValidator(duration_ms)]
Int = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
"""What a record can carry as a quantity."""
Units = dict[str, Int]
Number = Annotated[str, Field(pattern=r"^\d{1,9}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Order(_Model):
    """An order; lines by variant, by `gtin/NUMBER`, or by `merchant:NAME/SKU`; `shirt#2` is another line of shirts."""

    lines: Units
    id: str = "1"
    merchant: str = "shop"
    channel: str = "shop"
    currency: str = "EUR"
    country: str = "DE"
    postcode_area: str = "10"
    service: str = "standard"
    service_type: str = "ship_from_warehouse"
    business: bool = False
    promised_in: Duration | None = None
    partial_consent: bool = False
    cost_ceiling_minor: Annotated[int, Field(ge=-(2**53), le=2**53)] | None = None
    fixed: str | None = None
    carrier_preference: str = ""


class Answer(_Model):
    """What a partner, its ERP or an operator says of an order's assignment; items by line, all of it when left out."""

    at: str
    order: str = "1"
    items: Units | None = None
    item_ids: dict[Number, Int] | None = None
    of: str | None = None
    shipment: str = "s1"
    reason: str = "broken"
    number: str = "1"
    """Of an invoice or a job."""
    job: str = "pick"
    state: str = "closed"
    partials: bool = True


class AliasIs(_Model):
    """A SKU means a variant."""

    sku: str
    variant: str
    namespace: str = "merchant:merchant_shop"
    pack: Int = 1


class Goods(_Model):
    """Units on their way: `announce` to a location, `send` from one to another, or `arrive` at one."""

    at: str
    units: Units
    to: str | None = None
    reference: str = "PO-1"
    due_in: Duration | None = None


class Expect(_Model):
    """What must be true now; what is left out is not looked at, except `refused`."""

    order: str | None = None
    status: str | None = None
    because: str | None = None
    outcomes: list[str] | None = None
    reason: str | None = None
    fallback: str | None = None
    attempt: int | None = None
    ships: dict[str, Units] | None = None
    accounts: dict[str, str] | None = None
    costs: Units | None = None
    distances: Units | None = None
    scores: Units | None = None
    plan_score: int | None = None
    candidates: int | None = None
    verdicts: dict[str, str] | None = None
    passed: Units | None = None
    rejected: Units | None = None
    ratings: dict[str, Units] | None = None
    assignments: dict[str, str] | None = None
    queues: dict[str, str] | None = None
    available: dict[str, Units] | None = None
    on_its_way: dict[str, Units] | None = None
    shadow: str | None = None
    shadow_ships: dict[str, Units] | None = None
    refused: list[str] = []


class Step(_Model):
    """One thing that happens, or is looked at."""

    order: Order | None = None
    orders: list[Order] | None = None
    cancel: str | None = None
    accept: Answer | None = None
    reject: Answer | None = None
    ship: Answer | None = None
    allocate: Answer | None = None
    fail_allocation: Answer | None = None
    invoice: Answer | None = None
    fail_invoice: Answer | None = None
    work: Answer | None = None
    set_partials: Answer | None = None
    alias: AliasIs | None = None
    stock: dict[str, Units] | None = None
    announce: Goods | None = None
    send: Goods | None = None
    arrive: Goods | None = None
    heartbeat: str | None = None
    wait: Duration | None = None
    change: dict[str, Any] | None = None
    expect: Expect | None = None


class Body(_Model):
    """A scenario as it is written: `order` comes before the steps, `expect` after them."""

    given: dict[str, Any] = {}
    order: Order | None = None
    steps: list[Step] = []
    expect: Expect | None = None


class Around(_Model):
    """What of `given` is no reference data."""

    stock: dict[str, Units] = {}
    ages: dict[str, Duration] = {}
    loads: Units = {}
    gaps: dict[str, list[str]] = {}


class Scenario(_Model):
    """A scenario, ready to run."""

    name: str
    given: dict[str, Any]
    around: Around
    steps: list[Step]


def scenarios_of(path: Path) -> list[Scenario]:
    """The scenarios of one file."""
    try:
        declared, places = mapping_of(read(path), name=path.name, start="`scenarios:`")
        below = _base(declared, places, path)
    except TopologyError as error:
        raise ScenarioError(error.problems) from error
    _keys(declared, ("base", "given", "scenarios"), places)
    given = declared.get("given", {})
    _check_given(given, ("given",), places)
    _stop(places)
    named = declared.get("scenarios")
    if not isinstance(named, dict) or not named:
        places.report(("scenarios",), "is missing or empty; write at least one scenario under its name")
        _stop(places)
    found = []
    for name, body in (named or {}).items():
        scenario = _scenario(name, body, merged(below, given), places)
        if scenario is not None:
            found.append(scenario)
    _stop(places)
    return found


def _base(declared: Mapping[str, Any], places: Places, path: Path) -> dict[str, Any]:
    """The network that a file builds on."""
    base = declared.get("base")
    if base is None:
        return DEFAULTS
    if not isinstance(base, str):
        places.report(("base",), "is no name of a file; write it relative to this file")
        _stop(places)
    beside = path.parent / str(base)
    if not beside.is_file():
        places.report(("base",), f"{base} is no file; write it relative to this file")
        _stop(places)
    below, its_places = mapping_of(read(beside), name=beside.name, start="`given:`")
    _keys(below, ("given",), its_places)
    _check_given(below.get("given", {}), ("given",), its_places)
    _stop(its_places)
    return merged(DEFAULTS, below.get("given", {}))


def _scenario(name: str, body: Any, below: Mapping[str, Any], places: Places) -> Scenario | None:
    path: Place = ("scenarios", name)
    before = len(places.problems)
    checked = _model(Body, body, path, places)
    if checked is None:
        return None
    _check_given(checked.given, (*path, "given"), places)
    steps = [
        *([Step(order=checked.order)] if checked.order else []),
        *checked.steps,
        *([Step(expect=checked.expect)] if checked.expect else []),
    ]
    for index, step in enumerate(checked.steps):
        if len(step.model_fields_set) != 1:
            places.report((*path, "steps", index), "does no or several things; write one thing per step")
        if step.change is not None:
            _check_given(step.change, (*path, "steps", index, "change"), places, around=False)
    if not any(step.expect for step in steps):
        places.report(path, "expects nothing; add `expect:`")
    if len(places.problems) > before:
        return None
    given = merged(below, checked.given)
    around = Around.model_validate({key: given.pop(key) for key in Around.model_fields if key in given})
    for key in ("stock", "ages", "loads", "gaps"):
        for location in getattr(around, key):
            if location not in given["locations"]:
                places.report((*path, "given"), f"{key} names {location}, which is no location; add it to `locations`")
    try:
        list(network_of(given))
    except GivenError as error:  # layers that do by themselves and contradict each other together
        places.report((*path, "given", *error.path), str(error))
        return None
    return Scenario(name=name, given=given, around=around, steps=steps)


def _check_given(given: Any, path: Place, places: Places, *, around: bool = True) -> None:
    """Report what of a `given` cannot be used, each layer by itself, for there its lines are known."""
    if not isinstance(given, dict):
        places.report(path, "is no mapping; write `locations:`, `stock:` and the like")
        return
    also = tuple(Around.model_fields) if around else ()
    _keys(given, (*DEFAULTS, *also), places, path)
    _model(Around, merged({}, {key: value for key, value in given.items() if key in also}), path, places)
    for key in DEFAULTS:
        said = given.get(key, {})
        if not isinstance(said, dict) and not (key == "shadow" and said is None):  # null takes it away
            places.report((*path, key), "is no mapping; write names with what differs from the defaults")
            return
    try:
        list(network_of(merged({}, {key: value for key, value in given.items() if key in DEFAULTS})))
    except GivenError as error:
        places.report((*path, *error.path), str(error))


def _model(model: type[M], value: Any, path: Place, places: Places) -> M | None:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        for found in error.errors():
            where = tuple(found["loc"])
            places.report((*path, *where), _worded(dict(found)))
    return None


def _worded(found: dict[str, Any]) -> str:
    if found["type"] == "missing":
        return f"is missing; add `{found['loc'][-1]}: …`"
    if found["type"] == "extra_forbidden":
        return "is no key here; see docs/scenarios.md for those that are"
    return f"{found['input']!r} does not do: {found['msg']}; mend the value"


def _keys(declared: Mapping[str, Any], allowed: tuple[str, ...], places: Places, path: Place = ()) -> None:
    for key in declared:
        if key not in allowed:
            places.report((*path, key), unknown_key(key, allowed))


def _stop(places: Places) -> None:
    if places.problems:
        raise ScenarioError(tuple(places.problems))
