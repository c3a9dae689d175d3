"""The bench's records: few items or long records where they are asked for, sequences without a gap wherever one goes on."""

from collections import defaultdict

import pytest

from bench.members import metric
from bench.route_us import audit_bytes
from bench.usage import Window, between
from bench.world import World
from schemas.codec import Codec


def test_deltas_go_on_with_each_items_sequence():
    world, decode = World(locations=3, variants=10), Codec().decode
    sequences = defaultdict(list)
    for message in [*world.deltas(50), *world.deltas(40, first=50), *world.deltas(45, items=6)]:
        delta = decode(message.value)
        sequences[delta.feed_id, delta.variant_id].append(delta.sequence)
    assert len(sequences) == 30
    assert all(found == list(range(1, len(found) + 1)) for found in sequences.values())


def test_a_slice_that_goes_on_meets_other_items_than_the_one_before():
    world = World(locations=3, variants=10)
    keys = [[message.key for message in world.deltas(3, first=first)] for first in (0, 3)]
    assert keys[0] != keys[1]


def test_few_items_are_few_and_padding_only_makes_records_longer():
    world, decode = World(locations=3, variants=10), Codec().decode
    few = world.deltas(60, items=6)
    assert len({(decode(one.value).variant_id, decode(one.value).location_id) for one in few}) == 6
    plain, padded = world.deltas(1)[0], world.deltas(1, padding=1_000)[0]
    assert 1_000 <= len(padded.value) - len(plain.value) <= 1_003
    assert decode(padded.value).quantity == decode(plain.value).quantity


class Answering:
    """A worker's web port with these lines."""

    def get(self, page):
        assert page == "/metrics"
        lines = [
            'fsn_out_total{topic="a"} 2.0',
            'fsn_out_total{topic="b"} 5.0',
            "fsn_out_total_created 9.0",
            "fsn_up 1.0",
        ]
        return 200, "\n".join(lines)


def test_a_metric_is_summed_over_its_labels_only():
    assert metric(Answering(), "fsn_out_total") == 7.0
    assert metric(Answering(), "fsn_out_total", label='"b"') == 5.0
    assert metric(Answering(), "fsn_up") == 1.0
    assert metric(Answering(), "fsn_none") == 0.0


def test_a_window_is_what_two_moments_differ_by():
    assert between(Window(1, 2, 3, 4, 5, 6, 7), Window(2, 4, 6, 8, 10, 12, 14)) == Window(1, 2, 3, 4, 5, 6, 7)


@pytest.mark.parametrize(("locations", "lines"), [(7, 1), (7, 3), (24, 5)])
def test_an_audit_of_an_ordinary_order_is_small(locations, lines):
    assert audit_bytes(locations, lines) <= 4_096
