"""Owns the phrases of a policy file: amounts, spans of time, who is asked. Must never guess.

Every phrase has one canonical spelling, which is what the policy set's digest is made of.
"""

import re
from dataclasses import dataclass

from policy.decision import ApprovalRequirement, RoleQuorum
from policy.requirement import implies, way_in_words
from treasurer.kernel.money import Asset, from_minor, parse_decimal, to_minor
from treasurer.kernel.organization import ROLE_PERMISSIONS, Permission

WITHOUT_ASKING = "pay without asking"
ANY_AMOUNT = "any amount"
DENY = "deny"
WAIT = "wait"
MOST_WAYS = 4

_AMOUNT = re.compile(r"([0-9.]+) ([A-Z]{3,10})", re.ASCII)
_SPAN = re.compile(r"([0-9]{1,9}) (s|min|h|days?)", re.ASCII)
_GROUP = re.compile(r"([1-9][0-9]?) of ([a-z]+(?: or [a-z]+)*)", re.ASCII)
_PERCENT = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,4}))? %", re.ASCII)
_GAS = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))? gwei", re.ASCII)
_MINUTE = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])", re.ASCII)
_SECONDS = {"s": 1, "min": 60, "h": 3_600, "day": 86_400, "days": 86_400}
VOTERS = tuple(
    sorted(
        role.value
        for role, permissions in ROLE_PERMISSIONS.items()
        if Permission.APPROVALS_VOTE in permissions
    )
)
"""The roles that may be asked."""


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of the reporting currency, in its base units."""

    minor: int
    reporting: Asset

    def __str__(self) -> str:
        return f"{from_minor(self.minor, self.reporting):f} {self.reporting.symbol}"


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time in whole seconds."""

    seconds: int

    def __str__(self) -> str:
        return f"{self.seconds} s"


@dataclass(frozen=True, slots=True, order=True)
class Percent:
    """A share in millionths: `0.25 %` is 2,500 of them."""

    millionths: int

    def __str__(self) -> str:
        return f"{_places(self.millionths, 4)} %"


@dataclass(frozen=True, slots=True, order=True)
class GasPrice:
    """What one unit of gas costs, in wei; told in gwei, of which one is 10^9 wei."""

    wei: int

    def __str__(self) -> str:
        return f"{_places(self.wei, 9)} gwei"


@dataclass(frozen=True, slots=True)
class Ask:
    """Who is asked, and how long to wait if not as long as the set says.

    Any of `ways` will do (OR of ANDs). Each has its groups sorted by roles; none implies another.
    """

    ways: tuple[tuple[RoleQuorum, ...], ...]
    within: Span | None

    def __str__(self) -> str:
        ways = ", or ".join(map(way_in_words, self.ways))
        return ways if self.within is None else f"{ways} within {self.within}"

    def requirement(self, default_expiry_s: int | None) -> ApprovalRequirement:
        """Raises ValueError if neither the phrase nor the set says how long an approval waits."""
        expires_in_s = self.within.seconds if self.within is not None else default_expiry_s
        if expires_in_s is None:
            raise ValueError("say how long an approval waits: approvals: {expire_after: 72 h}")
        return ApprovalRequirement(self.ways[0], expires_in_s, self.ways[1:])


def parse_amount(text: str, reporting: Asset) -> Amount:
    """Read `1000.00 USD`. Raises ValueError or InvalidInput."""
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(
            f"write an amount with its currency and without grouping: 1000.00 {reporting.symbol}"
        )
    if match[2] != reporting.symbol:
        raise ValueError(f"limits are in the reporting currency {reporting.symbol}, not {match[2]}")
    minor = to_minor(parse_decimal(match[1]), reporting)
    if minor <= 0:
        raise ValueError("an amount must be greater than zero")
    return Amount(minor, reporting)


def parse_span(text: str) -> Span:
    """Read `90 s`, `15 min`, `24 h` or `30 days`. Raises ValueError."""
    match = _SPAN.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise ValueError("write a span of time as 90 s, 15 min, 24 h or 30 days")
    return Span(int(match[1]) * _SECONDS[match[2]])


def parse_percent(text: str) -> Percent:
    """Read `25 %` or `0.25 %`, up to 100 and to four places. Raises ValueError."""
    match = _PERCENT.fullmatch(text)
    millionths = int(match[1] + (match[2] or "").ljust(4, "0")) if match else 0
    if not 0 < millionths <= 1_000_000:
        raise ValueError("write a share as 25 % or 0.25 %, above 0 and at most 100 %")
    return Percent(millionths)


def parse_gas_price(text: str) -> GasPrice:
    """Read `80 gwei` or `0.5 gwei`. Raises ValueError."""
    match = _GAS.fullmatch(text)
    wei = int(match[1] + (match[2] or "").ljust(9, "0")) if match else 0
    if not wei:
        raise ValueError("write the price of gas as 80 gwei or 0.5 gwei, above 0")
    return GasPrice(wei)


def _places(number: int, places: int) -> str:
    """`number` divided by 10^places, without idle zeros."""
    whole, rest = divmod(number, 10**places)
    fraction = f"{rest:0{places}}".rstrip("0")
    return f"{whole}.{fraction}" if fraction else str(whole)


def parse_ask(text: str) -> Ask:
    """Read `1 of cfo, or 2 of approver and 1 of administrator within 48 h`. Raises ValueError.

    A comma before `or` parts ways of asking; `or` without it parts roles that will do for a seat.
    The same roles named twice in a way add up. Only roles that may vote can be asked.
    """
    phrase, within, span = text.partition(" within ")
    ways = sorted({_way(part) for part in phrase.split(", or ")}, key=way_in_words)
    if len(ways) > MOST_WAYS:
        raise ValueError(f"at most {MOST_WAYS} ways of asking; join roles by or without a comma")
    for way in ways:
        for other in ways:
            if way != other and implies(way, other):
                raise ValueError(
                    f"{way_in_words(way)} says nothing new: whoever gives it also gives"
                    f" {way_in_words(other)}; leave one of the two out"
                )
    return Ask(tuple(ways), parse_span(span) if within else None)


def _way(text: str) -> tuple[RoleQuorum, ...]:
    counts: dict[tuple[str, ...], int] = {}
    for part in text.split(" and "):
        match = _GROUP.fullmatch(part)
        if match is None:
            raise ValueError(
                f"{part!r} does not say who is asked; write: 1 of cfo and 1 of approver or cfo;"
                " other ways of asking follow after a comma: 1 of cfo, or 2 of approver"
            )
        roles = tuple(sorted(set(match[2].split(" or "))))
        for role in roles:
            if role not in VOTERS:
                raise ValueError(f"{role} has no vote; those who vote: {', '.join(VOTERS)}")
        counts[roles] = counts.get(roles, 0) + int(match[1])
    return tuple(RoleQuorum(roles, counts[roles]) for roles in sorted(counts))


def parse_answer(text: str, *others: str) -> Ask | str:
    """Read `ask 1 of cfo`, or a phrase of `others`, which is returned as it is. Raises ValueError."""
    if text in others:
        return text
    if text.startswith("ask "):
        return parse_ask(text.removeprefix("ask "))
    raise ValueError(f"write: {', or: '.join(others)}, or: ask 1 of approver or cfo")


def parse_minute(text: str) -> int:
    """Read a time of day, `09:00` to `24:00`, as minutes since midnight. Raises ValueError."""
    match = _MINUTE.fullmatch(text)
    if match is None or int(match[1]) * 60 + int(match[2]) > 24 * 60:
        raise ValueError("write a time of day as 09:00; the end of the day is 24:00")
    return int(match[1]) * 60 + int(match[2])
