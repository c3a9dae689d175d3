"""Rule documents: a merchant's rules as YAML, proven before anybody is told of them; for `fsn rules`.

In: a YAML file. Out: its text and the rules it states, defaults filled in. Refused (`DocumentError`): all that is no
YAML, no mapping of rule to value, an unknown rule, a value out of range, rules that contradict each other; each with
file, line and mend.
"""

import re
from pathlib import Path

import msgspec
import yaml

from processors.rules import RuleError, Rules, rules_from
from schemas.topology import TopologyError, mapping_of

BYTES_MAX = 256 * 1024
"""Far more than every rule written out; a record of `network` takes four times as much."""


class DocumentError(RuntimeError):
    """A rule document that cannot be used: every problem with its line."""


class Document(msgspec.Struct, frozen=True):
    """A proven document. compiled: the rules as RuleSetPublished carries them"""

    text: str
    rules: Rules

    @property
    def compiled(self) -> bytes:
        """As MessagePack."""
        return msgspec.msgpack.encode(self.rules)


def read_document(path: Path) -> Document:
    """The document of a file."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror}") from error
    if len(raw) > BYTES_MAX:
        raise DocumentError(f"{path} has {len(raw):,} bytes: a rule document has at most {BYTES_MAX:,}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path} is no text in UTF-8 (byte {error.start}): save it as UTF-8") from error
    return document_of(text, name=path.name)


def document_of(text: str, *, name: str) -> Document:
    """The document of a text; an empty one states the defaults."""
    if not any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines()):
        return Document(text, Rules())
    alias = _alias_in(text)
    if alias is not None:
        raise DocumentError(f"{name}:{alias}: an alias stands for something else; write out what is meant")
    try:
        declared, places = mapping_of(text, name=name, start="a rule, such as `splitting_allowed: false`")
    except TopologyError as error:
        raise DocumentError("; ".join(error.problems)) from error
    try:
        return Document(text, rules_from(declared))
    except RuleError as error:
        places.report(_place(error.path, declared), f"{error.detail}; mend the rule")
        raise DocumentError("; ".join(places.problems)) from error


def _alias_in(text: str) -> int | None:
    """The line of the first YAML alias: aliases of aliases multiply, and rules are short."""
    try:
        for event in yaml.parse(text):
            if isinstance(event, yaml.AliasEvent):
                return 1 if event.start_mark is None else event.start_mark.line + 1
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        pass  # what does not parse is told in its own words
    return None


def _place(path: str, declared: object) -> tuple[str | int, ...]:
    """`channel_preferences.shop[0]` as the steps that lead there, as far as the document goes."""
    steps: list[str | int] = []
    for word in re.findall(r"[^.\[\]]+", path):
        step = int(word) if word.isdigit() and isinstance(declared, list) else word
        steps.append(step)
        try:
            declared = declared[step]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            break
    return tuple(steps)
