"""Owns which currency codes exist: legal tender by CLDR, and the stablecoins that invoices name.

Must never guess a currency from a symbol that several share.
"""

from functools import cache

STABLECOINS = frozenset(
    {
        "USDC", "USDT", "MNEE", "EURC", "DAI", "PYUSD", "USDS", "USDP", "GUSD", "TUSD", "FDUSD",
        "RLUSD", "USDE", "EURT", "EURS", "EURCV", "EURI", "GBPT", "XSGD", "USDG", "AUSD",
    }
)  # fmt: skip
"""Symbols as printed on invoices. Whether one may be paid with is the policy's question."""

SYMBOLS = {
    "€": "EUR", "£": "GBP", "US$": "USD", "USD$": "USD", "₹": "INR", "zł": "PLN", "Kč": "CZK",
    "RM": "MYR", "Ft": "HUF", "₩": "KRW", "₺": "TRY", "₴": "UAH", "R$": "BRL", "C$": "CAD",
    "A$": "AUD", "HK$": "HKD", "S$": "SGD", "NZ$": "NZD",
}  # fmt: skip
"""Symbols of one currency only. `$`, `¥`, `kr` and `Rs` are shared and stay unread."""

SHARED_SYMBOLS = frozenset({"$", "¥", "kr", "Rs", "Rs."})


@cache
def legal_tender() -> dict[str, int]:
    """ISO 4217 codes in use somewhere today, with their fraction digits (CLDR)."""
    # Imported here: most processes never read a document.
    from babel.core import get_global

    fractions = get_global("currency_fractions")
    default = fractions["DEFAULT"][0]
    codes = {
        code
        for entries in get_global("territory_currencies").values()
        for code, _since, until, tender in entries
        if until is None and tender
    }
    return {code: fractions.get(code, (default,))[0] for code in codes}


def is_known(code: str) -> bool:
    """Whether `code` is a currency in use or a known stablecoin, spelt in capitals."""
    return code in STABLECOINS or code in legal_tender()


def fraction_digits(code: str) -> int | None:
    """Digits after the point that `code` has; None where only the chain can say."""
    return legal_tender().get(code)


def from_printed(text: str) -> str | None:
    """The code that a printed symbol or code means, None when unknown or shared."""
    if text in SYMBOLS:
        return SYMBOLS[text]
    code = text.upper()
    return code if is_known(code) else None
