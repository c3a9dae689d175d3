"""A small day of the whole network: what the stages emit in the engine is what topology.yaml declares of them."""

import msgspec

from fsn.declaration import load_topology
from fsn.world.feeding import feed_driver
from fsn.world.truth import RECONCILIATION_KINDS
from fsn.world.world import World
from processors.pipeline import STAGES
from schemas.codec import Codec
from streams.signatures import KeyRing
from streams.testing import TopologyDriver

TOPOLOGY = load_topology(clock="external")
DECLARED = {
    (stage.name, topic, record)
    for stage in TOPOLOGY.stages.values()
    for topic in stage.emits
    for record in TOPOLOGY.topics[topic].records
}


def watched(stage, seen, codec):
    """The same stage; stage, topic and record type of all that its functions add to the outputs go into `seen`."""

    def watch(function):
        def watching(*given):
            outputs = given[-1].outputs
            before = len(outputs)
            function(*given)
            for output in outputs[before:]:
                seen.add((stage.name, output.topic, type(codec.decode(output.value)).__name__))

        return watching

    return msgspec.structs.replace(
        stage,
        handlers={
            topic: {record: watch(handler) for record, handler in by_type.items()}
            for topic, by_type in stage.handlers.items()
        },
        timers={kind: watch(timer) for kind, timer in stage.timers.items()},
        projections={table: watch(project) for table, project in stage.projections.items()},
    )


def test_what_stages_emit_in_a_day_is_declared(tmp_path):
    world = World(7, orders=60, deltas=4_000, hours=4, discrepancies=len(RECONCILIATION_KINDS))
    world.keys.write(tmp_path / "keys.json")
    keys = KeyRing.load(tmp_path / "keys.json")
    seen, codec = set(), Codec()
    stages = [watched(stage, seen, codec) for stage in STAGES]
    feed_driver(world, TopologyDriver(TOPOLOGY, stages, start_at=world.start_at, keys=keys))
    assert seen - DECLARED == set()
    silent = {stage.name for stage in TOPOLOGY.stages.values() if stage.emits} - {stage for stage, _, _ in seen}
    assert silent == {"invariants"}, "a stage was not watched, or an invariant broke"
