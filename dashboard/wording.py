"""Owns how values look to people: amounts, instants, addresses, states. Must never round money.

Where a figure is shortened for reading, the page carries the exact one beside it.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from treasurer.documents.unicode import visible
from treasurer.kernel.clock import iso
from treasurer.kernel.money import Asset, format_minor

_BRIEF_DIGITS = 4
_GOOD = ("settled", "paid", "verified", "active", "accepted")
_WAIT = ("awaiting_approval", "needs_review", "pending", "open", "review", "draft")
_STOP = (
    *("denied", "expired", "needs_attention", "duplicate", "rejected", "refused"),
    *("quarantined", "suspended", "reject"),
)
_BUSY = (
    *("proposed", "approved", "executing", "received", "reading", "reserved", "slotted"),
    *("signed", "broadcast", "included", "cancelling"),
)
_TONES: Mapping[str, str] = {
    **dict.fromkeys(_GOOD, "good"),
    **dict.fromkeys(_WAIT, "wait"),
    **dict.fromkeys(_STOP, "stop"),
    **dict.fromkeys(_BUSY, "busy"),
}


def number(amount_minor: int, asset: Asset) -> str:
    """Grouped thousands and at least two fraction digits, without the symbol."""
    return format_minor(amount_minor, asset).removesuffix(f" {asset.symbol}")


def brief(amount_minor: int, asset: Asset) -> str:
    """As `number`, cut after four fraction digits, or two that are not 0, with an ellipsis: for gas."""
    whole, point, fraction = number(amount_minor, asset).partition(".")
    leading_zeros = len(fraction) - len(fraction.lstrip("0"))
    kept = _BRIEF_DIGITS if whole.strip("-0") else max(_BRIEF_DIGITS, leading_zeros + 2)
    if len(fraction) <= kept:
        return f"{whole}{point}{fraction}"
    return f"{whole}.{fraction[:kept]}…"


def moment(instant: datetime) -> str:
    """`22 Nov 2026, 10:00 UTC`."""
    return f"{day(instant)}, {instant:%H:%M} UTC"


def day(value: date) -> str:
    """`22 Nov 2026`."""
    return f"{value.day} {value:%b %Y}"


def distance(instant: datetime, now: datetime) -> str:
    """`in 2 d 4 h`, `3 min ago`: the two largest units that are not zero."""
    seconds = int((instant - now).total_seconds())
    left = abs(seconds)
    parts = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    if not parts:
        return "just now" if seconds <= 0 else "in less than a minute"
    span = " ".join(parts[:2])
    return f"in {span}" if seconds > 0 else f"{span} ago"


def groups(address: str) -> list[str]:
    """`0x` and the digits in fours, so that people compare all of them and not the ends alone."""
    return [address[:2], *(address[start : start + 4] for start in range(2, len(address), 4))]


def shortened(value: bytes) -> str:
    """Both ends of a hash, for lists; the whole stands on the page it leads to."""
    text = value.hex()
    return f"0x{text[:8]}…{text[-6:]}"


def hexed(value: bytes) -> str:
    """`0x` and all digits."""
    return f"0x{value.hex()}"


def words(name: str) -> str:
    """`awaiting_approval` as `awaiting approval`."""
    return name.replace("_", " ")


def tone(state: str) -> str:
    """How a state is coloured; the word itself always stands beside the colour."""
    return _TONES.get(state, "plain")


def sentence(text: str) -> str:
    """With a capital and a full stop, whatever the error's or finding's own style."""
    stripped = text.strip()
    if not stripped:
        return ""
    ended = stripped if stripped[-1] in ".!?" else f"{stripped}."
    return ended[0].upper() + ended[1:]


def figure(name: str, value: int | str, token: Asset, reporting: Asset) -> str:
    """A finding's number, as the policy names it: what ends in `_minor` is an amount."""
    if isinstance(value, int) and name.endswith("_token_minor"):
        return format_minor(value, token)
    if isinstance(value, int) and name.endswith("_minor"):
        return format_minor(value, reporting)
    return str(value)


def figure_name(name: str) -> str:
    """`cash_after_minor` as `cash after`."""
    return words(name.removesuffix("_minor").removesuffix("_token"))


def plain(value: object) -> str:
    """A field of a document as text, without characters that hide or turn what follows."""
    match value:
        case None:
            return "—"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(
                f"{words(str(k))}: {plain(v)}" for k, v in value.items() if v is not None
            )
        case list():
            return "; ".join(plain(item) for item in value)
        case _:
            return visible(str(value))


FILTERS: Mapping[str, Callable[..., Any]] = {
    "money": format_minor,
    "number": number,
    "brief": brief,
    "moment": moment,
    "day": day,
    "iso": iso,
    "distance": distance,
    "groups": groups,
    "shortened": shortened,
    "hexed": hexed,
    "words": words,
    "tone": tone,
    "sentence": sentence,
    "figure": figure,
    "figure_name": figure_name,
    "plain": plain,
    "visible": visible,
}
