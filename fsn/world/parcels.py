"""Parcels: what becomes of them on their way, and what their carriers say about it.

In: a parcel that left a location. Out: CarrierMessages in the carrier's own format, signed by the carrier: label,
transit, delivery; some late, some out of order, some twice, some with the newest scan only. Few parcels are tried
twice, go back to their sender, or are never heard of again: the truth knows each one's last status.
"""

from random import Random
from typing import Final

import msgspec

from fsn.world.agenda import Agenda, Post
from fsn.world.network import HOUR_MS, MINUTE_MS, TENANT
from fsn.world.orders import Order
from fsn.world.payloads import FORMATS, Stop, payload, says
from fsn.world.places import CITIES, City
from fsn.world.truth import Truth
from schemas.records.network import LocationDefined
from schemas.records.shipments import CarrierMessage

RETURNED_SHARE: Final = 0.008
SILENT_SHARE: Final = 0.006
ATTEMPTED_SHARE: Final = 0.04
LATE_SHARE: Final = 0.06
REPEATED_SHARE: Final = 0.01
NEWEST_ONLY_SHARE: Final = 0.3
UNTOLD_SHARE: Final = 0.4
"""Scans that come with the next one: a connector asks for a parcel now and then, and gets its whole history."""
SILENCE_MS: Final = 22 * HOUR_MS
"""After a carrier's last word, until FSN must have alerted: the rule of `rules/*.yaml`."""


class Parcel(msgspec.Struct, frozen=True):
    """A parcel under way."""

    carrier: str
    number: str
    stops: tuple[Stop, ...]


class Parcels:
    """Everything that travels."""

    def __init__(self, agenda: Agenda, post: Post, truth: Truth, *, silent_until: int) -> None:
        self._agenda = agenda
        self._post = post
        self._truth = truth
        self._silent_until = silent_until
        """Parcels that leave later are never lost: their silence would outlast the simulation."""

    def send_off(self, order: Order, location: LocationDefined, carrier: str, number: str, random: Random) -> int:
        """Put a parcel on its way; when its last word is due."""
        stops = self._way(order, location, carrier, random)
        parcel = Parcel(carrier, number, stops)
        self._truth.parcels[f"{TENANT}|{carrier}|{number}"] = stops[-1].status
        newest_only = carrier != "dhl_parcel_de" and random.random() < NEWEST_ONLY_SHARE
        last_at = 0
        for count, stop in enumerate(stops, 1):
            if not newest_only and count < len(stops) and random.random() < UNTOLD_SHARE:
                continue
            told_at = stop.at + random.randrange(MINUTE_MS, 6 * MINUTE_MS)
            if random.random() < LATE_SHARE:
                told_at += random.randrange(HOUR_MS, 4 * HOUR_MS)
            self._agenda.plan(told_at, self._tell, parcel, count - 1 if newest_only else 0, count)
            if random.random() < REPEATED_SHARE:
                self._agenda.plan(told_at + MINUTE_MS, self._tell, parcel, 0, count)
            last_at = max(last_at, told_at + MINUTE_MS)
        if stops[-1].status == "in_transit":
            self._agenda.plan(last_at + SILENCE_MS, self._note_silence, f"{TENANT}|{carrier}|{number}")
        return last_at

    def _way(self, order: Order, location: LocationDefined, carrier: str, random: Random) -> tuple[Stop, ...]:
        origin = next(city for city in CITIES if city.postcode == location.postcode)
        goal = min(CITIES, key=lambda city: _apart(city, order))
        hub = random.choice([city for city in CITIES if city.country == goal.country])
        fate = random.random()
        lost = fate < SILENT_SHARE and self._agenda.now < self._silent_until
        plan: list[tuple[str, City, float]] = [("label_created", origin, 0), ("picked_up", origin, 1.5)]
        plan += [("in_transit", origin, 3), ("in_transit", hub, 7)]
        if not lost and fate < SILENT_SHARE + RETURNED_SHARE and says(carrier, "return_to_sender"):
            plan += [("delivery_attempted", goal, 10), ("return_to_sender", goal, 14)]
        elif not lost:
            plan.append(("out_for_delivery", goal, 9))
            if fate > 1 - ATTEMPTED_SHARE and says(carrier, "delivery_attempted"):
                plan.append(("delivery_attempted", goal, 11))
            plan.append(("delivered", goal, 13))
        pace = random.uniform(0.8, 1.3)
        start_at = self._agenda.now - self._agenda.now % MINUTE_MS  # DHL tells minutes
        return tuple(
            Stop(start_at + round(hours * pace * 60) * MINUTE_MS, status, city.name, city.country, city.timezone)
            for status, city, hours in plan
            if says(carrier, status)
        )

    def _note_silence(self, number: str) -> None:
        """By now somebody must have noticed."""
        self._truth.silent_parcels.append(number)

    def _tell(self, parcel: Parcel, first: int, count: int) -> None:
        number = f"{TENANT}|{parcel.carrier}|{parcel.number}"
        record = CarrierMessage(
            tracking_number=number,
            carrier=parcel.carrier,
            format=FORMATS[parcel.carrier],
            payload=payload(parcel.carrier, parcel.number, parcel.stops[first:count]),
            raw_ref=None,
            received_at=self._agenda.now,
        )
        self._post.send("tracking", number, record, f"{TENANT}|{parcel.carrier}")


def tracking_number(carrier: str, random: Random) -> str:
    """A number as the carrier prints it."""
    match carrier:
        case "dhl_parcel_de":
            return f"0034043{random.randrange(10**13):013d}"
        case "ups":
            return f"1Z{random.randrange(16**6):06X}68{random.randrange(10**8):08d}"
        case _:
            return f"{random.randrange(10**10, 10**11)}{random.randrange(10)}"


def _apart(city: City, order: Order) -> int:
    placed = order.placed
    return abs(city.latitude_e6 - placed.latitude_e6) + abs(city.longitude_e6 - placed.longitude_e6)
