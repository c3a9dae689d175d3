"""`topology.yaml`, read and proven: `load(path)` returns a complete frozen `Topology`, or says all that is wrong.

What it refuses, each with file, line and mend: bytes that are no UTF-8, YAML that does not parse, a scalar that is not
what YAML takes it for (`2026-13-45`), an unknown tag, an alias inside what it names, a key given twice, an unknown or a
missing key, a value of the wrong kind, and whatever `schemas.topology_checks` finds between names. With `code=True` the
declaration is also compared with the stages and record types themselves, which means importing them.
"""

import difflib
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError
from yaml.reader import ReaderError

from schemas.errors import TopologyError
from schemas.topology_checks import Place, Places, code_problems, name_problems
from schemas.topology_model import Defaults, StageSpec, TopicSpec, Topology

__all__ = [
    "Defaults",
    "StageSpec",
    "TopicSpec",
    "Topology",
    "TopologyError",
    "load",
    "mapping_of",
    "parse",
    "read",
    "unknown_key",
]

_FILLED_IN: Final = ("name", "position")
_TOPIC_KEYS: Final = tuple(key for key in TopicSpec.model_fields if key not in _FILLED_IN)
_STAGE_KEYS: Final = tuple(key for key in StageSpec.model_fields if key not in _FILLED_IN)
_YAML_TAG: Final = "tag:yaml.org,2002:"
_PLAIN_TAGS: Final = (f"{_YAML_TAG}map", f"{_YAML_TAG}seq")
_NO_SCALAR: Final = (yaml.YAMLError, ValueError, LookupError, AttributeError, OverflowError)
"""What PyYAML's constructors raise, each something else, for text that is not what its tag says."""


def load(path: Path | str, *, code: bool = False) -> Topology:
    """The topology a file declares; with `code`, also compared with the processors' `STAGE`s and the record types."""
    path = Path(path)
    return parse(read(path), name=path.name, code=code)


def read(path: Path, *, mend: str = "name an existing file") -> str:
    """The text of a file; `mend` is what to do when there is none."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise TopologyError([f"{path}: {error.strerror}; {mend}"]) from error
    except UnicodeDecodeError as error:
        line, byte = error.object.count(b"\n", 0, error.start) + 1, error.object[error.start]
        place = f"{path.name}:{line}"
        raise TopologyError([f"{place}: the byte 0x{byte:02x} is no UTF-8; save the file as UTF-8"]) from error


def parse(text: str, *, name: str = "topology.yaml", code: bool = False) -> Topology:
    """The topology a text declares; `name` is what messages call it."""
    declared, places = mapping_of(text, name=name, start="`app:`, `topics:`, `stages:`")
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


def mapping_of(text: str, *, name: str, start: str) -> tuple[dict[str, Any], Places]:
    """The mapping a YAML text is, and the line of everything in it; `start` names the keys to start from."""
    places = Places(name)
    node = _composed(text, name)
    if not isinstance(node, yaml.MappingNode):
        raise TopologyError([f"{name}:1: the file is no mapping; start from {start}"])
    declared = _mapping(node, (), places, within=())
    _stop(places)
    return declared, places


def _composed(text: str, name: str) -> yaml.Node | None:
    """The tree of a text; None when the text is empty."""
    try:
        loader = yaml.SafeLoader(text)
    except ReaderError as error:
        line, wrong = text.count("\n", 0, error.position) + 1, f"U+{ord(text[error.position]):04X}"
        raise TopologyError([f"{name}:{line}: the character {wrong} has no place in YAML; remove it"]) from error
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise TopologyError([f"{name}:{_said_by_yaml(error)}; mend the YAML"]) from error
    except (ValueError, OverflowError) as error:  # "\UFFFFFFFF", of which PyYAML makes a character unasked
        raise TopologyError([f"{name}:{loader.line + 1}: an escape names no character; mend the YAML"]) from error
    except RecursionError as error:
        raise TopologyError([f"{name}:{loader.line + 1}: lies too deep in brackets; mend the YAML"]) from error


def _said_by_yaml(error: yaml.MarkedYAMLError) -> str:
    """Where the parser stopped and why; also where that began, for there an unclosed quote wants to be closed."""
    began, stopped = error.context_mark, error.problem_mark or error.context_mark
    line = stopped.line + 1 if stopped else 1
    context = f"{error.context} (from line {began.line + 1}), " if began and error.context else ""
    return f"{line}: {context}{error.problem}"


def _plain(node: yaml.Node, path: Place, places: Places, *, within: tuple[yaml.Node, ...]) -> Any:
    """A node as plain values, `within` those around it; notes the line of everything."""
    if node in within:
        return places.report(path, "an alias stands inside what it names; write out what is meant")
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, path, places)
    if node.tag not in _PLAIN_TAGS:
        return places.report(path, f"the tag {_tag(node)} means nothing here; remove it")
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, places, within=within)
    for index, item in enumerate(node.value):
        places.note((*path, index), item.start_mark.line + 1)
    return [_plain(item, (*path, index), places, within=(*within, node)) for index, item in enumerate(node.value)]


def _mapping(node: yaml.MappingNode, path: Place, places: Places, *, within: tuple[yaml.Node, ...]) -> dict[str, Any]:
    """A mapping; reports keys that YAML would silently overwrite."""
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = str(key_node.value)
        # Not printable is also half a surrogate pair, which pydantic refuses without saying where.
        if not isinstance(key_node, yaml.ScalarNode) or not key or not key.isprintable():
            places.note((*path, "?"), line)
            places.report((*path, "?"), "a key is a word in one line; write one before the colon")
            continue
        if key in values:
            first = places.line((*path, key))
            places.note((*path, key), line)
            places.report((*path, key), f"is declared twice (first in line {first}); remove or rename one")
        places.note((*path, key), line)
        values[key] = _plain(value_node, (*path, key), places, within=(*within, node))
    return values


def _scalar(node: yaml.ScalarNode, path: Place, places: Places) -> Any:
    """A scalar as what its tag says, which it was given or which YAML saw in it."""
    if node.tag not in yaml.SafeLoader.yaml_constructors:
        return places.report(path, f"the tag {_tag(node)} means nothing here; remove it, or put text into quotes")
    try:
        return yaml.SafeLoader("").construct_object(node)
    except _NO_SCALAR:
        kind = node.tag.removeprefix(_YAML_TAG)
        return places.report(path, f"{node.value!r} is no {kind}; put text into quotes, or mend the value")


def _tag(node: yaml.Node) -> str:
    """A tag as it is written."""
    return node.tag.replace(_YAML_TAG, "!!")


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
                    places.report((section, name, key), unknown_key(key, allowed))
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
        return unknown_key(key, tuple(allowed))
    return f"{found['input']!r} does not do: {found['msg'][:1].lower()}{found['msg'][1:]}; mend the value"


def unknown_key(key: str, allowed: tuple[str, ...]) -> str:
    """What is wrong with a key nobody reads, and the one that was probably meant."""
    close = difflib.get_close_matches(key, allowed, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known keys are {', '.join(allowed)}"
    return f"is no key here; {hint}"


def _stop(places: Places) -> None:
    if places.problems:
        raise TopologyError(places.problems)
