"""Owns the geometry of our charts, in whole units of their own grid. Must never draw by a script.

Templates draw what is measured here as SVG; words stand beside a chart, never in it, because an SVG's
text shrinks with the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from treasurer.kernel.money import Asset, format_minor
from treasurer.reports.briefing import DayOutflow

BARS_WIDTH = 900
BARS_HEIGHT = 160
GAUGE_WIDTH = 1000
_GAP = 6
_BASE = 2
"""A quiet day still shows where it stands."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One day. `label` is for hovering and for screen readers."""

    x: int
    y: int
    width: int
    height: int
    label: str
    quiet: bool


@dataclass(frozen=True, slots=True)
class Bars:
    """Daily outflows, the highest as high as the chart. `total_minor` sums what is drawn."""

    bars: tuple[Bar, ...]
    first: date
    last: date
    peak_minor: int
    total_minor: int
    payments: int


def outflow_bars(outflows: Sequence[DayOutflow], reporting: Asset) -> Bars:
    """A bar a day, oldest at the left."""
    step = BARS_WIDTH // len(outflows)
    peak = max(outflow.amount_minor for outflow in outflows)
    bars = []
    for index, outflow in enumerate(outflows):
        height = _BASE + (BARS_HEIGHT - _BASE) * outflow.amount_minor // max(peak, 1)
        bars.append(
            Bar(
                x=index * step,
                y=BARS_HEIGHT - height,
                width=step - _GAP,
                height=height,
                label=f"{outflow.day}: {format_minor(outflow.amount_minor, reporting)}"
                f" in {outflow.payments} payment{'' if outflow.payments == 1 else 's'}",
                quiet=outflow.amount_minor == 0,
            )
        )
    return Bars(
        bars=tuple(bars),
        first=outflows[0].day,
        last=outflows[-1].day,
        peak_minor=peak,
        total_minor=sum(outflow.amount_minor for outflow in outflows),
        payments=sum(outflow.payments for outflow in outflows),
    )


@dataclass(frozen=True, slots=True)
class Gauge:
    """Runway in days against the policy's two floors, on a scale of GAUGE_WIDTH."""

    hard_x: int
    soft_x: int
    value_x: int
    days: int
    hard_days: int
    soft_days: int
    end_days: int
    tone: str


def runway_gauge(days: int, hard_days: int, soft_days: int) -> Gauge:
    """The scale ends at twice the softer floor, or a year; more days stand at its end."""
    end = max(2 * soft_days, 365)

    def x(value: int) -> int:
        return GAUGE_WIDTH * min(value, end) // end

    tone = "stop" if days < hard_days else "wait" if days < soft_days else "good"
    return Gauge(x(hard_days), x(soft_days), x(days), days, hard_days, soft_days, end, tone)
