"""How values look: exact texts."""

from datetime import UTC, date, datetime, timedelta

import pytest

from dashboard import charts, wording
from treasurer.kernel.money import Asset
from treasurer.reports.briefing import DayOutflow

USD = Asset("USD", 2)
USDC = Asset("USDC", 6)
ETH = Asset("ETH", 18)
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def test_amounts_are_exact_where_they_are_not_marked_as_cut() -> None:
    assert wording.number(1_234_500_001, USDC) == "1,234.500001"
    assert wording.number(-84_000, USD) == "-840.00"
    assert wording.brief(9_999_123_456_789_012_345, ETH) == "9.9991…"
    assert wording.brief(10**18, ETH) == "1.00"
    assert wording.brief(34_056_000_000_001, ETH) == "0.000034…"
    assert wording.brief(1, ETH) == "0.000000000000000001"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (2 * 86_400 + 4 * 3_600 + 59, "in 2 d 4 h"),
        (3_600 + 60, "in 1 h 1 min"),
        (30, "in less than a minute"),
        (0, "just now"),
        (-59, "just now"),
        (-180, "3 min ago"),
        (-86_400, "1 d ago"),
    ],
)
def test_distances(seconds: int, words: str) -> None:
    assert wording.distance(NOW + timedelta(seconds=seconds), NOW) == words


def test_an_address_keeps_every_digit() -> None:
    address = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
    grouped = wording.groups(address)
    assert grouped[:3] == ["0x", "7099", "7970"]
    assert "".join(grouped) == address


def test_a_documents_values_lose_what_deceives() -> None:
    assert wording.plain("Hal\u200bden \u202etxt") == "Halden txt"
    assert wording.plain(None) == "—"
    assert wording.plain([{"rate": None, "tax": "0.00"}, True]) == "tax: 0.00; yes"


def test_figures_of_findings() -> None:
    assert wording.figure("cash_after_minor", 123_456, USDC, USD) == "1,234.56 USD"
    assert wording.figure("available_token_minor", 1_500_000, USDC, USD) == "1.50 USDC"
    assert wording.figure("runway_days", 57, USDC, USD) == "57"
    assert wording.figure_name("available_token_minor") == "available"


def test_bars_are_as_high_as_their_share_of_the_peak() -> None:
    first = date(2026, 11, 1)
    outflows = [DayOutflow(first + timedelta(days=n), n * 100, n) for n in range(3)]
    bars = charts.outflow_bars(outflows, USD)
    assert [bar.height for bar in bars.bars] == [2, 81, 160]
    assert [bar.y for bar in bars.bars] == [158, 79, 0]
    assert [bar.quiet for bar in bars.bars] == [True, False, False]
    assert (bars.peak_minor, bars.total_minor, bars.payments) == (200, 300, 3)
    assert bars.bars[1].label == "2026-11-02: 1.00 USD in 1 payment"


@pytest.mark.parametrize(
    ("days", "tone", "value_x"),
    [(29, "stop", 79), (30, "wait", 82), (90, "good", 246), (999, "good", 1000)],
)
def test_the_gauge_turns_at_the_policys_floors(days: int, tone: str, value_x: int) -> None:
    gauge = charts.runway_gauge(days, 30, 90)
    assert (gauge.tone, gauge.value_x) == (tone, value_x)
    assert (gauge.hard_x, gauge.soft_x, gauge.end_days) == (82, 246, 365)
