"""Step 4 plans without the carrier accounts that have no parcel left today."""

import pytest

from processors.routing.audit import unpack
from tests.processors.routing.world import ACCOUNT, FACTS, HOUR, NOW, change, decide, known, location, network, stock

DHL, GLS = "acme|dhl", "acme|gls"
BOTH = (change(ACCOUNT, base_cost_minor=(400, 900)), change(ACCOUNT, account_id=GLS, base_cost_minor=(500, 900)))


def planned(*full, facts=FACTS, **fields):
    made = network(location("a", carrier_account_ids=(DHL, GLS), **fields), accounts=BOTH)
    return decide(made, stock(a={"a": 5}), facts, heard=known(full=full))


@pytest.mark.parametrize(
    ("full", "account"), [((), DHL), ((GLS,), DHL), ((DHL,), GLS), (("acme|somebody",), DHL), ((DHL, "acme|x"), GLS)]
)
def test_the_cheapest_account_with_a_parcel_left_is_planned(full, account):
    [part] = planned(*full).plan.parts
    assert part.account_id == account


def test_a_location_whose_accounts_are_all_full_is_fenced_off_at_step_4():
    outcome = planned(DHL, GLS)
    assert (outcome.plan, outcome.reason) == (None, "account_without_slots")
    [verdict] = [one.verdict for one in unpack(outcome.audit).steps[3].candidates]
    assert verdict == "account_without_slots"


def test_another_location_takes_the_order():
    near = location("a", carrier_account_ids=(DHL,))
    far = location("b", carrier_account_ids=(GLS,), latitude_e6=near.latitude_e6 + 2_000_000)
    made = network(near, far, accounts=BOTH)
    offers = stock(a={"a": 5, "b": 5})
    assert [part.location_id for part in decide(made, offers).plan.parts] == ["acme|loc_a"]
    assert [part.location_id for part in decide(made, offers, heard=known(full=(DHL,))).plan.parts] == ["acme|loc_b"]


def test_the_promise_is_judged_by_the_accounts_that_are_left():
    fast = change(ACCOUNT, transit_days=(1, 1))
    slow = change(ACCOUNT, account_id=GLS, transit_days=(5, 5))
    made = network(location("a", carrier_account_ids=(DHL, GLS)), accounts=(fast, slow))
    facts = change(FACTS, promised_at=NOW + 60 * HOUR)
    assert decide(made, stock(a={"a": 5}), facts).plan is not None
    late = decide(made, stock(a={"a": 5}), facts, heard=known(full=(DHL,)))
    assert (late.plan, late.reason) == (None, "too_late")


def test_what_is_known_of_accounts_is_part_of_the_inputs_digest_only_where_it_matters():
    assert planned().inputs_digest == planned().inputs_digest
    assert planned(DHL).inputs_digest != planned().inputs_digest
    assert planned(DHL).inputs_digest != planned(GLS).inputs_digest


def test_what_is_collected_needs_no_account():
    facts = change(FACTS, service_type="click_and_collect")
    outcome = planned(DHL, GLS, facts=facts, services=("click_and_collect",))
    assert [part.account_id for part in outcome.plan.parts] == [""]
