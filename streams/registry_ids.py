"""The ids under which records travel: the bundled ones, or those that another schema registry gives out.

In: the URL that FSN_SCHEMA_REGISTRY names, or none, and the topology. Out: a `Registry` of the same bundled schemas.
With a URL, each version is asked for under every subject that the topology gives it (`<topic>-<full record name>`);
what is missing there is registered, oldest version first, by who may register, and only looked up by who just reads.

Refused, all as `ConfigurationError` with the place and the mend: a registry that does not answer, or answers as none
does; a schema that is missing and may not be registered; one version under two ids. Records already on topics keep the
id they were written under: a cluster chooses its registry before its first record.
"""

import warnings
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from schemas.registry import Registry, SchemaVersion, bundled, file_name
from schemas.topology_model import Topology
from streams.errors import ConfigurationError

TIMEOUT_S: Final = 10
_NOT_FOUND: Final = (40401, 40402, 40403)


def registry_for(url: str | None, topology: Topology, *, register: bool) -> Registry:
    """The bundled schemas under the ids of this registry; without a URL, under their own."""
    own = bundled()
    if url is None:
        return own
    ids: dict[tuple[str, int], int] = {}
    with _Remote(url) as remote:
        for subject, versions in own.by_subject(topology.records_by_topic).items():
            for version in versions:
                found = remote.look_up(subject, version)
                if found is None:
                    found = remote.register(subject, version, allowed=register)
                known = ids.setdefault((version.record, version.version), found)
                if known != found:
                    raise ConfigurationError(
                        f"the schema registry at {remote.name} knows {version.record} v{version.version} as id {known} and, "
                        f"under subject {subject}, as id {found}: FSN writes one id per schema; use a registry context "
                        "in which a schema has one id"
                    )
    return bundled(ids)


class _Remote:
    """Another registry, asked by confluent-kafka's client; a context manager."""

    def __init__(self, url: str) -> None:
        # Both come late: they cost 0.2 s and 10 MB (measured), and most workers run without a registry.
        import httpx

        library = _library()
        self.name = _without_password(url)
        self._schema: Any = library.Schema
        self._refusal: Any = library.SchemaRegistryError
        # Not only what a connection raises: a stranger on the port may answer anything.
        self._broken = (httpx.HTTPError, ValueError, TypeError, AttributeError)
        self._client: Any = library.SchemaRegistryClient({"url": url, "timeout": TIMEOUT_S})

    def look_up(self, subject: str, version: SchemaVersion) -> int | None:
        """The id of a version under a subject; None when the registry does not have it."""
        try:
            return _id(self._client.lookup_schema(subject, self._schema(version.text, "AVRO")).schema_id)
        except self._refusal as error:
            if error.error_code in _NOT_FOUND:
                return None
            raise ConfigurationError(
                f"the schema registry at {self.name} would not look up subject {subject} ({error}): mend the rights there, "
                "or FSN_SCHEMA_REGISTRY"
            ) from error
        except self._broken as error:
            raise self._unreachable(error) from error

    def register(self, subject: str, version: SchemaVersion, *, allowed: bool) -> int:
        """The id that a version gets under a subject."""
        missing = (
            f"the schema registry at {self.name} has no {version.record} v{version.version} under subject {subject}"
        )
        file = f"schemas/avro/{file_name(version.record, version.version)}"
        if not allowed:
            raise ConfigurationError(
                f"{missing}: start a worker, which registers its schemas, or register {file} there"
            )
        try:
            return _id(self._client.register_schema(subject, self._schema(version.text, "AVRO")))
        except self._refusal as error:
            raise ConfigurationError(
                f"{missing}, and refused to register it ({error}): register {file} there, or give the worker the right to"
            ) from error
        except self._broken as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> ConfigurationError:
        return ConfigurationError(
            f"no schema registry answers at {self.name} ({type(error).__name__}: {error}): start it, or mend "
            "FSN_SCHEMA_REGISTRY (unset, FSN uses its own ids)"
        )

    def __enter__(self) -> Self:
        """The connection is opened by the first question."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._client.__exit__(kind, error, traceback)


def _library() -> Any:
    """confluent-kafka's registry client, without the warning that its OAuth library prints about its HTTP library."""
    import authlib.deprecate  # makes its own warnings loud when imported, so a filter before that is overruled

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", authlib.deprecate.AuthlibDeprecationWarning)
        from confluent_kafka import schema_registry
    return schema_registry


def _id(found: Any) -> int:
    if not isinstance(found, int):
        raise TypeError(f"it gave {found!r} for an id")
    return found


def _without_password(url: str) -> str:
    """A URL that may be logged."""
    parts = [urlsplit(part.strip()) for part in url.split(",")]
    return ",".join(part._replace(netloc=part.netloc.rpartition("@")[2]).geturl() for part in parts)
