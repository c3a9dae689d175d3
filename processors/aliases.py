"""Aliases: what they are called, who may define it, and which numbers are GTINs.

In: a tenant, a namespace and a SKU as their sender writes them. Out: the alias_id (tenant | namespace | sku), the owner
of the namespace, a GTIN in its canonical 14 digits. Nothing is guessed: what has no canonical form keeps its own.
"""

from typing import Final

GTIN: Final = "gtin"
OWNED: Final = ("merchant", "partner", "supplier")
"""Kinds of namespaces that belong to one party of the network."""
CHANNEL: Final = "channel"

GTIN_LENGTHS: Final = (8, 12, 13, 14)
SKU_LENGTH_MAX: Final = 200
"""An alias is a key: it must stay short."""


def alias_id_of(tenant: str, namespace: str, sku: str) -> str:
    """The alias's id; a GTIN is written with 14 digits."""
    sku = sku.strip()
    return f"{tenant}|{namespace}|{(canonical_gtin(sku) or sku) if namespace == GTIN else sku}"


def parts_of(alias_id: str) -> tuple[str, str, str]:
    """(tenant, namespace, sku); a SKU may hold any character, so only the first two bars separate."""
    tenant, _, rest = alias_id.partition("|")
    namespace, _, sku = rest.partition("|")
    return tenant, namespace, sku


def problem_of(namespace: str, sku: str) -> str | None:
    """What is wrong with the name of an alias; None when nothing is."""
    kind, separator, name = namespace.partition(":")
    if "|" in namespace or not (namespace == GTIN or (kind in (*OWNED, CHANNEL) and separator and name)):
        return f"namespace {namespace!r} is none of merchant:ID, partner:ID, supplier:ID, channel:NAME and gtin"
    if not sku.strip():
        return "sku is empty: name it"
    if len(sku) > SKU_LENGTH_MAX:
        return f"sku has {len(sku)} characters: at most {SKU_LENGTH_MAX} are an article number"
    if namespace == GTIN and canonical_gtin(sku.strip()) is None:
        return f"{sku!r} is no GTIN: 8, 12, 13 or 14 digits of which the last is the check digit"
    return None


def owner_of(alias_id: str) -> str | None:
    """The party whose own numbers these are; None for a channel's and for GTINs, which are the tenant's to define."""
    tenant, namespace, _ = parts_of(alias_id)
    kind, _, name = namespace.partition(":")
    return f"{tenant}|{name}" if kind in OWNED else None


def canonical_gtin(digits: str) -> str | None:
    """A GTIN-8, -12, -13 or -14 as 14 digits; None for anything else, a wrong check digit included.

    Source: GS1 General Specifications, section 7.9: weights 3 and 1 from the right, check digit last.
    """
    if len(digits) not in GTIN_LENGTHS or not (digits.isascii() and digits.isdigit()):
        return None
    padded = digits.zfill(14)
    total = sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(padded))
    return padded if total % 10 == 0 else None
