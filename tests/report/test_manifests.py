"""Every record is consumed once and every output written once; each transaction's order is known from its manifest."""

import pytest

from fsn.report.manifests import check_manifests, read_history
from fsn.report.reader import Counted, Topology
from tests.report.making import broken, reads

TOPOLOGY = Topology("fsn", 1, ("stock-deltas", "stock-requests"), ("stock-offers",), frozenset(), frozenset())


def done(number, *ranges, outputs=0, app="fsn"):
    named = [{"topic": topic, "first": first, "last": last} for topic, first, last in ranges]
    return "TaskManifest", {"app": app, "partition": 0, "number": number, "ranges": named, "outputs": outputs}


def check(manifests, deltas, offers=0, topology=TOPOLOGY, first_offer=0, forwarded=0):
    counted = {
        "stock-deltas": Counted({0: list(deltas)}, forwarded),
        "stock-requests": Counted({}, 0),
        "stock-offers": Counted({0: list(range(first_offer, first_offer + offers))}, 0),
    }
    return check_manifests(read_history(reads(*manifests), topology), counted, topology)


CLEAN = [done(1, ("stock-deltas", 0, 4), outputs=2), done(2, ("stock-deltas", 5, 9), outputs=1)]
HOLES = [0, 1, 2, 4, 6, 9]  # what is not there are transaction markers and aborted records


def test_all_consumed_once_and_written_once():
    assert check(CLEAN, range(10), 3).faults == ()
    assert check(CLEAN, HOLES, 3).faults == ()
    assert check([*CLEAN, done(7, ("stock-deltas", 0, 9), app="other")], range(10), 3).faults == ()


def test_forwarded_records_are_outputs_too():
    assert check(CLEAN, range(10), 2, forwarded=1).faults == ()


@pytest.mark.parametrize(
    ("manifests", "deltas", "offers", "promise", "lost", "again"),
    [
        (CLEAN, range(12), 3, "every record consumed once", 2, 0),
        (CLEAN[:1], range(10), 2, "every record consumed once", 5, 0),
        ([], range(10), 0, "every record consumed once", 10, 0),
        ([done(1, ("stock-deltas", 0, 3)), done(2, ("stock-deltas", 5, 9))], range(10), 0,
         "every record consumed once", 1, 0),
        ([done(1, ("stock-deltas", 0, 6)), done(2, ("stock-deltas", 5, 9))], range(10), 0,
         "every record consumed once", 0, 2),
        ([done(1, ("stock-deltas", 0, 9)), done(2, ("stock-deltas", 2, 4))], range(10), 0,
         "every record consumed once", 0, 3),
        ([done(1, ("stock-deltas", 0, 4)), done(3, ("stock-deltas", 5, 9))], range(10), 0,
         "transactions are numbered", 1, 0),
        ([done(1, ("stock-deltas", 0, 4)), done(1, ("stock-deltas", 5, 9))], range(10), 0,
         "transactions are numbered", 0, 1),
        (CLEAN, range(10), 2, "every output written once", 1, 0),
        (CLEAN, range(10), 5, "every output written once", 0, 2),
    ],
)  # fmt: skip
def test_a_broken_promise_is_named(manifests, deltas, offers, promise, lost, again):
    (fault,) = check(manifests, deltas, offers).faults
    assert (fault.check, fault.lost, fault.duplicated) == (promise, lost, again)


def test_a_compacted_topic_may_have_lost_what_was_superseded():
    compacted = Topology("fsn", 1, TOPOLOGY.sources, TOPOLOGY.emitted, frozenset(), frozenset({"stock-offers"}))
    assert broken(check(CLEAN, range(10), 2, compacted)) == ["every output written once"]
    assert check(CLEAN, range(10), 2, compacted, first_offer=3).faults == ()


def test_what_outsiders_write_too_cannot_be_counted():
    shared = Topology("fsn", 1, TOPOLOGY.sources, TOPOLOGY.emitted, frozenset({"stock-offers"}), frozenset())
    assert check(CLEAN, range(10), 50, shared).faults == ()


def test_records_are_walked_as_they_were_processed():
    manifests = [
        done(1, ("stock-deltas", 0, 1)),
        done(2, ("stock-deltas", 2, 3), ("stock-requests", 0, 1)),
        done(3, ("stock-requests", 2, 2)),
    ]
    deltas = [read._replace(timestamp=at) for read, at in zip(reads(*[("d", {})] * 4), (5, 6, 9, 7), strict=True)]
    requests = [read._replace(timestamp=at) for read, at in zip(reads(*[("r", {})] * 3), (8, 9, 1), strict=True)]
    walked = read_history(reads(*manifests), TOPOLOGY).walk(0, {"stock-deltas": deltas, "stock-requests": requests})
    # A record counts as no earlier than the one before it in its topic: delta 3 is not moved before delta 2.
    assert [(read.type, read.offset) for _, read in walked] == [
        ("d", 0), ("d", 1), ("r", 0), ("d", 2), ("d", 3), ("r", 1), ("r", 2),
    ]  # fmt: skip
