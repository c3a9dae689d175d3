"""Rule sets on a broker: what was published of them, the next record, and how shadows compared; for `fsn rules`.

In: the topics `network` and `shadow-decisions`. Out: RuleSetPublished on `network`; histories and agreements. Refused
(`RuleSetError`): whatever a worker would refuse, in the same words, before anything is sent.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
from confluent_kafka import Producer

from fsn.recorded import partition_counts, read_partition
from processors.usable import why_unusable
from processors.versions import Versions
from schemas.codec import Codec
from schemas.errors import SchemaError
from schemas.records.network import RuleSetPublished
from schemas.records.routing import RoutingPlan, ShadowDecided
from schemas.topology import Topology
from streams.machine import Raw
from streams.registry_ids import registry_for
from streams.settings import Settings

NETWORK: Final = "network"
SHADOWS: Final = "shadow-decisions"
TIMEOUT_S: Final = 60.0
EXAMPLES_MAX: Final = 10


class RuleSetError(RuntimeError):
    """A rule set that is not there, or cannot take this step."""


class Published(NamedTuple):
    """One record of a rule set. refused: why workers skipped it; None where it counts"""

    record: RuleSetPublished
    offset: int
    at: int
    refused: str | None


class Agreement(msgspec.Struct):
    """How a shadow compared with the version that decided, over the evaluations it saw."""

    rule_set_id: str
    active_version: int
    shadow_version: int
    agrees: int = 0
    differs: int = 0
    unknown: int = 0
    cost_minor: int = 0
    """What the shadow's plans would have cost more, over the evaluations in which both found one."""
    shipments: int = 0
    """How many more shipments they would have made."""
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    """Of the differences: another place, another account, a plan only here or only there."""
    examples: list[ShadowDecided] = []

    @property
    def rate_e6(self) -> int | None:
        """Millionths of the comparable evaluations that agreed; None before the first."""
        comparable = self.agrees + self.differs
        return self.agrees * 1_000_000 // comparable if comparable else None


class RuleDesk:
    """The topics of one cluster that rule sets are about."""

    def __init__(self, topology: Topology, settings: Settings) -> None:
        self._client = settings.client()
        self._codec = Codec(registry_for(settings.schema_registry, topology, register=False))

    def history(self, rule_set_id: str | None = None) -> list[Published]:
        """Everything published of a rule set, or of all of them, oldest first."""
        versions, found = Versions(), []
        for raw in self._read(NETWORK):
            record = self._decoded(raw)
            if not isinstance(record, RuleSetPublished) or rule_set_id not in (None, record.rule_set_id):
                continue
            why = why_unusable(record) or versions.why_out_of_turn(record)
            found.append(Published(record, raw.offset, raw.timestamp, None if why is None else why[1]))
        return found

    def publish(self, record: RuleSetPublished) -> None:
        """Send a rule set's next record, if workers will take it, and wait until the broker has it."""
        versions = Versions()
        for published in self.history(record.rule_set_id):
            if published.refused is None:
                versions.why_out_of_turn(published.record)
        why = why_unusable(record) or versions.why_out_of_turn(record)
        if why is not None:
            raise RuleSetError(f"nothing was sent: {why[1]}")
        failed: list[str] = []
        producer = Producer({**self._client, "enable.idempotence": True})
        producer.produce(
            NETWORK,
            self._codec.encode(record),
            record.rule_set_id.encode(),
            on_delivery=lambda error, _: failed.append(str(error)) if error is not None else None,
        )
        if producer.flush(TIMEOUT_S) or failed:
            what = failed[0] if failed else f"no answer in {TIMEOUT_S:.0f} s"
            raise RuleSetError(f"{record.rule_set_id} was not taken ({what}): run the command again")

    def agreements(self, rule_set_id: str | None = None) -> list[Agreement]:
        """How each shadow compared with each version that decided beside it, the newest last."""
        found: dict[tuple[str, int, int], Agreement] = {}
        for raw in self._read(SHADOWS):
            record = self._decoded(raw)
            if not isinstance(record, ShadowDecided) or rule_set_id not in (None, record.rule_set_id):
                continue
            key = record.rule_set_id, record.active_version, record.shadow_version
            _add(found.setdefault(key, Agreement(*key)), record)
        return [found[key] for key in sorted(found)]

    def _read(self, topic: str) -> Iterator[Raw]:
        counts = partition_counts(self._client)
        if topic not in counts:
            raise RuleSetError(f"topic {topic} is not there: run `fsn topology apply` first")
        for partition in range(counts[topic]):
            yield from read_partition(self._client, topic, partition)

    def _decoded(self, raw: Raw) -> Any:
        try:
            return self._codec.decode(raw.value or b"")
        except SchemaError:
            return None  # what is no record is the worker's to report


def newest(history: list[Published]) -> dict[int, Published]:
    """By version, the last record of it that counts."""
    return {one.record.version: one for one in history if one.refused is None}


def difference(record: ShadowDecided) -> str:
    """In what a shadow's plan differs, in few words."""
    active, shadow = record.active_plan, record.shadow_plan
    if active is None or shadow is None:
        return "no plan in either" if active is shadow else "only the shadow" if active is None else "only the active"
    if _places(active) != _places(shadow):
        return "other places"
    if [part.lines for part in active.parts] != [part.lines for part in shadow.parts]:
        return "other units"
    return "other accounts"


def _places(plan: RoutingPlan) -> list[str]:
    return [part.location_id for part in plan.parts]


def _add(agreement: Agreement, record: ShadowDecided) -> None:
    if record.outcome == "agrees":
        agreement.agrees += 1
        return
    if record.outcome != "differs":
        agreement.unknown += 1
        return
    agreement.differs += 1
    agreement.reasons[difference(record)] += 1
    if record.active_plan is not None and record.shadow_plan is not None:
        agreement.cost_minor += record.shadow_plan.cost_minor - record.active_plan.cost_minor
        agreement.shipments += len(record.shadow_plan.parts) - len(record.active_plan.parts)
    if len(agreement.examples) < EXAMPLES_MAX:
        agreement.examples.append(record)
