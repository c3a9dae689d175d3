"""What must hold between the names of a topology, checked before any broker is asked.

In: a `Topology` that is well-formed by itself, and the lines its parts stand in. Out: problems, each as
`topology.yaml:line: part: what is wrong; the mend`. `name_problems` looks at the declaration alone and at the names of
the record types; `code_problems` imports every stage and compares what it handles and owns with what is declared.
"""

import difflib
import importlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.registry import record_types
from schemas.topology_model import (
    CHANGELOG,
    DEAD_LETTER_OVERHEAD_BYTES,
    DEAD_LETTERS,
    ENGINE_TOPICS,
    NETWORK,
    StageSpec,
    TopicSpec,
    Topology,
)

Place = tuple[str | int, ...]
"""Where a part stands: the keys and indices that lead to it."""

_KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_APP = re.compile(r"[a-zA-Z0-9._-]{1,229}")  # the leader topic's name is 20 longer, and Kafka takes 249
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class Places:
    """The line of every part of a file, and the problems found in it."""

    def __init__(self, file: str) -> None:
        self.problems: list[str] = []
        self._file = file
        self._lines: dict[Place, int] = {}

    def note(self, path: Place, line: int) -> None:
        """Remember where a part stands."""
        self._lines[path] = line

    def line(self, path: Place) -> int:
        """The line of a part, or of the nearest part around it that is in the file."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def report(self, path: Place, problem: str) -> None:
        """Add a problem with this part."""
        shown = ".".join(str(part) for part in path if isinstance(part, str))
        self.problems.append(f"{self._file}:{self.line(path)}: {shown}: {problem}")


def name_problems(topology: Topology, places: Places) -> None:
    """Report every name that does not fit the others."""
    if not _APP.fullmatch(topology.app):
        mend = "call it by 1 to 229 of the characters a-z A-Z 0-9 . _ -"
        places.report(("app",), f"{topology.app!r} is no name for Kafka's groups and topics; {mend}")
    for required in ENGINE_TOPICS:
        if required not in topology.topics:
            places.report(("topics",), f"{required} is missing; the engine needs it, declare it")
    for topic in topology.topics.values():
        _check_topic(topology, topic, places)
    for stage in topology.stages.values():
        _check_stage(topology, stage, places)
    _check_partitions(topology, places)
    _check_dead_letters(topology, places)
    _check_owners(topology, places)


def code_problems(topology: Topology, places: Places) -> None:
    """Report every stage that is not what is declared of it, and every record type no topic carries."""
    declared = {record for topic in topology.topics.values() for record in topic.records}
    for name in record_types():
        if name not in declared:
            places.report(("topics",), f"no topic carries the record {name}; add it to one, or remove its class")
    for stage in topology.stages.values():
        _check_code(topology, stage, places)


def _check_topic(topology: Topology, topic: TopicSpec, places: Places) -> None:
    path: Place = ("topics", topic.name)
    if not _KEBAB.fullmatch(topic.name):
        places.report(path, f"a topic's name is kebab-case; call it {_kebab(topic.name)}")
    for index, record in enumerate(topic.records):
        if record not in record_types():
            mend = _closest(record, record_types(), "define it in schemas/records")
            places.report((*path, "records", index), f"{record} is no record type; {mend}")
    _check_repeats(topic.records, (*path, "records"), places)
    _check_roles(topology, topic, places)
    if topic.bulk and topic.name not in topology.source_topics:
        places.report((*path, "bulk"), "no stage reads it, so nothing waits for it; remove `bulk`")
    if topic.name == CHANGELOG and topic.cleanup != "compact":
        places.report(path, "rows would be lost by age; add `cleanup: compact`")


def _check_roles(topology: Topology, topic: TopicSpec, places: Places) -> None:
    path: Place = ("topics", topic.name)
    for what, roles in (("read_by", topic.read_by), ("written_by", topic.written_by)):
        if roles and topic.internal:
            places.report((*path, what), f"the topic is internal, only workers use it; remove `{what}` or `internal`")
        _check_repeats(roles, (*path, what), places)
    if topic.written_by and topic.name not in {*topology.source_topics, NETWORK, DEAD_LETTERS}:
        places.report((*path, "written_by"), "no stage reads it, so only workers may write it; remove `written_by`")


def _check_stage(topology: Topology, stage: StageSpec, places: Places) -> None:
    path: Place = ("stages", stage.name)
    if not _SNAKE.fullmatch(stage.name):
        places.report(path, "a stage is called like its module, in snake_case; rename it")
    if not _MODULE.fullmatch(stage.module):
        mend = f"write it like processors.{stage.name}"
        places.report((*path, "module"), f"{stage.module!r} is no module's name; {mend}")
    if not stage.reads and not stage.audits:
        places.report(path, "has nothing to do; name topics under `reads`, or tables under `audits`")
    for what, topics in (("reads", stage.reads), ("emits", stage.emits)):
        for index, topic in enumerate(topics):
            if topic not in topology.topics:
                mend = _closest(topic, topology.topics, "declare it under `topics`")
                places.report((*path, what, index), f"{topic} is no declared topic; {mend}")
        _check_repeats(topics, (*path, what), places)
    if NETWORK in stage.reads:
        mend = "read ctx.network instead, and network-changes to learn of a change"
        places.report((*path, "reads", stage.reads.index(NETWORK)), f"every worker reads network whole; {mend}")
    for index, table in enumerate(stage.tables):
        if not _SNAKE.fullmatch(table):
            places.report((*path, "tables", index), f"{table}: a table's name is snake_case; rename it")


def _check_partitions(topology: Topology, places: Places) -> None:
    """One task owns partition p of every source topic: a topic of another count would lose or double partitions."""
    for topic in (topology.topics[name] for name in topology.source_topics):
        if topic.partitions != topology.partitions and topic.name != NETWORK:
            places.report(
                ("topics", topic.name, "partitions"),
                f"has {topic.partitions} partitions and the other source topics {topology.partitions}; partition p of "
                "all of them belongs to one task, so remove its own count",
            )


def _check_dead_letters(topology: Topology, places: Places) -> None:
    """A record too large for dead-letters could not be given up, and would stop its partition."""
    letters = topology.topics.get(DEAD_LETTERS)
    if letters is None or not topology.source_topics:
        return
    largest = max((topology.topics[name] for name in topology.source_topics), key=lambda topic: topic.max_record_bytes)
    needed = largest.max_record_bytes + DEAD_LETTER_OVERHEAD_BYTES
    if letters.max_record_bytes < needed:
        places.report(
            ("topics", DEAD_LETTERS, "max_record_bytes"),
            f"{letters.max_record_bytes} cannot hold a record of {largest.name}; make it {needed} or more",
        )


def _check_owners(topology: Topology, places: Places) -> None:
    """One stage per module, one owner per table."""
    tables: dict[str, str] = {}
    modules: dict[str, str] = {}
    for stage in topology.stages.values():
        _check_repeats(stage.audits, ("stages", stage.name, "audits"), places)
        for index, table in enumerate(stage.tables):
            if table in tables:
                place: Place = ("stages", stage.name, "tables", index)
                places.report(place, f"{table} is {tables[table]}'s already; a table has one writer, rename one")
            tables[table] = stage.name
        if stage.module in modules:
            place = ("stages", stage.name, "module")
            places.report(place, f"{stage.module} is the stage {modules[stage.module]} already; remove one")
        modules[stage.module] = stage.name
    for stage in topology.stages.values():
        for index, table in enumerate(stage.audits):
            if table not in tables:
                mend = _closest(table, tables, "declare it under the `tables` of the stage that writes it")
                places.report(("stages", stage.name, "audits", index), f"{table} is no declared table; {mend}")


def _check_code(topology: Topology, stage: StageSpec, places: Places) -> None:
    path: Place = ("stages", stage.name)
    try:
        module = importlib.import_module(stage.module)
    except ImportError as error:
        places.report((*path, "module"), f"{stage.module} cannot be imported ({error}); create or mend the module")
        return
    built = getattr(module, "STAGE", None)
    if built is None:
        places.report((*path, "module"), f"{stage.module} has no STAGE; end it with `STAGE = Stage(…)`")
        return
    if built.name != stage.name:
        places.report(path, f"{stage.module} calls its stage {built.name}; give both one name")
    _check_equal(built.handlers, stage.reads, (*path, "reads"), places)
    _check_equal([table.name for table in built.tables], stage.tables, (*path, "tables"), places)
    _check_equal(built.audits, stage.audits, (*path, "audits"), places)
    _check_handlers(topology, stage, built.handlers, places)


def _check_equal(built: Iterable[str], declared: Iterable[str], path: Place, places: Places) -> None:
    for name in sorted(set(built) - set(declared)):
        places.report(path, f"the code has {name}, which is not declared; add it here, or remove it there")
    for name in sorted(set(declared) - set(built)):
        places.report(path, f"{name} is declared and the code has it not; remove it here, or add it there")


def _check_handlers(
    topology: Topology, stage: StageSpec, handlers: Mapping[str, Mapping[Any, Any]], places: Places
) -> None:
    for topic, by_type in handlers.items():
        if topic in topology.topics:
            for record_type in by_type:
                if record_type.__name__ not in topology.topics[topic].records:
                    places.report(
                        ("topics", topic, "records"),
                        f"the stage {stage.name} handles {record_type.__name__} from it; add the record here, or "
                        "remove its handler",
                    )


def _check_repeats(names: tuple[str, ...], path: Place, places: Places) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            places.report((*path, index), f"{name} is named twice; remove one")


def _closest(name: str, known: Iterable[str], otherwise: str) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}? Otherwise {otherwise}" if close else otherwise


def _kebab(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    return re.sub(r"[^a-z0-9]+", "-", spaced.lower()).strip("-")
