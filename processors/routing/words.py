"""Verdicts: every answer a step of routing can give, as a small number, a name and words for people.

A verdict's number is kept in audits and never changes its meaning; ten times the step's number plus a precedence
within the step (of several failed filters the highest is told, for it came furthest). 0 means passed. Verdicts below
10 belong to step 0, the shortlist; from 120 on they tell how the whole evaluation ended. The name (`too_late`) is
what travels in `Outcome.reason` and `Shortlist.left_out`; the words are for `fsn explain`.
"""

from enum import IntEnum
from typing import Final

STEPS: Final = (
    "stock",
    "region",
    "sla",
    "carrier",
    "capability",
    "capacity",
    "cost",
    "proximity",
    "freshness",
    "fallback",
    "audit",
)
"""The eleven steps, always in this order."""

RATED: Final = ("stock", "region", "sla", "capacity", "cost", "proximity", "freshness")
"""The steps that rate; region rates the merchant's preference of locations for a channel."""


class Verdict(IntEnum):
    """What a step says of a candidate, or of the order."""

    OK = 0
    RETIRED = 1
    EXCLUDED = 2
    NOT_THE_FIXED_LOCATION = 3
    TIER = 4
    LIMIT = 5
    UNKNOWN_LOCATION = 6
    MARKETPLACE_STOCK = 7
    NO_STOCK = 10
    INCOMPLETE_STOCK = 11
    COUNTRY_NOT_SERVED = 20
    COUNTRY_FORBIDDEN = 21
    POSTCODE_NOT_SERVED = 22
    POSTCODE_FORBIDDEN = 23
    TOO_LATE = 30
    NEVER_SHIPS = 31
    UNKNOWN_TIMEZONE = 32
    NO_ACCOUNT = 40
    ZONE_NOT_CARRIED = 41
    SERVICE_NOT_CARRIED = 42
    ACCOUNT_WITHOUT_SLOTS = 43
    ACCOUNT_RETIRED = 44
    ACCOUNT_OF_ANOTHER = 45
    ACCOUNT_BUSINESS_ONLY = 46
    ACCOUNT_CURRENCY_UNKNOWN = 47
    OTHER_CARRIER_ASKED_FOR = 48
    PARCEL_TOO_LARGE = 49
    SERVICE_TYPE_MISSING = 50
    CAPABILITY_MISSING = 51
    UNKNOWN_VARIANT = 52
    NOT_ENTITLED = 53
    NOT_ACTIVATED = 54
    CAPACITY_FULL = 60
    OVER_COST_CEILING = 70
    CURRENCY_UNKNOWN = 71
    TOO_FAR = 80
    STALE = 90
    GAPPED = 91
    FRESHNESS_UNKNOWN = 92
    NOT_NEEDED = 100
    NEXT_TIER = 101
    SPLIT_WIDER = 102
    BACKORDER = 103
    PARK = 104
    CHOSEN = 110
    LOWER_SCORE = 111
    ROUTED = 120
    NO_LOCATION = 121
    STOCK_SHORT = 122
    TOO_MANY_SHIPMENTS = 123
    NOTHING_WANTED = 124
    NOT_REACHED = 255

    @property
    def word(self) -> str:
        """The verdict's name where it travels: `too_late`."""
        return self.name.lower()


OK: Final = Verdict.OK

WORD: Final = [Verdict(number).word if number in set(Verdict) else "" for number in range(256)]
"""By number: an enum's own name costs ten times as much to look up."""

BY_WORD: Final = {verdict.word: verdict for verdict in Verdict}

WORDS: Final = {
    Verdict.OK: "passed",
    Verdict.RETIRED: "the location takes no new work",
    Verdict.EXCLUDED: "it declined, rejected, let expire or short-picked this order before",
    Verdict.NOT_THE_FIXED_LOCATION: "the order is fixed to another location",
    Verdict.TIER: "its tier is tried only as fallback",
    Verdict.LIMIT: "nearer locations filled the shortlist",
    Verdict.UNKNOWN_LOCATION: "the reference data does not know the location",
    Verdict.MARKETPLACE_STOCK: "it is a marketplace's own warehouse, which ships only what the marketplace sells",
    Verdict.NO_STOCK: "nothing of the order is available to promise",
    Verdict.INCOMPLETE_STOCK: "it cannot ship everything, and the order may not be split",
    Verdict.COUNTRY_NOT_SERVED: "it does not ship to the destination country",
    Verdict.COUNTRY_FORBIDDEN: "a rule forbids serving the destination country from its country",
    Verdict.POSTCODE_NOT_SERVED: "it does not ship to the destination's postcode zone",
    Verdict.POSTCODE_FORBIDDEN: "a rule forbids serving the destination's postcode zone from its country",
    Verdict.TOO_LATE: "handling, cut-off and transit end after the promised date",
    Verdict.NEVER_SHIPS: "it has no working day on which it could ship",
    Verdict.UNKNOWN_TIMEZONE: "its time zone is unknown",
    Verdict.NO_ACCOUNT: "it has no carrier account",
    Verdict.ZONE_NOT_CARRIED: "none of its carrier accounts reaches the destination",
    Verdict.SERVICE_NOT_CARRIED: "no carrier account there carries the service level",
    Verdict.ACCOUNT_WITHOUT_SLOTS: "the carrier account takes no more parcels today",
    Verdict.ACCOUNT_RETIRED: "the carrier account is retired",
    Verdict.ACCOUNT_OF_ANOTHER: "the carrier account belongs to another merchant",
    Verdict.ACCOUNT_BUSINESS_ONLY: "the carrier account carries business parcels only",
    Verdict.ACCOUNT_CURRENCY_UNKNOWN: "no rule gives an exchange rate for the carrier account's currency",
    Verdict.OTHER_CARRIER_ASKED_FOR: "the customer asked for a carrier that it has no usable account with",
    Verdict.PARCEL_TOO_LARGE: "no usable carrier account there takes a parcel so heavy or long",
    Verdict.SERVICE_TYPE_MISSING: "it does not offer the service type",
    Verdict.CAPABILITY_MISSING: "it lacks a capability the goods or the customer need",
    Verdict.UNKNOWN_VARIANT: "the reference data does not know a variant of the order",
    Verdict.NOT_ENTITLED: "the supplier of a variant does not allow the merchant to order it",
    Verdict.NOT_ACTIVATED: "the merchant has not imported a release of the supplier's catalogue that has a variant",
    Verdict.CAPACITY_FULL: "no slot is open today",
    Verdict.OVER_COST_CEILING: "it would cost more than the order allows",
    Verdict.CURRENCY_UNKNOWN: "no rule gives an exchange rate for one of the currencies",
    Verdict.TOO_FAR: "it is beyond the maximum distance",
    Verdict.STALE: "its stock was last confirmed too long ago",
    Verdict.GAPPED: "its stock reports have a gap; a count is awaited",
    Verdict.FRESHNESS_UNKNOWN: "neither its feeds nor its partner say how old its stock may be",
    Verdict.NOT_NEEDED: "a plan stands",
    Verdict.NEXT_TIER: "further locations are left to ask",
    Verdict.SPLIT_WIDER: "a plan stands only with more shipments than usual",
    Verdict.BACKORDER: "wait for stock",
    Verdict.PARK: "wait for a change that could help",
    Verdict.CHOSEN: "part of the winning plan",
    Verdict.LOWER_SCORE: "not part of the best plan",
    Verdict.ROUTED: "routed",
    Verdict.NO_LOCATION: "no location passed the shortlist",
    Verdict.STOCK_SHORT: "all candidates together have too few units",
    Verdict.TOO_MANY_SHIPMENTS: "the units could be had only with more shipments than allowed",
    Verdict.NOTHING_WANTED: "no unit is left to place",
    Verdict.NOT_REACHED: "an earlier step had excluded it",
}
