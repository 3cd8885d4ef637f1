"""The sample policy with every dimension, facts under which it lets pay, and random ones around."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any

from hypothesis import strategies as st

from policy.background import HistoryFact, LocalTimeFact, NetworkFact, SanctionsFact, ScopedSum
from policy.facts import Facts, PayeeFact, PriceFact, RunwayFact, WindowFact
from policy.policy_set import PolicySet, load_policy_set
from policy.request import PaymentRequest
from policy.reviewed import PurchaseFact, ReviewFact
from policy.scopes import Period, Scope, Window
from tests.support.policy import EXACT, NEAR, NOW, SAMPLES, facts, payment

EVERY_YAML = (SAMPLES / "every-dimension.yaml").read_text()
LONG_AGO = NOW - timedelta(days=400)
# The second of November 2026 is a Monday; 09:00 UTC is 10:00 in Berlin.
LOCAL = LocalTimeFact("Europe/Berlin", "2026-11-02", 1, 600)
KNOWN_PAYEE = PayeeFact("verified", "verified", None, LONG_AGO, LONG_AGO, "cloud")


@cache
def every() -> PolicySet:
    """The sample with every dimension."""
    return load_policy_set(EVERY_YAML)


def every_with(old: str, new: str) -> PolicySet:
    """The sample with one passage of its text replaced."""
    assert EVERY_YAML.count(old) == 1, old
    return load_policy_set(EVERY_YAML.replace(old, new))


def only(section: str) -> PolicySet:
    """A set that permits everything but what `section` says, so that its rule speaks alone."""
    return load_policy_set(only_yaml(section))


def only_yaml(section: str) -> str:
    """The text of `only`."""
    return f"""
policy: 1
name: one dimension
reporting: {{currency: USD, decimals: 2}}
pay_in: [{{asset: USDC, chain: 31337}}, {{asset: MNEE, chain: 31337}}]
tiers: [{{up_to: any amount, then: pay without asking}}]
approvals: {{expire_after: 72 h}}
duplicates: {{near: deny}}
max_age: {{ledger: 5 min, price: 15 min}}
{section if "payees:" in section else "payees: {cooling_off: 24 h}" + chr(10) + section}
"""


def sums(**by_window: int) -> tuple[ScopedSum, ...]:
    """Sums by names such as `payee_7_days` or `category_calendar_month`."""
    names = {str(window).replace(".", "_"): window for window in _WINDOWS}
    return tuple(ScopedSum(names[name], minor, NOW) for name, minor in by_window.items())


_WINDOWS = tuple(Window(scope, period) for scope in Scope for period in Period)


def known(**changes: Any) -> Facts:
    """Facts under which the sample with every dimension lets 200.00 USD pass without asking."""
    sound = facts(
        payee=KNOWN_PAYEE,
        windows=tuple(ScopedSum(window, 0, NOW) for window in every().windows),
        history=HistoryFact(10, 10, 100_000, 10_000),
        initiator_roles=("service",),
        evidence=(),
        local_time=LOCAL,
        sanctions=SanctionsFact((), NOW - timedelta(days=1)),
        batch=1,
        policy_since=LONG_AGO,
        network=NetworkFact(NOW, 10**9, NOW),
    )
    return replace(sound, **changes)


@cache
def _sound() -> Facts:
    return known()


_AGES = (-1, 0, 86_399, 86_400, 259_200, 604_799, 604_800, 1_209_600, 2_592_000)
_SUMS = (0, 1, 100_000, 350_000, 399_999, 400_000, 1_190_000, 2_490_000)
_AMOUNTS = (
    19_999, 20_000, 20_001, 49_999, 50_000, 50_001, 100_000, 100_001, 160_000, 160_001,
    200_000, 200_001, 400_000, 400_001, 500_000, 500_001, 1_000_000, 1_500_001,
)  # fmt: skip


def _since(random: Random) -> datetime:
    return NOW - timedelta(seconds=random.choice(_AGES))


def _payee(random: Random) -> PayeeFact:
    category = random.choice(["", "cloud", "rent", "other"])
    resting = random.choice([None, None, None, NOW, NOW + timedelta(hours=1)])
    state = random.choice(["verified"] * 5 + ["pending"])
    return PayeeFact("verified", state, resting, _since(random), _since(random), category)


def _windows(random: Random) -> tuple[ScopedSum, ...]:
    odd = random.choice(every().windows)
    as_of = NOW - timedelta(seconds=random.choice([0, 0, 300, 301, -301]))
    return tuple(
        ScopedSum(window, random.choice(_SUMS) if window == odd else 0, as_of)
        for window in every().windows
    )


_ODD: dict[str, Callable[[Random], Any]] = {
    "payee": _payee,
    "windows": _windows,
    "history": lambda random: HistoryFact(
        random.choice([0, 1, 2, 3, 4, 5, 50]),
        random.choice([0, 1, 3]),
        random.choice([10_000, 100_000, 1_000_000]),
        random.choice([0, 1, 20_000]),
    ),
    "initiator_roles": lambda random: random.choice([(), ("cfo",), ("approver",)]),
    "evidence": lambda random: random.choice([("UNGROUNDED_VALUE",), ("OTHER",)]),
    "local_time": lambda random: LocalTimeFact(
        "Europe/Berlin",
        random.choice(["2026-12-24", "2026-11-02"]),
        random.randint(1, 7),
        random.choice([479, 480, 1079, 1080]),
    ),
    "sanctions": lambda random: SanctionsFact(
        random.choice([(), ("Acme",)]), NOW - timedelta(days=random.choice([1, 30, 31]))
    ),
    "batch": lambda random: random.choice([200, 201]),
    "policy_since": _since,
    "network": lambda random: NetworkFact(
        NOW - timedelta(seconds=random.choice([0, 120, 121, -120, -121])),
        80 * 10**9 + random.choice([-(10**9), 0, 1]),
        NOW - timedelta(seconds=random.choice([0, 60, 61, -61])),
    ),
    "duplicates": lambda random: random.choice([(), (NEAR,), (EXACT,), (NEAR, EXACT)]),
    "spent_24h": lambda random: WindowFact(random.choice([2_000_000, 2_480_000]), NOW),
    "available_minor": lambda random: random.randint(-5, 4 * 10**9),
    "invoice_open_minor": lambda random: random.randint(0, 4 * 10**9),
    "runway": lambda random: RunwayFact(
        random.choice([None, 0, 1_000_000, 3_100_000]), random.choice([None, 0, 1_000_000]), NOW
    ),
    "price": lambda random: PriceFact(
        "USDC", "USD", random.choice([1, 999, 1001]), random.choice([1, 1000]),
        NOW - timedelta(seconds=random.choice([0, 900, 901])), random.random() < 0.9
    ),
    "frozen": lambda random: True,
    "purchase": lambda random: PurchaseFact(
        random.choice(["matched", "over", "closed"]), random.choice(["u-9", None])
    ),
    "review": lambda random: ReviewFact(("u-9",), (), ("due_date",)),
    "as_of": lambda random: NOW - timedelta(seconds=random.choice([300, 301, -301])),
}  # fmt: skip


def random_facts(random: Random) -> Facts:
    """Sound facts of which up to three are odd, and now and then one is missing."""
    odd = random.sample(sorted(_ODD), random.choice([0, 0, 1, 1, 2, 3]))
    found = replace(_sound(), **{name: _ODD[name](random) for name in odd})
    if random.random() < 0.1:
        lost = random.choice([name for name in sorted(_ODD) if name != "as_of"])
        found = replace(found, **{lost: None})
    return found


def random_request(random: Random) -> PaymentRequest:
    """Payments on and around the sample's limits, by any kind of initiator."""
    minor = random.choice(_AMOUNTS) if random.random() < 0.5 else random.randint(1, 3_000_000)
    request = payment(
        minor,
        amount_minor=minor * 10_000 - random.choice([0, 0, 1, 9_999]),
        initiator_kind=random.choice(["human", "agent", "agent", "human", "service"]),
        asset=random.choice(["USDC"] * 9 + ["MNEE"]),
    )
    if random.random() < 0.1:
        odd = {"chain_id": 1, "reporting_currency": "EUR", "asset": "USDT", "invoice_id": None}
        name = random.choice(sorted(odd))
        request = replace(request, **{name: odd[name]})
    return request


_seeds = st.integers(0, 2**64 - 1).map(Random)


def rich_facts() -> st.SearchStrategy[Facts]:
    """`random_facts` by a seed: one draw a case, because drawing each field takes milliseconds."""
    return _seeds.map(random_facts)


def rich_requests() -> st.SearchStrategy[PaymentRequest]:
    """`random_request` by a seed."""
    return _seeds.map(random_request)
