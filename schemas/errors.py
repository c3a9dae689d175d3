"""What can go wrong between a record and its bytes, and between a declaration and what it declares.

    SchemaError
    ├── UndecodableError       bytes that are no record: wrong magic byte, cut short, trailing bytes, bad values
    ├── UnknownSchemaError     bytes whose schema id nobody knows
    ├── EncodeError            a record whose values do not fit its schema
    ├── EvolutionError         a record type no Avro schema can be derived from, or a change old data does not survive
    └── TopologyError          a topology.yaml that does not hold together

The first three are about one record: the engine dead-letters it and goes on. The last two are about the repository:
they stop the build or the start.
"""

from collections.abc import Sequence


class SchemaError(Exception):
    """Root of all errors of this package."""


class UndecodableError(SchemaError):
    """Bytes that are no record."""


class UnknownSchemaError(SchemaError):
    """Bytes that name a schema id which no bundled or registered schema has."""

    def __init__(self, schema_id: int) -> None:
        super().__init__(
            f"schema id {schema_id} is unknown: update FSN, or register the schema where FSN_SCHEMA_REGISTRY points"
        )
        self.schema_id = schema_id


class EncodeError(SchemaError):
    """A record whose values do not fit its schema."""


class EvolutionError(SchemaError):
    """A record type that has no Avro schema, or a version that cannot read the data of an earlier one."""


class TopologyError(SchemaError):
    """A topology.yaml that does not hold together; one line per problem, each with its place and its mend."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
