"""Every test of orders routes simply; the few that want the real thing put it back."""

import pytest

from processors.orders import planning
from tests.processors.orders.world import simple_route, simple_shortlist


@pytest.fixture(autouse=True)
def simple_routing(monkeypatch):
    monkeypatch.setattr(planning, "shortlist", simple_shortlist)
    monkeypatch.setattr(planning, "route", simple_route)
