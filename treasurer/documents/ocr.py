"""Recognises characters with Tesseract, in a process with limits. Must never be believed by itself.

What it finds goes back into the reading child as boxes (`readers/ocr_boxes`), so that a stranger's
words are judged there like any others. Without Tesseract on the machine there is none.
"""

import csv
import io
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import treasurer

PAGES = 5
"""More pages of a scan are not recognised; the reading says so."""

_TIMEOUT_S = 30
_LIMITED = (
    sys.executable,
    "-I",
    "-S",
    "-c",
    "import os, resource as r, sys; r.setrlimit(r.RLIMIT_CORE, (0, 0));"
    " r.setrlimit(r.RLIMIT_CPU, (25, 25));"
    " r.setrlimit(r.RLIMIT_AS, (1 << 30, 1 << 30)); os.execv(sys.argv[1], sys.argv[1:])",
)
"""Sets the limits and becomes the program: a thread of this process must not run code in between."""

_CONFIDENCE = 30
"""Words that Tesseract itself doubts more than that are specks."""


@dataclass(frozen=True, slots=True)
class Tesseract:
    """The program, found once. Calls take about a second a page and one processor."""

    program: str
    languages: str

    @classmethod
    def find(cls) -> Self | None:
        """The installed one with all its languages, None where there is none."""
        program = shutil.which("tesseract")
        if program is None:
            return None
        listed = subprocess.run(
            [program, "--list-langs"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        ).stdout.splitlines()[1:]
        languages = [name for name in listed if name.isalpha() and name != "osd"]
        return cls(program, "+".join(languages[:6])) if languages else None

    def recognise(self, content: bytes, *, pdf: bool) -> bytes | None:
        """Boxes in the shape that `readers/ocr_boxes` reads, pages parted by an empty line.

        None when nothing was recognised or a limit was passed.
        """
        pages = []
        for number in range(1, (PAGES if pdf else 1) + 1):
            image = _drawn(content, number) if pdf else content
            if image is None:
                break
            pages.append(self._boxes(image))
        found = "\n\n".join(page for page in pages if page)
        return found.encode() or None

    def _boxes(self, image: bytes) -> str:
        command = [
            *_LIMITED,
            self.program,
            "stdin",
            "stdout",
            "-l",
            self.languages,
            "--psm",
            "6",
            "tsv",
        ]
        table = _run(command, image, {"OMP_THREAD_LIMIT": "1", "PATH": "/usr/bin:/bin"})
        return "" if table is None else _cells(table.decode("utf-8", "replace"))


def _drawn(content: bytes, page: int) -> bytes | None:
    root = str(Path(treasurer.__file__).parent.parent)
    command = [sys.executable, "-m", "treasurer.documents.scan_child", str(page)]
    return _run(command, content, {"PYTHONPATH": root})


def _run(command: list[str], data: bytes, environment: dict[str, str]) -> bytes | None:
    """The answer on stdout, None on any failure. Nothing of our environment is handed down."""
    try:
        done = subprocess.run(
            command,
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            timeout=_TIMEOUT_S,
            start_new_session=True,
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError):
        return None
    return done.stdout if done.returncode == 0 and done.stdout else None


def _cells(table: str) -> str:
    """Words of one line that stand close make one cell."""
    lines: dict[tuple[str, ...], list[tuple[int, int, int, int, str]]] = {}
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        text = (row.get("text") or "").strip()
        if not text or float(row["conf"]) < _CONFIDENCE:
            continue
        left, top, width, height = (int(row[name]) for name in ("left", "top", "width", "height"))
        key = tuple(row[name] for name in ("page_num", "block_num", "par_num", "line_num"))
        words = lines.setdefault(key, [])
        if words and left - words[-1][2] < max(height, words[-1][3] - words[-1][1]):
            before = words.pop()
            left, top, text = before[0], min(before[1], top), f"{before[4]} {text}"
            height = max(before[3], top + height) - top
            width = int(row["left"]) + int(row["width"]) - left
        words.append((left, top, left + width, top + height, text))
    return "\n".join(
        f"{left},{top},{right},{top},{right},{bottom},{left},{bottom},{text}"
        for words in lines.values()
        for left, top, right, bottom, text in words
    )
