"""Running: one scenario through every stage of the topology, in memory.

In: a checked `Scenario` and the topology. Out: the differences between what it expects and what happened, in words; none
when it passes. Refused, as ScenarioError: a step that speaks of an order or an assignment that there is not, changes
that contradict what was given.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fsn.scenarios.answering import KINDS, record_of
from fsn.scenarios.building import HOME, NOW_AT, TENANT, GivenError, id_of, merged, network_of
from fsn.scenarios.expecting import differences
from fsn.scenarios.reading import AliasIs, Answer, Goods, Order, Scenario, ScenarioError, Step
from processors.aliases import alias_id_of
from processors.network import grant_key
from processors.pipeline import STAGES
from schemas.records.assignments import AssignmentOffered
from schemas.records.catalogues import CatalogueActivated
from schemas.records.mapping import AliasDefined
from schemas.records.network import EntitlementGranted, LocationDefined, RuleSetPublished
from schemas.records.operations import FeedHeartbeat, LocationLoadChanged
from schemas.records.orders import OrderCancelled, OrderLine, OrderPlaced
from schemas.records.stock import StockDelta, StockExpected
from schemas.topology import Topology
from streams.testing import TopologyDriver

TICKS_MAX: Final = 120
"""A wait passes in at most so many ticks: each reaches every partition."""


def run(scenario: Scenario, topology: Topology) -> list[str]:
    """What differs from what the scenario expects."""
    return Run(scenario, topology).differences()


class Run:
    """A scenario under way."""

    def __init__(self, scenario: Scenario, topology: Topology) -> None:
        self.scenario = scenario
        self.given = scenario.given
        oldest = max(scenario.around.ages.values(), default=0)
        self.driver = TopologyDriver(topology, STAGES, start_at=NOW_AT - oldest)
        self.version = 1
        self.last_order = ""
        self.lines: dict[str, dict[str, int]] = {}
        self.sequences: dict[tuple[str, str], int] = {}
        self.published: dict[str, Any] = {}

    def differences(self) -> list[str]:
        """Run every step; the first expectation that is not met ends it."""
        self._start()
        for number, step in enumerate(self.scenario.steps, 1):
            if step.expect is not None:
                order_id = order_id_of(step.expect.order or self.last_order)
                lines = self.lines.get(order_id, {})
                found = differences(step.expect, self.driver, order_id=order_id, lines=lines)
                if found:
                    return [f"step {number}: {difference}" for difference in found]
            else:
                self._do(step)
        return []

    def _start(self) -> None:
        around = self.scenario.around
        self._publish()
        for name in sorted(around.stock, key=lambda name: (-around.ages.get(name, 0), name)):
            self.driver.tick(NOW_AT - around.ages.get(name, 0))
            for variant, units in around.stock[name].items():
                self._stock(name, variant, units)
        for name, variants in around.gaps.items():
            for variant in variants:
                self._stock(name, variant, 0, skipped=1)
        self.driver.tick(NOW_AT)
        for name, used in around.loads.items():
            self._load(name, used)

    def _publish(self) -> None:
        """Put into force what is new or differs from before."""
        try:
            fresh = {repr(_key(record)): record for record in network_of(self.given, version=self.version)}
        except GivenError as error:  # changes that do by themselves and contradict what was given
            where = ".".join(map(str, error.path))
            raise ScenarioError((f"{self.scenario.name}: change.{where}: {error}",)) from error
        self.driver.publish(*[record for key, record in fresh.items() if self.published.get(key) != record])
        self.published, self.version = fresh, self.version + 1

    def _do(self, step: Step) -> None:
        """What a step says happens; a step says one thing."""
        for order in (*([step.order] if step.order else []), *(step.orders or [])):
            self._place(order)
        self.driver.run()
        for kind in KINDS:
            answer = getattr(step, kind)
            if answer is not None:
                self._answer(kind, answer)
        for name, units in (step.stock or {}).items():
            for variant, change in units.items():
                self._stock(name, variant, change)
        self._move(step)
        self._say(step)
        if step.wait is not None:
            self._wait(step.wait)
        if step.change is not None:
            self.given = merged(self.given, step.change)
            self._publish()

    def _move(self, step: Step) -> None:
        """Goods on their way, and their end."""
        if step.announce is not None:
            self._announce(step.announce)
        if step.send is not None:
            goods = step.send
            for variant, units in goods.units.items():
                self._stock(goods.at, variant, -units, reason="transfer_out", reference=goods.reference, to=goods.to)
        if step.arrive is not None:
            goods = step.arrive
            reason = "receipt" if goods.to is None else "transfer_in"
            for variant, units in goods.units.items():
                self._stock(goods.at, variant, units, reason=reason, reference=goods.reference, to=goods.to)

    def _announce(self, goods: Goods) -> None:
        location_id, now_at = id_of("locations", goods.at), self.driver.now_at
        due_at = None if goods.due_in is None else now_at + goods.due_in
        for variant, units in goods.units.items():
            variant_id = id_of("variants", variant)
            announced = StockExpected(
                f"{location_id}|feed", location_id, variant_id, variant, goods.reference, units, due_at, now_at
            )
            self.driver.send("stock-deltas", variant_id, announced)

    def _say(self, step: Step) -> None:
        """Send what needs one record."""
        now_at = self.driver.now_at
        if step.cancel is not None:
            order_id = order_id_of(step.cancel)
            self.driver.send("orders", order_id, OrderCancelled(order_id, "changed my mind", now_at))
        if step.alias is not None:
            self._alias(step.alias)
        if step.heartbeat is not None:
            location_id = id_of("locations", step.heartbeat)
            beat = FeedHeartbeat(f"{location_id}|feed", location_id, now_at)
            self.driver.send("feed-heartbeats", location_id, beat)

    def _wait(self, duration_ms: int) -> None:
        until, start = self.driver.now_at + duration_ms, self.driver.now_at
        stride = max(1_000, -(-duration_ms // TICKS_MAX))
        for at in (*range(start + stride, until, stride), until):
            self.driver.tick(at)

    def _place(self, order: Order) -> None:
        """Put an order on its topic; it runs with those placed at the same moment."""
        order_id = order_id_of(order.id)
        self.last_order = order.id
        now_at = self.driver.now_at
        self.lines[order_id] = {key: number for number, key in enumerate(order.lines, 1)}
        placed = OrderPlaced(
            order_id=order_id,
            merchant_id=id_of("merchants", order.merchant),
            channel=order.channel,
            lines=tuple(_line(number, key, units) for number, (key, units) in enumerate(order.lines.items(), 1)),
            currency=order.currency,
            total_minor=9_900,
            country=order.country,
            postcode_area=order.postcode_area,
            latitude_e6=HOME["latitude_e6"],
            longitude_e6=HOME["longitude_e6"],
            service=order.service,
            service_type=order.service_type,
            business=order.business,
            promised_at=None if order.promised_in is None else now_at + order.promised_in,
            partial_consent=order.partial_consent,
            cost_ceiling_minor=order.cost_ceiling_minor,
            fixed_location_id=None if order.fixed is None else id_of("locations", order.fixed),
            marketplace_reference=None,
            recipient_ref="r",
            occurred_at=now_at,
            carrier_preference=order.carrier_preference,
        )
        self.driver.send_raw("orders", order_id.encode(), self.driver.codec.encode(placed), run=False)

    def _answer(self, kind: str, answer: Answer) -> None:
        order_id, location_id = order_id_of(answer.order), id_of("locations", answer.at)
        offer = self._offer(order_id, id_of("locations", answer.of or answer.at))
        record: Any = record_of(kind, answer, offer, self._items(answer, offer), self.driver.now_at)
        self.driver.send("partner-responses", location_id, record)

    def _items(self, answer: Answer, offer: AssignmentOffered) -> Mapping[int, int]:
        if answer.item_ids is not None:
            return {int(number): units for number, units in answer.item_ids.items()}
        if answer.items is None:
            return {line.line_no: line.quantity for line in offer.lines}
        lines = self.lines[offer.order_id]
        for key in answer.items:
            if key not in lines:
                mend = f"its lines are {', '.join(lines)}; or name numbers under `item_ids`"
                raise ScenarioError((f"{self.scenario.name}: order {answer.order} has no line {key}; {mend}",))
        return {lines[key]: units for key, units in answer.items.items()}

    def _offer(self, order_id: str, location_id: str) -> AssignmentOffered:
        """The newest offer of an order to a location."""
        logs = self.driver.logs
        for (topic, _), log in logs.items():
            if topic == "assignments":
                for raw in reversed(log):
                    found = self.driver.codec.decode(raw.value or b"")
                    wanted = (order_id, location_id)
                    if isinstance(found, AssignmentOffered) and (found.order_id, found.location_id) == wanted:
                        return found
        problem = f"{location_id} was offered nothing of {order_id}; let it answer only what it was offered"
        raise ScenarioError((f"{self.scenario.name}: {problem}",))

    def _alias(self, alias: AliasIs) -> None:
        namespace = alias.namespace
        alias_id = alias_id_of(TENANT, namespace, alias.sku)
        variant_id = id_of("variants", alias.variant)
        record = AliasDefined(alias_id, variant_id, alias.pack, 1, "anna", self.driver.now_at)
        self.driver.send("aliases", alias_id, record)

    def _stock(
        self,
        name: str,
        variant: str,
        units: int,
        *,
        skipped: int = 0,
        reason: str = "",
        reference: str | None = None,
        to: str | None = None,
    ) -> None:
        location_id, variant_id = id_of("locations", name), id_of("variants", variant)
        sequence = self.sequences.get((name, variant), 0) + 1 + skipped
        self.sequences[name, variant] = sequence
        delta = StockDelta(
            feed_id=f"{location_id}|feed",
            location_id=location_id,
            variant_id=variant_id,
            namespace=None,
            sku=variant,
            sequence=sequence,
            idempotency_key=None,
            quantity=units,
            reason=reason or ("receipt" if units > 0 else "adjustment"),
            reference=reference,
            occurred_at=self.driver.now_at,
            counterpart_location_id=None if to is None else id_of("locations", to),
        )
        self.driver.send("stock-deltas", variant_id, delta)

    def _load(self, name: str, used: int) -> None:
        """What every partition hears of a location's load."""
        driver, location_id = self.driver, id_of("locations", name)
        location = next(one for one in self.published.values() if _key(one) == (LocationDefined, location_id))
        try:
            day = datetime.fromtimestamp(driver.now_at / 1_000, ZoneInfo(location.timezone)).date().isoformat()
        except (ZoneInfoNotFoundError, ValueError) as error:
            problem = f"loads.{name}: {location.timezone!r} is no time zone, so that it has no day; mend its timezone"
            raise ScenarioError((f"{self.scenario.name}: {problem}",)) from error
        load = LocationLoadChanged(location_id, day, used, location.daily_slots, driver.now_at)
        for partition in range(driver.topology.partitions):
            value = driver.codec.encode(load)
            driver.send_raw("location-load", location_id.encode(), value, partition=partition)


def order_id_of(number: str) -> str:
    """The id of an order by its number."""
    return f"{TENANT}|shop|{number}"


def _key(record: Any) -> tuple[type, Any]:
    """What a record of reference data replaces."""
    if isinstance(record, EntitlementGranted):
        return EntitlementGranted, grant_key(record)
    if isinstance(record, RuleSetPublished):
        return RuleSetPublished, record.status
    if isinstance(record, CatalogueActivated):
        return CatalogueActivated, (record.merchant_id, record.catalogue_id)
    return type(record), str(getattr(record, record.__struct_fields__[0]))


def _line(number: int, key: str, units: int) -> OrderLine:
    name = key.partition("#")[0]
    if "/" not in name:
        return OrderLine(number, id_of("variants", name), None, None, units, 1_000)
    namespace, _, sku = name.partition("/")
    return OrderLine(number, None, namespace, sku, units, 1_000)
