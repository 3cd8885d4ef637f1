"""Draws a PDF's pages as images, each in a process of its own. Must never open a PDF in this one."""

import asyncio
import sys
from pathlib import Path

import dashboard
from treasurer.kernel.errors import InvalidInput

MOST_PAGES = 12
"""More pages of an invoice are looked at in the original."""

_MOST_PROCESSES = 2
_TIMEOUT_S = 15
_KNOWN = 512


class Papers:
    """Counts and draws pages; remembers counts by the document's hash."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_MOST_PROCESSES)
        self._counts: dict[bytes, int] = {}

    async def count(self, content: bytes, sha256: bytes) -> int:
        """How many pages the PDF has; 0 when it cannot be opened."""
        if sha256 not in self._counts:
            try:
                answer = await self._ask(content, "count")
            except InvalidInput:
                answer = b"0"
            if len(self._counts) >= _KNOWN:
                self._counts.pop(next(iter(self._counts)))
            self._counts[sha256] = int(answer)
        return self._counts[sha256]

    async def draw(self, content: bytes, page: int) -> bytes:
        """Page `page`, counted from 1, as PNG. Raises InvalidInput PAGE_UNDRAWABLE."""
        return await self._ask(content, str(page))

    async def _ask(self, content: bytes, what: str) -> bytes:
        async with self._free:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "dashboard.paper_child",
                what,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                cwd="/",
                # Nothing of our environment: a parser that is taken over finds no secret in it.
                env={"PYTHONPATH": str(Path(dashboard.__file__).parent.parent)},
                start_new_session=True,
            )
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    answer, _ = await process.communicate(content)
            except TimeoutError:
                answer = b""
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if process.returncode != 0 or not answer:
            raise InvalidInput(
                "PAGE_UNDRAWABLE", "this page cannot be drawn; open the original document"
            )
        return answer
