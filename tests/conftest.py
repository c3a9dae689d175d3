"""What every test may ask for: a broker, once per session or its own, and how hard hypothesis searches.

A test that wants one is marked `broker` by itself, so that `pytest -m "not broker"` runs without any. It is the embedded
broker, or with `--kafka` a real Apache Kafka (`make test-kafka`), whose jars come from elsewhere than PyPI; tests marked
`kafka` run only then.
`HYPOTHESIS_PROFILE=thorough` searches longer; a failing example is printed in a form that can be pasted.
"""

import os

import authlib.deprecate  # noqa: F401  it adds a filter when imported, which must lie below those of pyproject.toml
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


BROKER_FIXTURES = {"broker", "start_broker"}


def pytest_addoption(parser):
    parser.addoption("--kafka", action="store_true", help="a real Apache Kafka instead of the embedded broker")


def pytest_collection_modifyitems(config, items):
    for item in items:
        if BROKER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("broker")
    if not config.getoption("--kafka"):
        left_out = [item for item in items if item.get_closest_marker("kafka")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def start_broker(request, tmp_path_factory):
    """Starts an empty broker and returns it: `bootstrap` is its address. All are ended with the session."""
    started = []

    def start(folder=None):
        folder = folder or tmp_path_factory.mktemp("broker")
        started.append(_cluster(folder) if request.config.getoption("--kafka") else _embedded(folder))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.kill()  # nobody reads its data again: writing it out would only cost time


@pytest.fixture(scope="session")
def broker(start_broker):
    """The bootstrap address of a broker that lives as long as the session; name your topics uniquely."""
    return start_broker().bootstrap


def _embedded(folder):
    from fsn.broker import EmbeddedBroker

    return EmbeddedBroker(folder)


def _cluster(folder):
    from ops.kafka.cluster import Cluster

    return Cluster(folder, brief=True)


@pytest.fixture(scope="session")
def secured(tmp_path_factory):
    """A real Kafka that knows every role by password and allows nothing until ACLs say so; lives for the session."""
    from tests.e2e.secured import PreparedCluster

    cluster = PreparedCluster(tmp_path_factory.mktemp("secured"))
    cluster.start()
    yield cluster
    cluster.kill()
