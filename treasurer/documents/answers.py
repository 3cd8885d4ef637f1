"""Owns the bytes by which a reading comes back from the child that made it. Must never load a reader:
the process that asks parses no document.
"""

import base64
import json
from dataclasses import replace

from treasurer.documents.reading import Part, PrintedLine, Reading, reading_from_json, refusal

READY = b"R"
HEAD_BYTES = 4


def reader_failed(sha256: str) -> Reading:
    """The answer to a document that broke its reader."""
    return refusal(
        "READER_FAILED",
        "the document could not be read; export it again or send another format",
        document_sha256=sha256,
    )


def packed(reading: Reading) -> bytes:
    """The answer's bytes: the reading, and beside it printed lines and parts, which it is stored
    without.
    """
    printed = [[line.text, line.number, line.page, line.pieces] for line in reading.printed]
    parts = [
        [
            base64.b64encode(part.content).decode("ascii"),
            part.filename,
            part.media_type,
            part.location,
        ]
        for part in reading.parts
    ]
    answer = {**reading.to_json(), "printed": printed, "parts": parts}
    return json.dumps(answer, ensure_ascii=True, allow_nan=False).encode("ascii")


def unpacked(answer: bytes) -> Reading:
    """Inverse of `packed`."""
    data = json.loads(answer)
    printed = tuple(
        PrintedLine(text, number, page, tuple((piece, tuple(box)) for piece, box in pieces))
        for text, number, page, pieces in data["printed"]
    )
    parts = tuple(
        Part(base64.b64decode(content), filename, media_type, location)
        for content, filename, media_type, location in data["parts"]
    )
    return replace(reading_from_json(data), printed=printed, parts=parts)
