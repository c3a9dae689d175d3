"""The simulated network: partners, locations, feeds, variants, carrier accounts, merchants and their rules.

In: a seed. Out: a `WorldNetwork`: 20 partners with 40 locations in seven countries, a feed per location (two at some)
with every kind of sequence and of shipment delta, 2,000 variants with valid GTINs, accounts of DHL, UPS and GLS with
rates per country, six merchants, and the rule sets of `rules/*.yaml`. One tenant: `acme`. The same seed gives the
same network, record by record. Costs are in the location's own currency; rules hold the exchange rates.
"""

from functools import cached_property
from importlib.resources import files
from random import Random
from typing import Final

import msgspec
import yaml

from fsn.world.places import CITIES, City
from processors.rules import rules_from
from schemas.records.base import Record
from schemas.records.network import (
    CarrierAccountDefined,
    FeedDefined,
    LocationDefined,
    MerchantDefined,
    PartnerDefined,
    RuleSetPublished,
    VariantDefined,
)

TENANT: Final = "acme"
VARIANTS: Final = 2_000
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
ACCEPT_WITHIN_MS: Final = 150 * MINUTE_MS

WITH_ERP: Final = ("04", "09", "14", "19")
"""Partners whose ERP allocates and invoices."""
PARTNERS: Final = (
    "Spreelager Logistik", "Hansekontor", "Isar Fulfilment", "Rheinpack", "Mainversand", "Neckarwerk", "Lipsia Lager",
    "Ruhrdepot", "Weserhandel", "Pegnitz Store", "Donauwarenhaus", "Muralager", "Alpenpost Partner", "Aaredepot",
    "Grachtenlogistiek", "Maasmagazijn", "Zennedepot", "Seine Services", "Rhône Colis", "Wisla Magazyn",
)  # fmt: skip
MERCHANTS: Final = (
    ("nordwind", "Nordwind Outdoor", "EUR", "DE", "euro"),
    ("werkbank", "Werkbank & Co", "EUR", "DE", "fast"),
    ("tulp", "Tulp Living", "EUR", "NL", "euro"),
    ("belleville", "Belleville Maison", "EUR", "FR", "fast"),
    ("matterhorn", "Matterhorn Sport", "CHF", "CH", "swiss"),
    ("bursztyn", "Bursztyn Dom", "PLN", "PL", "polish"),
)
CHANNELS: Final = ("shop", "amazon", "otto", "ebay", "kaufland", "allegro")
COUNTRIES: Final = ("AT", "BE", "CH", "DE", "FR", "NL", "PL")
SHIPS_TO: Final = {
    "DE": ("AT", "BE", "CH", "DE", "FR", "NL", "PL"),
    "AT": ("AT", "CH", "DE"),
    "CH": ("CH",),
    "NL": ("BE", "DE", "NL"),
    "BE": ("BE", "FR"),
    "FR": ("BE", "CH", "FR"),
    "PL": ("DE", "PL"),
}
SEQUENCES: Final = ("contiguous", "contiguous", "contiguous", "monotonic", "none")
SHIPMENT_DELTAS: Final = ("referenced", "unreferenced", "none")
NEEDS: Final = ("hazmat", "cold_chain", "oversize", "battery")
GOODS: Final = (
    "Akkuschrauber", "Wanderschuh", "Trinkflasche", "Stehlampe", "Rucksack", "Kochtopf", "Bluetooth-Box", "Isomatte",
    "Werkzeugkoffer", "Regenjacke", "Kaffeemühle", "Bürostuhl", "Stirnlampe", "Bettwäsche", "Zelt", "Fahrradlicht",
    "Grillzange", "Sneaker", "Teppich", "Luftpumpe",
)  # fmt: skip


class WorldNetwork(msgspec.Struct, frozen=True, dict=True):
    """Everything that takes part, in the order in which it is published."""

    rule_sets: tuple[RuleSetPublished, ...]
    merchants: tuple[MerchantDefined, ...]
    partners: tuple[PartnerDefined, ...]
    accounts: tuple[CarrierAccountDefined, ...]
    locations: tuple[LocationDefined, ...]
    feeds: tuple[FeedDefined, ...]
    variants: tuple[VariantDefined, ...]

    def keyed(self) -> list[tuple[str, Record]]:
        """(entity id, record) of all of it, what others refer to first."""
        return [
            *((each.rule_set_id, each) for each in self.rule_sets),
            *((each.merchant_id, each) for each in self.merchants),
            *((each.partner_id, each) for each in self.partners),
            *((each.account_id, each) for each in self.accounts),
            *((each.location_id, each) for each in self.locations),
            *((each.feed_id, each) for each in self.feeds),
            *((each.variant_id, each) for each in self.variants),
        ]

    @cached_property
    def location(self) -> dict[str, LocationDefined]:
        """By location_id."""
        return {each.location_id: each for each in self.locations}

    @cached_property
    def account(self) -> dict[str, CarrierAccountDefined]:
        """By account_id."""
        return {each.account_id: each for each in self.accounts}

    @cached_property
    def variant(self) -> dict[str, VariantDefined]:
        """By variant_id."""
        return {each.variant_id: each for each in self.variants}

    @cached_property
    def merchant(self) -> dict[str, MerchantDefined]:
        """By merchant_id."""
        return {each.merchant_id: each for each in self.merchants}

    @cached_property
    def partner(self) -> dict[str, PartnerDefined]:
        """By partner_id."""
        return {each.partner_id: each for each in self.partners}


def build_network(seed: int) -> WorldNetwork:
    """The network of a seed."""
    random = Random(f"network|{seed}")
    partners = _partners(random)
    accounts = _accounts(random)
    locations = _locations(random, partners, accounts)
    return WorldNetwork(
        rule_sets=tuple(_rule_set(name) for name in ("euro", "fast", "swiss", "polish")),
        merchants=tuple(
            MerchantDefined(f"{TENANT}|merchant_{slug}", name, currency, country, f"{TENANT}|{rules}")
            for slug, name, currency, country, rules in MERCHANTS
        ),
        partners=partners,
        accounts=accounts,
        locations=locations,
        feeds=_feeds(random, locations),
        variants=_variants(random),
    )


def gtin13(digits: str) -> str:
    """Twelve digits with their GS1 check digit."""
    weighted = sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(digits))
    return digits + str(-weighted % 10)


def rule_document(name: str) -> str:
    """The YAML text of one of the world's rule sets."""
    return (files("fsn.world") / "rules" / f"{name}.yaml").read_text("utf-8")


def _rule_set(name: str) -> RuleSetPublished:
    document = rule_document(name)
    rules = rules_from(yaml.safe_load(document))
    return RuleSetPublished(f"{TENANT}|{name}", 1, document, msgspec.msgpack.encode(rules))


def _partners(random: Random) -> tuple[PartnerDefined, ...]:
    homes = [city for city in CITIES for _ in range(city.locations)]
    return tuple(
        PartnerDefined(
            partner_id=f"{TENANT}|partner_{number:02d}_{_slug(name)}",
            name=name,
            country=homes[number * 2 - 2].country,
            freshness_limit_ms=random.choice((15, 20, 20, 30)) * MINUTE_MS,
            partials_allowed=random.random() < 0.5,
        )
        for number, name in enumerate(PARTNERS, 1)
    )


def _slug(name: str) -> str:
    return name.split(maxsplit=1)[0].lower().translate(str.maketrans("ôöü", "oou"))


def _accounts(random: Random) -> tuple[CarrierAccountDefined, ...]:
    """Per country of origin a GLS and a UPS account; DHL where it is at home; a few that only some may use."""
    made = [_account(random, carrier, origin) for origin in COUNTRIES for carrier in ("gls", "ups")]
    made.append(_account(random, "dhl_parcel_de", "DE"))
    own = _account(random, "dhl_parcel_de", "DE", name="nordwind", owner_id=f"{TENANT}|merchant_nordwind")
    business = _account(random, "ups", "DE", name="business", discount=150)
    return (*made, own, msgspec.structs.replace(business, role="b2b", b2b_only=True))


def _account(
    random: Random, carrier: str, origin: str, *, name: str = "", owner_id: str = "", discount: int = 0
) -> CarrierAccountDefined:
    base = {"gls": 460, "ups": 690, "dhl_parcel_de": 510}[carrier] - discount - (60 if owner_id else 0)
    home = [base + random.randrange(-30, 31, 5) for _ in COUNTRIES]
    abroad = {"gls": 580, "ups": 640, "dhl_parcel_de": 720}[carrier]
    return CarrierAccountDefined(
        account_id=f"{TENANT}|{carrier}_{name or origin.lower()}",
        carrier=carrier,
        owner_id=owner_id or TENANT,
        role="primary" if not name else "region",
        services=("standard", "express") if carrier == "ups" else ("standard",),
        countries=COUNTRIES,
        transit_days=tuple(1 if country == origin else 2 if carrier == "ups" else 3 for country in COUNTRIES),
        base_cost_minor=tuple(
            cost + (0 if country == origin else abroad + (400 if country == "CH" else 0))
            for cost, country in zip(home, COUNTRIES, strict=True)
        ),
        cost_per_kg_minor=random.randrange(15, 60, 5),
        currency="EUR",
        b2b_only=False,
        daily_slots=20_000,
    )


def _locations(
    random: Random, partners: tuple[PartnerDefined, ...], accounts: tuple[CarrierAccountDefined, ...]
) -> tuple[LocationDefined, ...]:
    sites = [(city, copy) for city in CITIES for copy in range(1, city.locations + 1)]
    return tuple(
        _location(random, city, copy, partners[number // 2], accounts) for number, (city, copy) in enumerate(sites)
    )


def _location(
    random: Random, city: City, copy: int, partner: PartnerDefined, accounts: tuple[CarrierAccountDefined, ...]
) -> LocationDefined:
    store = copy == 2 or random.random() < 0.15
    rate = {"CHF": 1.0, "PLN": 3.0}.get(city.currency, 1.0)
    has_erp = partner.partner_id.split("_")[1] in WITH_ERP
    origins = (f"gls_{city.country.lower()}", f"ups_{city.country.lower()}")
    names = (
        (*origins, "dhl_parcel_de_de", "dhl_parcel_de_nordwind", "ups_business") if city.country == "DE" else origins
    )
    return LocationDefined(
        location_id=f"{TENANT}|loc_{city.slug}" + ("" if copy == 1 else f"_{copy}"),
        partner_id=partner.partner_id,
        name=f"{partner.name} {city.name}" + (" (store)" if store else ""),
        country=city.country,
        postcode=city.postcode,
        latitude_e6=city.latitude_e6 + copy * 3_000,
        longitude_e6=city.longitude_e6 - copy * 4_000,
        timezone=city.timezone,
        tier=2 if city.name in ("Kassel", "Erfurt", "Venlo", "Linz") else 1,
        ships_to=(city.country,) if store else SHIPS_TO[city.country],
        postcode_prefixes=(city.postcode[:1],) if copy == 2 else (),
        services=("ship_from_store", "ship_from_warehouse", "click_and_collect") if store else ("ship_from_warehouse",),
        capabilities=tuple(
            sorted({*(need for need in NEEDS if random.random() < 0.7), "battery", *(() if store else ("b2b_papers",))})
        ),
        daily_slots=random.randrange(60, 120) if store else random.randrange(350, 900),
        cutoff_minute=random.randrange(14 * 60, 20 * 60, 30),
        working_days=(1, 2, 3, 4, 5, 6) if store else (1, 2, 3, 4, 5),
        handling_ms=random.randrange(1, 5) * HOUR_MS,
        handling_cost_minor=int(random.randrange(120, 260, 10) * rate),
        unit_cost_minor=int(random.randrange(10, 40, 5) * rate),
        currency=city.currency,
        accept_within_ms=ACCEPT_WITHIN_MS,
        safety_stock=1 if store else 0,
        carrier_account_ids=tuple(
            account.account_id for account in accounts if account.account_id.partition("|")[2] in names
        ),
        holiday_region=city.country,
        erp_allocation=has_erp,
        erp_invoicing=has_erp,
    )


def _feeds(random: Random, locations: tuple[LocationDefined, ...]) -> tuple[FeedDefined, ...]:
    """One feed per location, two where a shop floor reports beside its back store. All kinds, in turn."""
    feeds = []
    for number, location in enumerate(locations):
        names = ("wms", "till") if "click_and_collect" in location.services and number % 2 == 1 else ("wms",)
        feeds += [
            FeedDefined(
                feed_id=f"{location.partner_id}|{location.location_id.partition('|')[2]}|{name}",
                partner_id=location.partner_id,
                location_id=location.location_id,
                sequences=SEQUENCES[number % len(SEQUENCES)],
                shipment_deltas=SHIPMENT_DELTAS[number % len(SHIPMENT_DELTAS)],
                counts_exclude_picked=random.random() < 0.3,
            )
            for name in names
        ]
    return tuple(feeds)


def _variants(random: Random) -> tuple[VariantDefined, ...]:
    return tuple(
        VariantDefined(
            variant_id=f"{TENANT}|var_{1_000 + number * 4:04d}_{random.randrange(1, 100):04d}",
            title=f"{random.choice(GOODS)} {number:04d}",
            gtin=gtin13(f"40{random.randrange(10**10):010d}"),
            supplier_id=f"{TENANT}|supplier_{random.randrange(1, 13):02d}",
            supplier_cost_minor=random.randrange(150, 4_000)
            if random.random() < 0.8
            else random.randrange(4_000, 15_000),
            currency="EUR" if random.random() < 0.9 else random.choice(("CHF", "PLN")),
            weight_g=random.choice((120, 250, 400, 650, 900, 1_400, 2_200, 4_800)),
            needs=(random.choice(NEEDS),) if random.random() < 0.06 else (),
        )
        for number in range(VARIANTS)
    )
