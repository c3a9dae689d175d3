"""`topology.yaml`, read and proven: `load(path)` returns a complete frozen `Topology`, or says all that is wrong.

What it refuses, each with file, line and mend: YAML that does not parse, a key given twice, an unknown or a missing
key, a value of the wrong kind, and whatever `schemas.topology_checks` finds between names. With `code=True` the
declaration is also compared with the stages and record types themselves, which means importing them.
"""

import difflib
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from schemas.errors import TopologyError
from schemas.topology_checks import Places, code_problems, name_problems
from schemas.topology_model import Defaults, StageSpec, TopicSpec, Topology

__all__ = ["Defaults", "StageSpec", "TopicSpec", "Topology", "TopologyError", "load", "parse"]

_FILLED_IN: Final = ("name", "position")
_TOPIC_KEYS: Final = tuple(key for key in TopicSpec.model_fields if key not in _FILLED_IN)
_STAGE_KEYS: Final = tuple(key for key in StageSpec.model_fields if key not in _FILLED_IN)


def load(path: Path | str, *, code: bool = False) -> Topology:
    """The topology a file declares; with `code`, also compared with the processors' `STAGE`s and the record types."""
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise TopologyError([f"{path}: {error.strerror}; name an existing file"]) from error
    return parse(text, name=path.name, code=code)


def parse(text: str, *, name: str = "topology.yaml", code: bool = False) -> Topology:
    """The topology a text declares; `name` is what messages call it."""
    places = Places(name)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise TopologyError([f"{name}: {str(error).replace(chr(10), ' ')}; mend the YAML"]) from error
    declared = _plain(node, (), places)
    _stop(places)
    if not isinstance(declared, dict):
        raise TopologyError([f"{name}:1: the file is no mapping; start from `app:`, `topics:`, `stages:`"])
    _complete(declared, places)
    _stop(places)
    try:
        topology = Topology.model_validate(declared)
    except ValidationError as error:
        for found in error.errors():
            places.report(tuple(found["loc"]), _worded(dict(found)))
        raise TopologyError(places.problems) from error
    name_problems(topology, places)
    _stop(places)
    if code:
        code_problems(topology, places)
        _stop(places)
    return topology


def _plain(node: yaml.Node | None, path: tuple[str | int, ...], places: Places) -> Any:
    """A node as plain values; notes the line of everything, and reports keys that YAML would silently overwrite."""
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in values:
                first = places.line((*path, key))
                places.note((*path, key), line)
                places.report((*path, key), f"is declared twice (first in line {first}); remove or rename one")
            places.note((*path, key), line)
            values[key] = _plain(value_node, (*path, key), places)
        return values
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            places.note((*path, index), item.start_mark.line + 1)
        return [_plain(item, (*path, index), places) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        return yaml.SafeLoader("").construct_object(node)
    return None


def _complete(declared: dict[str, Any], places: Places) -> None:
    """Fill in what a topic or stage leaves out; nobody may write the keys that are filled in always."""
    for section, allowed in (("topics", _TOPIC_KEYS), ("stages", _STAGE_KEYS)):
        specs = declared.get(section)
        for position, (name, spec) in enumerate(specs.items() if isinstance(specs, dict) else ()):
            if not isinstance(spec, dict):
                places.report((section, name), f"says nothing; give it some of {', '.join(allowed)}")
                continue
            for key in spec:
                if key not in allowed:
                    places.report((section, name, key), _unknown(key, allowed))
            spec["name"] = name
            if section == "topics":
                spec["position"] = position
                _apply_defaults(spec, declared)


def _apply_defaults(spec: dict[str, Any], declared: dict[str, Any]) -> None:
    spec.setdefault("partitions", declared.get("partitions"))
    defaults = declared.get("defaults")
    if isinstance(defaults, dict):
        for key, value in defaults.items():
            if key in _TOPIC_KEYS:
                spec.setdefault(key, value)
    if declared.get("clock") == "external":
        spec["retention_days"] = "unlimited"  # a simulated day is long past: by time, all of it would be deleted


def _worded(found: dict[str, Any]) -> str:
    """What pydantic found, with its mend."""
    key = str(found["loc"][-1])
    if found["type"] == "missing":
        return f"is missing; add `{key}: …`"
    if found["type"] == "extra_forbidden":
        allowed = Defaults.model_fields if found["loc"][0] == "defaults" else Topology.model_fields
        return _unknown(key, tuple(allowed))
    return f"{found['input']!r} does not do: {found['msg'][:1].lower()}{found['msg'][1:]}; mend the value"


def _unknown(key: str, allowed: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(key, allowed, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known keys are {', '.join(allowed)}"
    return f"is no key here; {hint}"


def _stop(places: Places) -> None:
    if places.problems:
        raise TopologyError(places.problems)
