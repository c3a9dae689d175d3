"""What a Confluent schema registry answers to reading calls, from the schemas this worker travels under.

In: path parameters and bodies as they came, undecoded text. Out: an `Answer`, status and JSON body in the registry's
own words, so that any standard deserializer reads FSN's topics with the worker's web port as its registry. Subjects
are `<topic>-<full record name>` (TopicRecordNameStrategy), for every topic of the topology. Nothing is ever written:
`look_up` asks under which id a schema is known, as serializers do that must not register; `register` answers those that
always do with the id the schema has, and refuses every other.

Refused as the registry refuses: 40401 unknown subject, 40402 unknown version, 40403 unknown schema, 42201 what is no
schema, 42202 what is no version number, 42205 a schema that would be new.
"""

import json
from typing import Any, Final, NamedTuple

from schemas.errors import UnknownSchemaError
from schemas.registry import Registry, SchemaVersion
from schemas.topology_model import Topology

CONTENT_TYPE: Final = "application/vnd.schemaregistry.v1+json"
_VERSION_MAX: Final = 2**31 - 1


class Answer(NamedTuple):
    """An HTTP status and a JSON text."""

    status: int
    body: bytes


class RegistryPages:
    """The reading half of a schema registry over one topology."""

    def __init__(self, registry: Registry, topology: Topology) -> None:
        self._registry = registry
        self._subjects = registry.by_subject(topology.records_by_topic)

    def types(self) -> Answer:
        """GET /schemas/types: the kinds of schemas there are."""
        return _answer(["AVRO"])

    def schema(self, schema_id: str) -> Answer:
        """GET /schemas/ids/{id}: the schema of an id, whichever subject asks."""
        version = self._by_id(schema_id)
        return _no_schema(schema_id) if version is None else _answer({"schema": version.text})

    def plain_schema(self, schema_id: str) -> Answer:
        """GET /schemas/ids/{id}/schema: the schema alone."""
        version = self._by_id(schema_id)
        return _no_schema(schema_id) if version is None else Answer(200, version.text.encode())

    def places(self, schema_id: str) -> Answer:
        """GET /schemas/ids/{id}/versions: the subjects an id stands under, with its version there."""
        version = self._by_id(schema_id)
        if version is None:
            return _no_schema(schema_id)
        return _answer(
            [
                {"subject": name, "version": version.version}
                for name, versions in self._subjects.items()
                if version in versions
            ]
        )

    def subjects(self) -> Answer:
        """GET /subjects: all of them, by name."""
        return _answer(sorted(self._subjects))

    def versions(self, subject: str) -> Answer:
        """GET /subjects/{subject}/versions: the version numbers of a subject."""
        versions = self._subjects.get(subject)
        return _no_subject(subject) if versions is None else _answer([known.version for known in versions])

    def version(self, subject: str, number: str) -> Answer:
        """GET /subjects/{subject}/versions/{version}: one version, or `latest`."""
        found = self._version(subject, number)
        return found if isinstance(found, Answer) else _answer(_shown(subject, found))

    def version_schema(self, subject: str, number: str) -> Answer:
        """GET /subjects/{subject}/versions/{version}/schema: its schema alone."""
        found = self._version(subject, number)
        return found if isinstance(found, Answer) else Answer(200, found.text.encode())

    def register(self, subject: str, body: bytes) -> Answer:
        """POST /subjects/{subject}/versions: the id of a schema that the subject has already; nothing is registered."""
        found = self._looked_up(subject, body)
        if isinstance(found, SchemaVersion):
            return _answer({"id": found.id})
        if subject in self._subjects and found.status == 404:
            return _error(42205, f"Subject {subject} is in read-only mode: only its own schemas are known here")
        return found

    def _version(self, subject: str, number: str) -> SchemaVersion | Answer:
        versions = self._subjects.get(subject)
        if versions is None:
            return _no_subject(subject)
        if number in {"latest", "-1"}:
            return versions[-1]
        if not _is_number(number) or not 1 <= int(number) <= _VERSION_MAX:
            return _error(
                42202,
                f"The specified version '{number}' is not a valid version id. "
                'Allowed values are between [1, 2^31-1] and the string "latest"',
            )
        found = next((known for known in versions if known.version == int(number)), None)
        return _error(40402, f"Version {number} not found.") if found is None else found

    def look_up(self, subject: str, body: bytes) -> Answer:
        """POST /subjects/{subject}: the version this schema is in a subject; `{"schema": "<its JSON>"}` asks."""
        found = self._looked_up(subject, body)
        return found if isinstance(found, Answer) else _answer(_shown(subject, found))

    def _looked_up(self, subject: str, body: bytes) -> SchemaVersion | Answer:
        versions = self._subjects.get(subject)
        if versions is None:
            return _no_subject(subject)
        try:
            wanted = json.loads(json.loads(body)["schema"])
        except (ValueError, TypeError, LookupError, RecursionError):
            return _error(42201, 'Invalid schema: send {"schema": "<an Avro schema as JSON>"}')
        found = next((known for known in versions if known.schema == wanted), None)
        return _error(40403, "Schema not found") if found is None else found

    def _by_id(self, schema_id: str) -> SchemaVersion | None:
        try:
            return self._registry.by_id(int(schema_id)) if _is_number(schema_id) else None
        except UnknownSchemaError:
            return None


def _shown(subject: str, version: SchemaVersion) -> dict[str, Any]:
    return {"subject": subject, "version": version.version, "id": version.id, "schema": version.text}


def _is_number(text: str) -> bool:
    """Whether `int` takes it: Unicode knows more digits, and `int` no more than 4,300 of them."""
    return text.isascii() and text.isdigit() and len(text) <= 10


def _no_schema(schema_id: str) -> Answer:
    return _error(40403, f"Schema {schema_id} not found")


def _no_subject(subject: str) -> Answer:
    return _error(40401, f"Subject '{subject}' not found.")


def _error(code: int, message: str) -> Answer:
    """The registry's error body; the first three digits of its code are the HTTP status."""
    return _answer({"error_code": code, "message": message}, status=code // 100)


def _answer(value: Any, *, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value, separators=(",", ":")).encode())
