"""Pairs labels with the values that stand beside, below or in a block after them.

Must never decide which of several values holds: it hands on all that the layout allows, with how sure
the layout is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from treasurer.documents.dates import find_date
from treasurer.documents.labels import Labelled, match_label
from treasurer.documents.layout import Cell, Line, below, joined
from treasurer.documents.unicode import visible

_BLOCK_LINES = 12


class Tie(IntEnum):
    """How label and value hang together; the first that fits is followed."""

    BESIDE = 0
    """On the same line."""
    ALONE = 1
    """On the line below a label that is alone on its own."""
    BELOW = 2
    """Under the label in a table."""
    BLOCK = 3
    """At the same place in a block of values that follows a block of labels."""


@dataclass(frozen=True, slots=True)
class Found:
    """A labelled value before one of several is settled on. `text` keeps deceptive characters."""

    match: Labelled
    text: str
    cell: Cell
    tie: Tie


def find_pairs(lines: Sequence[Line]) -> list[Found]:
    """All labels at the start of a cell, each with the values that may be its own."""
    labels = [[match_label(cell.text) for cell in line.cells] for line in lines]
    found: list[Found] = []
    for index, line in enumerate(lines):
        for position, match in enumerate(labels[index]):
            if match is not None:
                found += _neighbours(lines, labels, index, position, match)
        if len(line.cells) == 1 and line.parted:
            found += _block(lines, labels, index)
    return found


_Labels = Sequence[Sequence[Labelled | None]]


def _neighbours(
    lines: Sequence[Line], labels: _Labels, index: int, position: int, match: Labelled
) -> Iterator[Found]:
    cells = lines[index].cells
    cell = cells[position]
    rest = visible(match.rest).strip()
    right = []
    for other, its_label in zip(cells[position + 1 :], labels[index][position + 1 :], strict=True):
        if its_label is not None:
            break
        right.append(other)
    if rest:
        yield Found(match, match.rest, cell, Tie.BESIDE)
        if right and find_date(rest, day_first=True)[0] is not None:
            # `Total due on 3 August 2026    4.11`: a day stands between label and value.
            together = joined(right)
            yield Found(match, f"{rest}  {together.text}", together, Tie.BESIDE)
        return
    if right:
        together = joined(right)
        yield Found(match, together.text.lstrip(" :"), together, Tie.BESIDE)
    under = below(lines, index, cell)
    if under is None or match_label(under.text) is not None:
        return
    alone = len(cells) == 1 and not _in_column(lines, labels, index)
    yield Found(match, under.text.lstrip(" :"), under, Tie.ALONE if alone else Tie.BELOW)


def _in_column(lines: Sequence[Line], labels: _Labels, index: int) -> bool:
    """Whether the label at `index` is one of a column of labels, with a column of values below.

    Which value belongs to which label then hangs on their order.
    """
    above = labels[index - 1][0] if index > 0 and len(lines[index - 1].cells) == 1 else None
    if above is not None and not visible(above.rest).strip():
        return True
    values = range(index + 1, min(index + 3, len(lines)))
    bare = [labels[number][0] is None and _is_value(lines[number]) for number in values]
    return len(bare) == 2 and all(bare)


def _is_value(line: Line) -> bool:
    """A line that is a number, a date, a sum: more digits than a name has."""
    text = visible(line.text)
    digits = sum(character.isdigit() for character in text)
    letters = sum(character.isalpha() for character in text)
    return digits > 0 and digits * 2 >= letters


def _block(lines: Sequence[Line], labels: _Labels, index: int) -> Iterator[Found]:
    """Labels of the text block that begins at `index`, tied to a block of as many values after it."""
    names = _block_at(lines, index)
    bare = [labels[number][0] for number in names]
    if len(names) < 2 or any(match is not None and match.rest.strip() for match in bare):
        return
    if not any(bare) or any(_is_value(lines[number]) for number in names):
        return
    values = _block_at(lines, names[-1] + 1)
    if len(values) != len(names) or not all(len(lines[number].cells) == 1 for number in values):
        return
    for match, number in zip(bare, values, strict=True):
        cell = lines[number].cells[0]
        if match is not None and labels[number][0] is None:
            yield Found(match, cell.text, cell, Tie.BLOCK)


def _block_at(lines: Sequence[Line], index: int) -> list[int]:
    """The lines from `index` up to the next gap, if each has one cell."""
    numbers: list[int] = []
    for number in range(index, min(index + _BLOCK_LINES, len(lines))):
        line = lines[number]
        if len(line.cells) != 1 or (numbers and line.parted) or line.page != lines[index].page:
            break
        numbers.append(number)
    return numbers


def find_columns(lines: Sequence[Line]) -> list[Found]:
    """Labels in a run of lines without digits, tied from the end to the run of values that follows.

    Text layers that are taken column by column look so: all names first, all values after them.
    """
    found: list[Found] = []
    names: list[Line] = []
    values: list[Line] = []
    for line in [*lines, None]:
        if line is not None and len(line.cells) == 1 and _is_value(line):
            values.append(line)
            continue
        if values and 2 <= len(values) <= len(names):
            for name, value in zip(names[-len(values) :], values, strict=True):
                match = match_label(name.cells[0].text)
                if match is not None and not visible(match.rest).strip():
                    found.append(Found(match, value.cells[0].text, value.cells[0], Tie.BLOCK))
        if values:
            names, values = [], []
        if line is None or len(line.cells) != 1 or any(c.isdigit() for c in line.text):
            names = []
        elif not _is_currency(line.text):
            names.append(line)
    return found


def _is_currency(text: str) -> bool:
    word = visible(text).strip()
    return len(word) == 3 and word.isascii() and word.isupper()
