"""What every test may ask for: the embedded broker, once per session, and how hard hypothesis searches.

A test that wants `broker` is marked `broker` by itself, so that `pytest -m "not broker"` runs without one.
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


def pytest_collection_modifyitems(items):
    for item in items:
        if "broker" in getattr(item, "fixturenames", ()):
            item.add_marker("broker")


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """The bootstrap address of an embedded broker that lives as long as the session; name your topics uniquely."""
    from fsn.broker import EmbeddedBroker

    embedded = EmbeddedBroker(tmp_path_factory.mktemp("broker"))
    yield embedded.start()
    embedded.kill()  # nobody reads its data again: writing it out would only cost time
