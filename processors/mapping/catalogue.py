"""Catalogue: which variants could an unknown SKU mean, and how surely?

In: the variants of one tenant, and a SKU. Out: the variant whose own GTIN it is, or the likeliest variants with a
confidence in millionths. A variant is known by its title and by other names (manufacturer's number, article numbers).
Confidence = 1 − (characters to insert or delete) / (characters of both), over letters and digits alone; where the
numbers in both differ ("12 V", "18 V") it stays below what a suggestion needs, for that is another product.

Names are found by the trigrams they share, the rarest first, up to a bound that keeps 100,000 variants within
milliseconds; of very common words some names may be left out. Integers only, ties by variant_id: a replay ranks alike.
"""

import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from rapidfuzz.distance import Indel

from processors.aliases import canonical_gtin
from processors.network import Network
from processors.rules import MILLION
from processors.tenants import tenant_of
from schemas.records.network import VariantDefined

SUGGESTED_FROM_E6: Final = 900_000
AHEAD_BY_E6: Final = 100_000
OTHER_NUMBERS_E6: Final = 890_000
"""The most that a name with other numbers can reach."""
WORTH_SHOWING_E6: Final = 350_000
SHOWN_MAX: Final = 5

POSTINGS_MAX: Final = 6_000
COMPARED_MAX: Final = 64

_RUNS = re.compile(r"[a-z]+|[0-9]+")


class Candidate(msgspec.Struct, frozen=True, array_like=True):
    """A variant that a SKU could mean."""

    variant_id: str
    confidence_e6: int


class Name(msgspec.Struct, frozen=True):
    """A name of a variant, ready to be compared."""

    variant_id: str
    letters: str
    """Its letters and digits, in lower case."""
    numbers: tuple[str, ...]


class Catalogue:
    """A tenant's variants, by what they are called."""

    __slots__ = ("_gtins", "_names", "_postings")

    def __init__(self, variants: Iterable[VariantDefined]) -> None:
        self._gtins: dict[str, str] = {}
        self._names: list[Name] = []
        self._postings: dict[str, array[int]] = {}
        for variant in sorted(variants, key=lambda variant: variant.variant_id):
            if not variant.retired:
                self._add(variant)

    def by_gtin(self, sku: str) -> str | None:
        """The variant whose trade item number this is; of two that claim it, neither."""
        gtin = canonical_gtin(sku)
        return None if gtin is None else self._gtins.get(gtin) or None

    def ranked(self, sku: str) -> tuple[Candidate, ...]:
        """The likeliest variants, the best first."""
        letters, numbers = compared(sku)
        best: dict[str, int] = {}
        for place in self._similar(letters):
            name = self._names[place]
            confidence_e6 = similarity_e6(letters, name.letters)
            if numbers != name.numbers:
                confidence_e6 = min(confidence_e6, OTHER_NUMBERS_E6)
            if confidence_e6 > best.get(name.variant_id, WORTH_SHOWING_E6 - 1):
                best[name.variant_id] = confidence_e6
        ranked = sorted(best.items(), key=lambda entry: (-entry[1], entry[0]))
        return tuple(Candidate(*entry) for entry in ranked[:SHOWN_MAX])

    def _add(self, variant: VariantDefined) -> None:
        gtin = None if variant.gtin is None else canonical_gtin(variant.gtin)
        if gtin is not None:
            self._gtins[gtin] = "" if gtin in self._gtins else variant.variant_id
        for text in dict.fromkeys((variant.title, *variant.names)):
            letters, numbers = compared(text)
            if letters:
                place = len(self._names)
                self._names.append(Name(variant.variant_id, letters, numbers))
                for gram in grams(letters):
                    self._postings.setdefault(gram, array("I")).append(place)

    def _similar(self, letters: str) -> list[int]:
        """Places of the names that share the most of the rarest trigrams."""
        postings = sorted((self._postings[gram] for gram in grams(letters) if gram in self._postings), key=len)
        shared: Counter[int] = Counter()
        left = POSTINGS_MAX
        for places in postings:
            shared.update(places[:left])
            left -= len(places)
            if left <= 0:
                break
        return [place for place, _ in shared.most_common(COMPARED_MAX)]


def catalogue_of(network: Network, tenant: str) -> Catalogue:
    """The tenant's catalogue, made once for as long as no variant changes."""
    kept: dict[str, Catalogue] = network.variants_cache.setdefault("catalogues", {})
    found = kept.get(tenant)
    if found is None:
        found = kept[tenant] = Catalogue(v for v in network.variants.values() if tenant_of(v.variant_id) == tenant)
    return found


def is_suggestion(candidates: Sequence[Candidate]) -> bool:
    """Whether the first is likely enough, and far enough ahead, to be suggested."""
    if not candidates or candidates[0].confidence_e6 < SUGGESTED_FROM_E6:
        return False
    return len(candidates) == 1 or candidates[0].confidence_e6 - candidates[1].confidence_e6 >= AHEAD_BY_E6


def compared(text: str) -> tuple[str, tuple[str, ...]]:
    """(letters and digits in lower case without accents, the numbers in order)."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    runs: list[str] = _RUNS.findall(plain)
    return "".join(runs), tuple(run for run in runs if run[0].isdigit())


def similarity_e6(one: str, other: str) -> int:
    """How alike two texts are, 0 … 1,000,000."""
    both = len(one) + len(other)
    return MILLION * (both - Indel.distance(one, other)) // both


def grams(letters: str) -> list[str]:
    """The trigrams of a text, its beginning marked; each once, in order."""
    marked = f"^{letters}"
    return list(dict.fromkeys(marked[place : place + 3] for place in range(max(len(marked) - 2, 1))))
