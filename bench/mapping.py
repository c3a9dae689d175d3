"""`python -m bench.mapping`: what a SKU costs: an exact alias, an unknown one ranked among 100,000 variants, a catalogue made.

In: nothing; a seed. Out: p50 and p99 in µs, printed and as JSON. The exact case is the mapping stage's own handler on rows
in memory; the ranked one draws SKUs that are slightly wrong names of variants, as people write them.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from random import Random
from statistics import quantiles
from typing import Final

from processors.mapping.catalogue import Catalogue
from processors.mapping.rows import Alias, Source
from processors.mapping.stage import asked
from processors.network import Network
from schemas.records.mapping import MappingAsked
from schemas.records.network import VariantDefined

VARIANTS: Final = 100_000
EXACT: Final = 50_000
RANKED: Final = 3_000
MAKERS: Final = ("DRL", "SAW", "HMR", "BIT", "LMP", "PMP", "VLV", "SNS", "CBL", "FAN")
COLOURS: Final = ("black", "blue", "red", "white", "green", "grey")
GOODS: Final = ("Drill", "Circular saw", "Hammer", "Bit set", "Lamp", "Pump", "Valve", "Sensor", "Cable", "Fan heater")


class Desk:
    """As much of a context as the exact case needs: rows in a dict."""

    def __init__(self, rows: dict[str, Alias]) -> None:
        self.rows = rows
        self.told = 0
        self.network = Network()

    def get(self, _table: object, key: str) -> Alias:
        """A row."""
        return self.rows[key]

    def emit(self, *_: object) -> None:
        """An answer."""
        self.told += 1


def variants(random: Random, count: int) -> list[VariantDefined]:
    """A catalogue of tools: a title with words that recur, and a manufacturer's number."""
    made = []
    for number in range(count):
        kind = random.randrange(len(GOODS))
        colour = random.choice(COLOURS)
        title = f"{GOODS[kind]} {random.choice((12, 18, 24, 36))}V {colour} type {number:06d}"
        name = f"{MAKERS[kind]}-{number:06d}-{colour[:3].upper()}"
        made.append(VariantDefined(f"acme|var_{number:06d}", title, None, None, 0, "EUR", 1, (), False, (name,)))
    return made


def misspelt(random: Random, name: str) -> str:
    """One character lost, doubled or turned, and perhaps no dashes."""
    place = random.randrange(len(name))
    name = random.choice((name[:place] + name[place + 1 :], name[:place] + name[place] + name[place:], name.lower()))
    return random.choice((name, name.replace("-", "")))


def timed(work: Callable[[int], object], count: int) -> tuple[float, float]:
    """(p50, p99) of one call, in µs."""
    spent: list[float] = []
    for number in range(count):
        started = time.perf_counter_ns()
        work(number)
        spent.append((time.perf_counter_ns() - started) / 1_000)
    return _percentiles(spent)


def _percentiles(spent: Sequence[float]) -> tuple[float, float]:
    cuts = quantiles(spent, n=100)
    return round(cuts[49], 1), round(cuts[98], 1)


def measure(seed: int) -> dict[str, float]:
    """All of it."""
    random = Random(seed)
    goods = variants(random, VARIANTS)
    started = time.perf_counter()
    catalogue = Catalogue(goods)
    made_s = time.perf_counter() - started
    skus = [misspelt(random, random.choice(goods).names[0]) for _ in range(RANKED)]
    found = [0]

    def rank(number: int) -> None:
        found[0] += bool(catalogue.ranked(skus[number]))

    ranked = timed(rank, RANKED)
    aliases = [f"acme|merchant:nord|{one.names[0]}" for one in goods]
    known = Alias("acme|var", 1, 1, Source.DEFINED, 1_000_000, "ann", locked=True)
    desk = Desk(dict.fromkeys(aliases, known))
    asks = [MappingAsked(random.choice(aliases), "order", f"acme|web|{number}", "acme|nord") for number in range(EXACT)]
    exact = timed(lambda number: asked(asks[number], desk), EXACT)  # type: ignore[arg-type]
    return {
        "exact_p50_us": exact[0],
        "exact_p99_us": exact[1],
        "ranked_p50_us": ranked[0],
        "ranked_p99_us": ranked[1],
        "ranked_found_share": round(found[0] / RANKED, 3),
        "catalogue_of_100k_s": round(made_s, 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.mapping", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    print(json.dumps(measure(parser.parse_args().seed), indent=2))


if __name__ == "__main__":
    main()
