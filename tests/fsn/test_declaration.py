"""The topology a command runs by, with another clock or number of partitions."""

import pytest

from fsn.declaration import load_topology
from schemas.topology import TopologyError


def test_another_number_of_partitions_holds_for_every_topic_that_names_none():
    topology = load_topology(clock="external", partitions=12)
    assert topology.partitions == 12
    assert {topology.topics[name].partitions for name in topology.source_topics} == {12}
    assert topology.topics["network"].partitions == 1
    assert topology.clock == "external"


def test_a_file_without_a_number_of_partitions_is_refused(tmp_path):
    file = tmp_path / "topology.yaml"
    file.write_text("app: fsn\nclock: leader\n", "utf-8")
    with pytest.raises(TopologyError, match="says 0 times how many partitions it has; write one line `partitions: 4`"):
        load_topology(file, partitions=12)
