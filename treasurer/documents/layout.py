"""Owns where text stands: cells in lines, lines on pages. Must never judge what a text means.

A PDF's cells come with their boxes, those of plain text are parted by tabs and runs of blanks and
stand at columns. Readers hand over lines from top to bottom; what reads them asks for neighbours.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from treasurer.documents.reading import Box, Evidence, PrintedLine, around
from treasurer.documents.unicode import visible

_CELLS = re.compile(r"(?:(?!\t|[ \u00a0]{2}|\s\|\s).)+")


class Cell(NamedTuple):
    """A piece of a line. `left` and `right` are columns of a text, or ten-thousandths of a page."""

    text: str
    left: int
    right: int
    number: int
    page: int | None = None
    box: Box | None = None

    def evidence(self, name: str) -> Evidence:
        """This cell as the evidence of a field."""
        return PrintedLine(visible(self.text).strip(), self.number, self.page).evidence(
            name, self.box
        )


@dataclass(frozen=True)
class Line:
    """A printed line. `number` counts from 1 on its page, or in the file where there are no pages.

    `parted` tells that a gap lies above it: a blank line, or white space on a page.
    """

    cells: tuple[Cell, ...]
    number: int
    page: int | None = None
    parted: bool = False

    @cached_property
    def text(self) -> str:
        """All of the line, its cells two blanks apart."""
        return "  ".join(cell.text for cell in self.cells)

    @property
    def printed(self) -> PrintedLine:
        """The line as a person sees it."""
        pieces = tuple(
            (visible(cell.text).strip(), cell.box) for cell in self.cells if cell.box is not None
        )
        return PrintedLine(visible(self.text).strip(), self.number, self.page, pieces)

    def evidence(self, name: str) -> Evidence:
        """The line as the evidence of a field, with the box around its cells."""
        boxes = (cell.box for cell in self.cells if cell.box is not None)
        return self.printed.evidence(name, around(boxes))


def text_lines(text: str) -> list[Line]:
    """The lines of a plain text that hold anything."""
    lines: list[Line] = []
    parted = False
    for number, line in enumerate(text.splitlines(), start=1):
        cells = tuple(
            Cell(match.group().strip(), match.start(), match.end(), number)
            for match in _CELLS.finditer(line)
            if match.group().strip(" \t\u00a0|")
        )
        if cells:
            lines.append(Line(cells, number, parted=parted))
        parted = not cells
    return lines


def boxed_lines(pieces: Sequence[tuple[str, Box]], page: int) -> list[Line]:
    """Lines out of boxed pieces of text: those that stand at one height make one line."""
    lines: list[Line] = []
    bottom = 0
    for group in _rows(pieces):
        number = len(lines) + 1
        cells = tuple(
            Cell(text, box[0], box[2], number, page, box)
            for text, box in sorted(group, key=lambda piece: piece[1][0])
        )
        top, height = min(box[1] for _t, box in group), max(box[3] - box[1] for _t, box in group)
        lines.append(Line(cells, number, page, parted=2 * (top - bottom) > height))
        bottom = max(box[3] for _t, box in group)
    return lines


def _rows(pieces: Sequence[tuple[str, Box]]) -> Iterator[list[tuple[str, Box]]]:
    group: list[tuple[str, Box]] = []
    for piece in sorted(pieces, key=lambda piece: (piece[1][1] + piece[1][3], piece[1][0])):
        if group:
            first, box = group[0][1], piece[1]
            apart = abs((first[1] + first[3]) - (box[1] + box[3]))
            if apart > min(first[3] - first[1], box[3] - box[1]):
                yield group
                group = []
        group.append(piece)
    if group:
        yield group


def below(lines: Sequence[Line], index: int, cell: Cell, most: int = 2) -> Cell | None:
    """The nearest cell under `cell`, at most `most` lines down on the same page."""
    for line in lines[index + 1 : index + 1 + most]:
        if line.page != cell.page:
            return None
        under = [other for other in line.cells if _share_column(cell, other)]
        if under:
            return min(under, key=lambda other: abs(other.left - cell.left))
    return None


def _share_column(one: Cell, other: Cell) -> bool:
    return one.left < other.right and other.left < one.right


def joined(cells: Sequence[Cell]) -> Cell:
    """One cell over several of a line."""
    first, last = cells[0], cells[-1]
    boxes = [cell.box for cell in cells if cell.box is not None]
    box = (boxes[0][0], boxes[0][1], boxes[-1][2], boxes[-1][3]) if boxes else None
    text = "  ".join(cell.text for cell in cells)
    return first._replace(text=text, right=last.right, box=box)
