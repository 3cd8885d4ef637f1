"""The sample policy with every dimension, facts under which it lets pay, and random ones around."""

from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as st

from policy.background import HistoryFact, LocalTimeFact, SanctionsFact, ScopedSum
from policy.facts import Facts, PayeeFact
from policy.policy_set import PolicySet, load_policy_set
from policy.request import PaymentRequest
from policy.scopes import Period, Scope, Window
from tests.support.policy import NOW, SAMPLES, facts, known_facts, payment

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
    return load_policy_set(f"""
policy: 1
name: one dimension
reporting: {{currency: USD, decimals: 2}}
pay_in: [{{asset: USDC, chain: 31337}}, {{asset: MNEE, chain: 31337}}]
tiers: [{{up_to: any amount, then: pay without asking}}]
approvals: {{expire_after: 72 h}}
duplicates: {{near: deny}}
max_age: {{ledger: 5 min, price: 15 min}}
{section if "payees:" in section else "payees: {cooling_off: 24 h}" + chr(10) + section}
""")


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
    )
    return replace(sound, **changes)


_age = st.sampled_from([-1, 0, 86_399, 86_400, 259_200, 604_799, 604_800, 1_209_600, 2_592_000])
_since = _age.map(lambda seconds: NOW - timedelta(seconds=seconds))
_sums = st.sampled_from([0, 1, 100_000, 350_000, 399_999, 400_000, 1_190_000, 2_490_000])
_odd = {
    "payee": st.builds(
        PayeeFact,
        st.just("verified"),
        st.just("verified"),
        st.none(),
        _since,
        _since,
        st.sampled_from(["", "cloud", "rent", "other"]),
    ),
    "windows": st.tuples(_sums, st.integers(0, 40)).map(
        lambda drawn: tuple(
            ScopedSum(window, drawn[0] if i == drawn[1] % len(every().windows) else 0, NOW)
            for i, window in enumerate(every().windows)
        )
    ),
    "history": st.builds(
        HistoryFact,
        st.sampled_from([0, 1, 2, 3, 4, 5, 50]),
        st.sampled_from([0, 1, 3]),
        st.sampled_from([10_000, 100_000, 1_000_000]),
        st.sampled_from([0, 1, 20_000]),
    ),
    "initiator_roles": st.sampled_from([(), ("cfo",), ("clerk", "cfo"), ("approver",)]),
    "evidence": st.sampled_from([("UNGROUNDED_VALUE",), ("OTHER", "UNGROUNDED_VALUE"), ("OTHER",)]),
    "local_time": st.builds(
        LocalTimeFact,
        st.just("Europe/Berlin"),
        st.sampled_from(["2026-12-24", "2026-11-02"]),
        st.integers(1, 7),
        st.sampled_from([479, 480, 1079, 1080]),
    ),
    "sanctions": st.builds(
        SanctionsFact, st.sampled_from([(), ("Acme",)]), st.just(NOW - timedelta(days=31))
    ),
    "batch": st.sampled_from([200, 201]),
    "policy_since": _since,
}


@st.composite
def rich_facts(draw: st.DrawFn) -> Facts:
    """Sound facts of which up to three are odd; rarely one is missing, or an older one odd too."""
    sound = known()
    if draw(st.booleans()):
        base = draw(known_facts())
        names = ("available_minor", "runway", "price", "frozen", "duplicates", "spent_24h")
        sound = replace(sound, **{name: getattr(base, name) for name in names})
    odd = draw(st.sets(st.sampled_from(sorted(_odd)), max_size=3))
    sound = replace(sound, **{name: draw(_odd[name]) for name in sorted(odd)})
    lost = draw(st.sets(st.sampled_from(sorted(_odd)), max_size=1)) if draw(_rarely) else set()
    return replace(sound, **dict.fromkeys(lost))


_rarely = st.integers(0, 9).map(lambda drawn: drawn == 0)


@st.composite
def rich_requests(draw: st.DrawFn) -> PaymentRequest:
    """Payments around the sample's limits, by any kind of initiator."""
    reporting_minor = draw(
        st.one_of(
            st.integers(1, 3_000_000),
            st.sampled_from(
                [19_999, 20_000, 20_001, 49_999, 50_000, 50_001, 100_000, 100_001, 160_000, 160_001,
                 200_000, 200_001, 400_000, 400_001, 500_000, 500_001, 1_000_000, 1_500_001]
            ),
        )
    )  # fmt: skip
    return payment(
        reporting_minor,
        initiator_kind=draw(st.sampled_from(["human", "agent", "agent", "human", "service"])),
        asset=draw(st.sampled_from(["USDC", "USDC", "USDC", "MNEE"])),
    )
