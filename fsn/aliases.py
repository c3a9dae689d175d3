"""Aliases as files and on a broker: read from CSV, held against the reference data, signed and sent; for `fsn mapping`.

In: a CSV file with a header (namespace, sku, variant_id, and if need be units_per_pack and version), or one alias; the
topics `network`, `mappings` and `review-queue`. Out: AliasDefined on `aliases`, each keyed by its alias_id and signed
with the tenant's key. Nothing is sent when anything is wrong: `AliasError` names each line and its mend.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from confluent_kafka import Producer

from fsn.recorded import partition_counts, read_partition
from processors.aliases import alias_id_of, problem_of
from schemas.codec import Codec
from schemas.errors import SchemaError
from schemas.records.base import Record
from schemas.records.mapping import AliasChanged, AliasDefined
from schemas.records.network import VariantDefined
from schemas.records.operations import ReviewItem
from schemas.topology import Topology
from streams.partitioner import Partitioner
from streams.registry_ids import registry_for
from streams.settings import Settings
from streams.signatures import KeyRing

TOPIC: Final = "aliases"
COLUMNS: Final = ("namespace", "sku", "variant_id")
OPTIONAL: Final = ("units_per_pack", "version")
NUMBER_MAX: Final = 2**31 - 1
SHOWN_PROBLEMS: Final = 20
TIMEOUT_S: Final = 60.0
POLL_EVERY: Final = 1_000


Found = TypeVar("Found", bound=Record)


class AliasError(RuntimeError):
    """Aliases that cannot be read or sent, in words for whoever wrote them."""


def read_file(path: Path, tenant: str, *, author: str, at: int) -> list[AliasDefined]:
    """Every alias of a file; all that is wrong with it in one error."""
    problems: list[str] = []
    found: dict[str, int] = {}
    aliases: list[AliasDefined] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            _check_columns(path, rows.fieldnames or ())
            for row in rows:
                alias = _alias_of(row, tenant, author=author, at=at)
                if isinstance(alias, str):
                    problems.append(f"line {rows.line_num}: {alias}")
                    continue
                first = found.setdefault(alias.alias_id, rows.line_num)
                if first != rows.line_num:
                    problems.append(f"line {rows.line_num}: {alias.alias_id} stands in line {first} already: keep one")
                aliases.append(alias)
    except OSError as error:
        raise AliasError(f"{path} cannot be read: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise AliasError(f"{path} is no CSV file in UTF-8: {error}") from error
    refuse(problems, str(path))
    return aliases


def refuse(problems: Sequence[str], where: str) -> None:
    """Raise what is wrong, if anything is."""
    if problems:
        more = len(problems) - SHOWN_PROBLEMS
        shown = "; ".join(problems[:SHOWN_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
        raise AliasError(f"{where}: nothing was sent: {shown}")


def _check_columns(path: Path, names: Sequence[str]) -> None:
    missing = [name for name in COLUMNS if name not in names]
    strange = [name for name in names if name not in (*COLUMNS, *OPTIONAL)]
    if missing or strange:
        what = f"has no column {missing[0]}" if missing else f"has a column {strange[0]!r} that means nothing"
        raise AliasError(f"{path}: its first line {what}: it names {', '.join((*COLUMNS, *OPTIONAL))}")


def _alias_of(row: dict[str, Any], tenant: str, *, author: str, at: int) -> AliasDefined | str:
    """The alias of a row, or what is wrong with it."""
    if None in row or None in row.values():
        return "it has not as many fields as the first line"
    problem = problem_of(row["namespace"], row["sku"])
    if problem is not None:
        return problem
    numbers: list[int] = []
    for name in OPTIONAL:
        text = row.get(name) or "1"
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= NUMBER_MAX):
            return f"{name} is {text!r}: a number of at least 1 is needed"
        numbers.append(int(text))
    return AliasDefined(
        alias_id=alias_id_of(tenant, row["namespace"], row["sku"]),
        variant_id=row["variant_id"] or None,
        units_per_pack=numbers[0],
        version=numbers[1],
        author=author,
        occurred_at=at,
    )


class AliasDesk:
    """The topics of one cluster that mapping is about."""

    def __init__(self, topology: Topology, settings: Settings) -> None:
        self._topology = topology
        self._client = settings.client()
        self._codec = Codec(registry_for(settings.schema_registry, topology, register=False))
        self._keys = None if settings.keys is None else KeyRing.load(settings.keys)

    def send(self, aliases: Sequence[AliasDefined], *, signer: str, on_sent: Callable[[int], None]) -> None:
        """Send all of them in the signer's name, and wait until the broker has them."""
        key_id = None if self._keys is None else self._keys.key_of(signer)
        if self._keys is not None and key_id is None:
            raise AliasError(f"FSN_KEYS holds no key of {signer}: name an owner that it has with --signer")
        failed: list[str] = []
        producer = Producer(
            {**self._client, "enable.idempotence": True, "linger.ms": 20, "partitioner": "murmur2_random"}
        )

        def on_delivery(error: Any, _: Any) -> None:
            if error is not None:
                failed.append(str(error))

        for count, alias in enumerate(aliases, 1):
            key, value = alias.alias_id.encode(), self._codec.encode(alias)
            headers = [] if key_id is None or self._keys is None else self._keys.sign(key_id, TOPIC, key, value)
            while True:
                try:
                    producer.produce(TOPIC, value, key, headers=headers, on_delivery=on_delivery)
                    break
                except BufferError:
                    producer.poll(0.05)
            if count % POLL_EVERY == 0:
                producer.poll(0)
                on_sent(POLL_EVERY)
        left = producer.flush(TIMEOUT_S)
        on_sent(len(aliases) % POLL_EVERY)
        if left or failed:
            what = failed[0] if failed else f"no answer in {TIMEOUT_S:.0f} s"
            raise AliasError(f"{left + len(failed)} aliases were not taken ({what}): run the same import again")

    def unknown_variants(self, aliases: Sequence[AliasDefined]) -> list[str]:
        """What names a variant that the reference data has not, or has no more."""
        retired = {record.variant_id: record.retired for record in self._records("network", VariantDefined)}
        return [
            f"{alias.alias_id}: variant {alias.variant_id} is {'retired' if alias.variant_id in retired else 'not known'}"
            for alias in aliases
            if alias.variant_id is not None and retired.get(alias.variant_id, True)
        ]

    def history(self, alias_id: str) -> list[AliasChanged]:
        """Every version of an alias, oldest first."""
        partition = Partitioner(self._topology.partitions)(alias_id.encode())
        changes = self._records("mappings", AliasChanged, partition=partition)
        return [change for change in changes if change.alias_id == alias_id]

    def queue(self) -> list[ReviewItem]:
        """SKUs that wait for a person, the oldest first."""
        waiting: dict[str, ReviewItem] = {}
        for item in self._records("review-queue", ReviewItem):
            if item.kind.startswith("SKU_"):
                waiting.pop(item.review_id, None)
                if item.status == "open":
                    waiting[item.review_id] = item
        return sorted(waiting.values(), key=lambda item: (item.raised_at, item.entity_id))

    def _records(self, topic: str, kind: type[Found], *, partition: int | None = None) -> Iterator[Found]:
        counts = partition_counts(self._client)
        if topic not in counts:
            raise AliasError(f"topic {topic} is not there: run `fsn topology apply` first")
        for number in range(counts[topic]) if partition is None else (partition,):
            for raw in read_partition(self._client, topic, number):
                try:
                    record = self._codec.decode(raw.value or b"")
                except SchemaError:
                    continue  # outsiders write some of these topics; what is no record is the worker's to report
                if isinstance(record, kind):
                    yield record
