"""One stage in memory: rows in dicts, timers in a set, what it emitted in a list. For rule tables and properties.

`Bench(stage).send(topic, key, record)` runs one record on a savepoint as the engine would: when the handler raises
Refused, nothing of it remains and the reason is returned. `tick(at)` fires due timers in (due_at, kind, key) order.
`settle()` runs the projections of the rows changed since the last call.

What each record and each tick changes is audited by `processors.invariants`, and must balance.

What a stage emits must be declared in `topology.yaml`: the topic among its `emits`, the record among the topic's, and a
broadcast where the topic is one. Every test on a bench proves that too.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from processors.invariants import AUDITS
from processors.network import Network
from processors.reasons import Reason
from processors.step import ABSENT, Refused, Source, Stage, Table
from schemas.topology import load

TOPOLOGY: Final = load(Path(__file__).parents[2] / "topology.yaml")


class Bench:
    def __init__(self, *stages: Stage, network: Network | None = None, now_at: int = 1_000_000) -> None:
        self.stages = stages
        self.network = network or Network()
        self.now_at = now_at
        self.event_at = now_at
        self.key = ""
        self.signer: str | None = None
        self.source = Source("", 0, -1)
        self.rows: dict[str, dict[str, Any]] = {}
        self.timers: set[tuple[int, str, str]] = set()
        self.emitted: list[tuple[str, str, Any]] = []
        self.changed: dict[tuple[str, str], Table[Any]] = {}
        self._before: dict[tuple[Table[Any], str], Any] = {}
        """What the rows changed since the last audit were."""
        self._offset = -1
        self._running = stages
        """Who may be emitting: the stage whose handler runs, or any of them when a test calls a function by itself."""

    # what a handler may do
    def get(self, table: Table[Any], key: str) -> Any:
        return self.rows.get(table.name, {}).get(key, ABSENT)

    def put(self, table: Table[Any], key: str, row: Any) -> None:
        assert isinstance(row, table.row), (table.name, row)
        self._before.setdefault((table, key), self.get(table, key))
        self.rows.setdefault(table.name, {})[key] = row
        self.changed[table.name, key] = table

    def delete(self, table: Table[Any], key: str) -> None:
        self._before.setdefault((table, key), self.get(table, key))
        self.rows.get(table.name, {}).pop(key, None)

    def emit(self, topic: str, key: str, record: Any) -> None:
        self._keep(topic, key, record, broadcast=False)

    def broadcast(self, topic: str, key: str, record: Any) -> None:
        self._keep(topic, key, record, broadcast=True)

    def wake(self, due_at: int, kind: str, key: str) -> None:
        assert any(kind in stage.timers for stage in self.stages), kind
        self.timers.add((max(due_at, self.now_at + 1), kind, key))

    def unwake(self, due_at: int, kind: str, key: str) -> None:
        self.timers.discard((due_at, kind, key))

    # what a test may do
    def send(self, topic: str, key: str, record: Any, signer: str | None = None) -> Reason | None:
        """Run one record; the reason when it was refused, after undoing all it did."""
        self._offset += 1
        self.key, self.signer, self.source = key, signer, Source(topic, 0, self._offset)
        self._before.clear()
        saved = {name: dict(rows) for name, rows in self.rows.items()}, set(self.timers), len(self.emitted)
        try:
            for stage in self.stages:
                handler = stage.handlers.get(topic, {}).get(type(record))
                if handler is not None:
                    self._run(stage, handler, record)
        except Refused as refused:
            self.rows, self.timers = saved[0], saved[1]
            del self.emitted[saved[2] :]
            return refused.reason
        self._audit()
        return None

    def tick(self, at: int) -> None:
        """Time passes: fire every timer due at or before `at`."""
        self.now_at = max(self.now_at, at)
        self.event_at = self.now_at
        self._before.clear()
        while due := sorted(timer for timer in self.timers if timer[0] <= self.now_at):
            for timer in due:
                self.timers.discard(timer)
                for stage in self.stages:
                    if timer[1] in stage.timers:
                        self.key = timer[2]
                        self._run(stage, stage.timers[timer[1]], timer[2])
        self._audit()

    def settle(self) -> None:
        """End of a batch: project every row that changed."""
        for (name, key), _ in sorted(self.changed.items()):
            for stage in self.stages:
                row = self.rows.get(name, {}).get(key)
                if name in stage.projections and row is not None:
                    self._run(stage, stage.projections[name], key, row)
        self.changed.clear()

    def take(self, topic: str | None = None) -> list[Any]:
        """Records emitted since the last take, of one topic or of all."""
        taken = [record for name, _, record in self.emitted if topic in (None, name)]
        self.emitted = [entry for entry in self.emitted if topic is not None and entry[0] != topic]
        return taken

    def _audit(self) -> None:
        moved: dict[tuple[str, str], int] = {}
        for (table, key), before in self._before.items():
            for invariant, account, units in (
                AUDITS[table](key, before, self.get(table, key)) if table in AUDITS else ()
            ):
                moved[invariant, account] = moved.get((invariant, account), 0) + units
        assert not any(moved.values()), {account: units for account, units in moved.items() if units}

    def _run(self, stage: Stage, function: Callable[..., None], *given: Any) -> None:
        self._running = (stage,)
        try:
            function(*given, self)
        finally:
            self._running = self.stages

    def _keep(self, topic: str, key: str, record: Any, *, broadcast: bool) -> None:
        name = type(record).__name__
        emitters = [stage.name for stage in self._running]
        declared = any(topic in TOPOLOGY.stages[emitter].emits for emitter in emitters)
        assert declared, f"{emitters} emits to {topic}: topology.yaml says nothing of it"
        assert name in TOPOLOGY.topics[topic].records, f"{topic} carries no {name}: topology.yaml says nothing of it"
        if broadcast:
            assert TOPOLOGY.topics[topic].broadcast, f"{topic} is no broadcast topic"
        else:
            assert not TOPOLOGY.topics[topic].broadcast, f"only broadcast reaches all who read {topic}"
        self.emitted.append((topic, key, record))
