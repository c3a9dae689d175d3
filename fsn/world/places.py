"""Places: where the simulated network stands and where its customers live, at the cities' real coordinates.

In: nothing. Out: cities with country, postcode, position, time zone and a weight by which customers are drawn. A
location stands in each city that says so; customers live in all of them. Coordinates are integers of 1e-6 degrees.
"""

from typing import Final

import msgspec

COUNTRY_ZONES: Final = {
    "DE": "Europe/Berlin",
    "AT": "Europe/Vienna",
    "CH": "Europe/Zurich",
    "NL": "Europe/Amsterdam",
    "BE": "Europe/Brussels",
    "FR": "Europe/Paris",
    "PL": "Europe/Warsaw",
}

COUNTRY_CURRENCIES: Final = {"CH": "CHF", "PL": "PLN"}
"""EUR elsewhere."""


class City(msgspec.Struct, frozen=True):
    """A city: its position in millionths of a degree, and how many of a thousand customers live there."""

    name: str
    country: str
    postcode: str
    latitude_e6: int
    longitude_e6: int
    weight: int
    locations: int

    @property
    def timezone(self) -> str:
        """The IANA zone of its clocks."""
        return COUNTRY_ZONES[self.country]

    @property
    def currency(self) -> str:
        """What costs are told in there."""
        return COUNTRY_CURRENCIES.get(self.country, "EUR")

    @property
    def slug(self) -> str:
        """The name as ids carry it."""
        return self.name.lower().replace(" ", "_").replace("-", "_").translate(str.maketrans("äöüéèź", "aoueez"))


def _city(line: str) -> City:
    name, country, postcode, latitude, longitude, weight, locations = (word.strip() for word in line.split("|"))
    return City(
        name=name,
        country=country,
        postcode=postcode,
        latitude_e6=round(float(latitude) * 1_000_000),
        longitude_e6=round(float(longitude) * 1_000_000),
        weight=int(weight),
        locations=int(locations),
    )


_TABLE: Final = """
    Berlin        | DE | 10115 | 52.5200 | 13.4050 | 74 | 2
    Hamburg       | DE | 20095 | 53.5511 |  9.9937 | 46 | 1
    München       | DE | 80331 | 48.1351 | 11.5820 | 42 | 1
    Köln          | DE | 50667 | 50.9375 |  6.9603 | 33 | 1
    Frankfurt     | DE | 60311 | 50.1109 |  8.6821 | 30 | 1
    Stuttgart     | DE | 70173 | 48.7758 |  9.1829 | 25 | 1
    Düsseldorf    | DE | 40213 | 51.2277 |  6.7735 | 25 | 1
    Leipzig       | DE | 04109 | 51.3397 | 12.3731 | 22 | 1
    Dortmund      | DE | 44135 | 51.5136 |  7.4653 | 22 | 1
    Bremen        | DE | 28195 | 53.0793 |  8.8017 | 18 | 1
    Hannover      | DE | 30159 | 52.3759 |  9.7320 | 18 | 1
    Nürnberg      | DE | 90402 | 49.4521 | 11.0767 | 17 | 1
    Dresden       | DE | 01067 | 51.0504 | 13.7373 | 17 | 1
    Kassel        | DE | 34117 | 51.3127 |  9.4797 | 10 | 1
    Erfurt        | DE | 99084 | 50.9848 | 11.0299 | 10 | 1
    Karlsruhe     | DE | 76131 | 49.0069 |  8.4037 | 12 | 1
    Münster       | DE | 48143 | 51.9607 |  7.6261 | 12 | 1
    Rostock       | DE | 18055 | 54.0924 | 12.0991 | 10 | 0
    Kiel          | DE | 24103 | 54.3233 | 10.1228 | 10 | 0
    Magdeburg     | DE | 39104 | 52.1205 | 11.6276 |  9 | 0
    Freiburg      | DE | 79098 | 47.9990 |  7.8421 | 10 | 0
    Augsburg      | DE | 86150 | 48.3705 | 10.8978 | 11 | 0
    Saarbrücken   | DE | 66111 | 49.2402 |  6.9969 |  8 | 0
    Regensburg    | DE | 93047 | 49.0134 | 12.1016 |  8 | 0
    Wien          | AT | 1010  | 48.2082 | 16.3738 | 42 | 2
    Graz          | AT | 8010  | 47.0707 | 15.4395 | 14 | 1
    Linz          | AT | 4020  | 48.3069 | 14.2858 | 12 | 1
    Salzburg      | AT | 5020  | 47.8095 | 13.0550 |  9 | 0
    Innsbruck     | AT | 6020  | 47.2692 | 11.4041 |  9 | 0
    Zürich        | CH | 8001  | 47.3769 |  8.5417 | 28 | 1
    Bern          | CH | 3011  | 46.9480 |  7.4474 | 13 | 1
    Basel         | CH | 4051  | 47.5596 |  7.5886 | 13 | 1
    Genf          | CH | 1201  | 46.2044 |  6.1432 | 12 | 0
    Amsterdam     | NL | 1012  | 52.3676 |  4.9041 | 32 | 1
    Rotterdam     | NL | 3011  | 51.9244 |  4.4777 | 24 | 1
    Utrecht       | NL | 3511  | 52.0907 |  5.1214 | 15 | 1
    Eindhoven     | NL | 5611  | 51.4416 |  5.4697 | 14 | 1
    Venlo         | NL | 5911  | 51.3704 |  6.1724 |  6 | 1
    Groningen     | NL | 9711  | 53.2194 |  6.5665 | 11 | 0
    Brüssel       | BE | 1000  | 50.8503 |  4.3517 | 24 | 1
    Antwerpen     | BE | 2000  | 51.2194 |  4.4025 | 18 | 1
    Lüttich       | BE | 4000  | 50.6326 |  5.5797 | 11 | 1
    Gent          | BE | 9000  | 51.0543 |  3.7174 | 12 | 0
    Paris         | FR | 75001 | 48.8566 |  2.3522 | 40 | 1
    Lyon          | FR | 69001 | 45.7640 |  4.8357 | 16 | 1
    Lille         | FR | 59000 | 50.6292 |  3.0573 | 12 | 1
    Strasbourg    | FR | 67000 | 48.5734 |  7.7521 | 11 | 1
    Nantes        | FR | 44000 | 47.2184 | -1.5536 |  8 | 0
    Warszawa      | PL | 00-001 | 52.2297 | 21.0122 | 22 | 1
    Wroclaw       | PL | 50-062 | 51.1079 | 17.0385 | 13 | 1
    Poznan        | PL | 61-001 | 52.4064 | 16.9252 | 11 | 1
    Krakow        | PL | 30-001 | 50.0647 | 19.9450 | 12 | 0
"""

CITIES: Final[tuple[City, ...]] = tuple(_city(line) for line in _TABLE.strip().splitlines())
