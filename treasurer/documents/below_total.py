"""Tells whether an invoice goes on reckoning below its total. Must never say what is due then.

A retention, a voucher, a tax withheld or an advance goes by a hundred names. What they share is the
arithmetic: below the total stand amounts, one a line, and then what is left of it.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from treasurer.documents.labels import match_label
from treasurer.documents.layout import Line
from treasurer.documents.totals import Printed, is_tax_of, printed_amounts, printed_rates

_MOST_STEPS = 12
_MOST_WORDS = 2
"""Lines without an amount that may stand between two steps. Beyond them another part begins."""
_EXPLAIN = frozenset({"tax_exclusive_amount", "tax_amount", "line_total", "other"})
"""Labels of amounts that the total is made of, or that are none of it."""


def goes_on(lines: Sequence[Line], total: Decimal) -> bool:
    """Whether amounts follow the last place of `total` that lead, taken off or added, to a printed rest."""
    last = max((i for i, line in enumerate(lines) if _prints(line, total)), default=None)
    if last is None:
        return False
    rates = printed_rates(lines)
    off = added = Decimal(0)
    first: Decimal | None = None
    for amount, explains in _steps(lines[last + 1 :]):
        value = amount.value
        if first is not None and value > 0 and value in (total - off, total + added):
            tax, net = sorted((first, value))
            return off != first or not is_tax_of(tax, net, rates)
        if not explains:
            first = value if first is None else first
            off, added = off + value, added + value
    return False


def _steps(lines: Sequence[Line]) -> Iterator[tuple[Printed, bool]]:
    """The amounts that stand alone on their line, up to where something else begins; and whether the
    label of each says that it explains the total.
    """
    words = found = 0
    for line in lines:
        amounts = printed_amounts([line], credit=False)
        words = 0 if amounts else words + 1
        found += len(amounts)
        if len(amounts) > 1 or words > _MOST_WORDS or found > _MOST_STEPS:
            return
        if amounts:
            match = match_label(line.cells[0].text)
            yield amounts[0], match is not None and match.label.field in _EXPLAIN


def _prints(line: Line, total: Decimal) -> bool:
    return any(amount.value == total for amount in printed_amounts([line], credit=False))
