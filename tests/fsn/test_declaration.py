"""The topology a command runs by, with another clock or number of partitions."""

from pathlib import Path

import pytest

from fsn.declaration import load_topology
from schemas.topology import TopologyError


def test_another_number_of_partitions_holds_for_every_topic_that_names_none():
    topology = load_topology(clock="external", partitions=12)
    assert topology.partitions == 12
    assert {topology.topics[name].partitions for name in topology.source_topics} == {12}
    assert topology.topics["network"].partitions == 1
    assert topology.clock == "external"


@pytest.mark.parametrize(
    ("text", "replaced", "message"),
    [
        ("app: fsn\n", {"partitions": 12}, "t.yaml:1: says 0 times how many partitions it has; write one line `partitions: 4`"),
        ("app: fsn\npartitions: 4\npartitions: 5\n", {"partitions": 12}, "t.yaml:3: says 2 times how many partitions it has; write"),
        ("app: fsn\n", {"clock": "external"}, "t.yaml:1: says 0 times which clock it runs by; write one line `clock: leader`"),
    ],
)  # fmt: skip
def test_a_file_without_one_line_to_replace_is_refused(tmp_path, text, replaced, message):
    (tmp_path / "t.yaml").write_text(text, "utf-8")
    with pytest.raises(TopologyError) as error:
        load_topology(tmp_path / "t.yaml", **replaced)
    assert str(error.value).startswith(message)


def test_a_clock_is_taken_as_it_is_written(tmp_path):
    """A backslash would name a group if the text were a pattern's replacement."""
    (tmp_path / "t.yaml").write_text(Path("topology.yaml").read_text("utf-8"), "utf-8")
    with pytest.raises(TopologyError, match=r"t\.yaml:\d+: clock: '\\\\1' does not do"):
        load_topology(tmp_path / "t.yaml", clock=r"\1")
