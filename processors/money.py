"""Money: integer minor units and ISO 4217 codes, never a fraction of a cent, never a float.

In: amounts in minor units (cents, or yen, or fils) and a currency code. Out: shares that sum to what was shared,
percentages rounded once, and amounts in words. Refused by `currency_problem`, as words to put into a refusal: what
is not three capital letters, and what is no currency in circulation. FSN converts no currency in its books: one
order's books are kept in the order's own, and whatever comes in another is shown, not added.
"""

from collections.abc import Sequence
from typing import Final

BASIS_POINTS: Final = 10_000

_NO_DIGITS: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_TWO_DIGITS: Final = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP
    CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR
    JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN
    NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP
    SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW
"""
_THREE_DIGITS: Final = "BHD IQD JOD KWD LYD OMR TND"

MINOR_DIGITS: Final[dict[str, int]] = {
    code: digits for digits, codes in ((0, _NO_DIGITS), (2, _TWO_DIGITS), (3, _THREE_DIGITS)) for code in codes.split()
}
"""ISO 4217 codes in circulation → how many digits their minor unit has."""


def currency_problem(code: str) -> str | None:
    """What is wrong with a currency code and how to mend it; None when it is a currency."""
    if code in MINOR_DIGITS:
        return None
    if len(code) != 3 or not (code.isascii() and code.isalpha() and code.isupper()):
        return f"currency {code!r} is not a code: send three capital letters of ISO 4217, such as EUR"
    return f"currency {code!r} is not in circulation by ISO 4217: send the code the amount was booked in"


def split(amount_minor: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Shares of an amount in proportion to weights, by largest remainder: they always sum to the amount.

    Equal remainders favour the earlier share. Weights are 0 or more; when all are 0 the shares are equal.
    """
    if not weights or min(weights) < 0:
        raise ValueError(f"cannot split {amount_minor} by weights {tuple(weights)}: name one or more, none below 0")
    total = sum(weights)
    if total == 0:
        return split(amount_minor, [1] * len(weights))
    sign, size = (-1, -amount_minor) if amount_minor < 0 else (1, amount_minor)
    shares = [size * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: (-(size * weights[place] % total), place))
    for place in by_remainder[: size - sum(shares)]:
        shares[place] += 1
    return tuple(sign * share for share in shares)


def percentage(amount_minor: int, basis_points: int) -> int:
    """A share of an amount in hundredths of a percent, half a minor unit rounded away from zero."""
    size = (2 * abs(amount_minor) * basis_points + BASIS_POINTS) // (2 * BASIS_POINTS)
    return -size if amount_minor < 0 else size


def show(amount_minor: int, currency: str) -> str:
    """An amount as people write it: `86.50 EUR`."""
    digits = MINOR_DIGITS.get(currency, 0)
    whole, rest = divmod(abs(amount_minor), 10**digits)
    sign = "-" if amount_minor < 0 else ""
    return f"{sign}{whole}.{rest:0{digits}d} {currency}" if digits else f"{sign}{whole} {currency}"
