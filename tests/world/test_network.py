"""The simulated network is what it says: sizes, places, numbers, rules, keys, and the same for the same seed."""

from collections import Counter

import msgspec
import pytest

from fsn.world.keys import KeyBook
from fsn.world.network import COUNTRIES, SHIPS_TO, build_network, gtin13, rule_document
from processors.network import Network, fold
from processors.rules import Rules
from streams.signatures import KeyRing

NETWORK = build_network(1)


def test_its_size():
    sizes = len(NETWORK.partners), len(NETWORK.locations), len(NETWORK.variants), len(NETWORK.merchants)
    assert sizes == (20, 40, 2_000, 6)


def test_ids_are_unique_and_start_with_their_tenant():
    ids = [entity_id for entity_id, _ in NETWORK.keyed()]
    assert len(set(ids)) == len(ids)
    assert all(entity_id.startswith("acme|") for entity_id in ids)


def test_one_seed_gives_one_network():
    assert build_network(1).keyed() == NETWORK.keyed()
    assert build_network(2).keyed() != NETWORK.keyed()


def test_the_processors_can_fold_it():
    network = fold(Network(), enumerate(record for _, record in NETWORK.keyed()))
    assert len(network.locations) == 40
    assert network.rules_of("acme|merchant_matterhorn").rules.exchange_rates_e6 == {"EUR": 943_000, "PLN": 222_000}


def test_locations_stand_in_all_seven_countries_and_serve_their_own():
    assert sorted({location.country for location in NETWORK.locations}) == list(COUNTRIES)
    assert all(location.country in location.ships_to for location in NETWORK.locations)


def test_a_customer_in_the_netherlands_is_never_served_from_belgium():
    assert "NL" not in SHIPS_TO["BE"]
    assert not any(location.country == "BE" and "NL" in location.ships_to for location in NETWORK.locations)


def test_every_location_has_an_account_for_every_country_it_serves():
    for location in NETWORK.locations:
        accounts = [NETWORK.account[account_id] for account_id in location.carrier_account_ids]
        assert {account.carrier for account in accounts} >= {"gls", "ups"}
        for country in location.ships_to:
            assert any(country in account.countries and "standard" in account.services for account in accounts)


def test_rates_are_told_for_each_country():
    for account in NETWORK.accounts:
        assert len(account.countries) == len(account.transit_days) == len(account.base_cost_minor)


def test_feeds_are_of_every_kind():
    kinds = Counter((feed.sequences, feed.shipment_deltas) for feed in NETWORK.feeds)
    assert len(kinds) == 9
    assert {feed.location_id for feed in NETWORK.feeds} == set(NETWORK.location)


@pytest.mark.parametrize(
    ("digits", "number"),
    [("400638133393", "4006381333931"), ("501234567890", "5012345678900"), ("000000000000", "0000000000000")],
)
def test_gtins_end_with_their_check_digit(digits, number):
    assert gtin13(digits) == number


def test_every_variant_has_a_valid_gtin():
    assert all(variant.gtin == gtin13(variant.gtin[:12]) for variant in NETWORK.variants)


def test_rules_are_published_as_written_and_compiled():
    for rule_set in NETWORK.rule_sets:
        assert rule_set.document == rule_document(rule_set.rule_set_id.partition("|")[2])
        assert msgspec.msgpack.decode(rule_set.compiled, type=Rules).reconcile_grace_ms == 90 * 60_000


def test_the_key_file_proves_each_owner(tmp_path):
    book = KeyBook(NETWORK, 1)
    book.write(tmp_path / "keys.json")
    ring = KeyRing.load(tmp_path / "keys.json")
    for owner in book.owners:
        assert ring.signer(b"orders", b"key", b"value", book.headers(owner, "orders", b"key", b"value")) == owner
        assert ring.signer(b"orders", b"key", b"value", book.forged_headers(owner, "orders", b"key", b"value")) is None
        assert ring.signer(b"orders", b"key", b"other", book.headers(owner, "orders", b"key", b"value")) is None
