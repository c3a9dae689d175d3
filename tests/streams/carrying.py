"""A run in memory carried to another number of partitions, as `fsn topology repartition` does it between clusters."""

import msgspec

from streams.machine import recall_time
from streams.repartition import Move, carried, read_cut
from streams.testing import TopologyDriver

CARRIED = frozenset({"changelog", "task-manifests"})


def cuts_of(driver):
    return [
        read_cut(number, driver.topology, task.store.get, task.inbox.processed_offsets())
        for number, task in enumerate(driver._tasks)
    ]


def carry(driver, topology):
    """A new driver that goes on where this one stands."""
    cuts = cuts_of(driver)
    move = Move(driver.topology, topology, driver.stages, cuts)
    new = TopologyDriver(topology, driver.stages, start_at=driver.now_at, keys=driver.keys)
    nexts = [{} for _ in range(topology.partitions)]
    for spec in driver.topology.topics.values():
        if spec.name not in CARRIED:
            _carry_topic(driver, new, move, spec, nexts)
    for number, task in enumerate(driver._tasks):
        for place, key, value in move.rows(number, task.store.rows.items, task.store.get):
            new._tasks[place].store.write([(key, value)])
    for place, key, value in move.engine_rows(nexts):
        new._tasks[place].store.write([(key, value)])
    new.network = driver.network
    for task, offsets in zip(new._tasks, nexts, strict=True):
        task.inbox.seek(offsets)
        recall_time(task.unit)
        task.machine._networks = driver.network
        task.unit.network = driver.network.at(max(cut.network for cut in cuts))
    return new


def _carry_topic(old, new, move, spec, nexts):
    """No position of the old topic comes again: each partition begins behind where that of the same number ended."""
    is_source = spec.name in old.topology.source_topics
    for number in range(new.topology.topics[spec.name].partitions):
        taken = len(old.logs[spec.name, number]) if is_source and number < old.topology.partitions else 0
        new.logs[spec.name, number] = [None] * taken
        new._read[spec.name][number] = taken
        if is_source:
            nexts[number][spec.name] = taken

    def read(number, start):
        return (raw for raw in old.logs[spec.name, number][start:] if raw is not None)

    for moved in move.records(spec, read):
        log, raw = new.logs[spec.name, moved.partition], moved.raw
        log.append(msgspec.structs.replace(raw, partition=moved.partition, offset=len(log), headers=carried(raw)))
        if is_source and moved.processed:
            nexts[moved.partition][spec.name] = len(log)


def rows_of(driver):
    """Every row and timer but the engine's, by key: the values that the partitions hold."""
    found = {}
    for task in driver._tasks:
        for key, value in task.store.rows.items():
            if not key.startswith(b"engine|"):
                found.setdefault(key, []).append(value)
    return found
