"""What every test may ask for: the embedded broker, once per session, and how hard hypothesis searches.

A test that wants `broker` is marked `broker` by itself, so that `pytest -m "not broker"` runs without one. Tests marked
`kafka` start a real Apache Kafka, whose jars come from elsewhere than PyPI: they run only with `--kafka`.
`HYPOTHESIS_PROFILE=thorough` searches longer; a failing example is printed in a form that can be pasted.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

# No deadline: on shared cores a slow example says nothing about the code. No explain phase: it traces every line of a
# failing example, which took minutes for a state machine.
settings.register_profile(
    "default",
    deadline=None,
    max_examples=60,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    print_blob=True,
)
settings.register_profile("quick", parent=settings.get_profile("default"), max_examples=10)
settings.register_profile(
    "thorough",
    parent=settings.get_profile("default"),
    max_examples=1000,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_addoption(parser):
    parser.addoption("--kafka", action="store_true", help="run the tests marked kafka too (a JDK and Maven are needed)")


def pytest_collection_modifyitems(config, items):
    for item in items:
        if "broker" in getattr(item, "fixturenames", ()):
            item.add_marker("broker")
    if not config.getoption("--kafka"):
        left_out = [item for item in items if item.get_closest_marker("kafka")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """The bootstrap address of an embedded broker that lives as long as the session; name your topics uniquely."""
    from fsn.broker import EmbeddedBroker

    embedded = EmbeddedBroker(tmp_path_factory.mktemp("broker"))
    yield embedded.start()
    embedded.kill()  # nobody reads its data again: writing it out would only cost time


@pytest.fixture(scope="session")
def secured(tmp_path_factory):
    """A real Kafka that knows every role by password and allows nothing until ACLs say so; lives for the session."""
    from tests.e2e.secured import PreparedCluster

    cluster = PreparedCluster(tmp_path_factory.mktemp("secured"))
    cluster.start()
    yield cluster
    cluster.kill()
