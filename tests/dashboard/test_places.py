"""Where a field stands in a text, found with certainty or not at all."""

import pytest

from dashboard.places import Piece, anchors_of, lines_of, spans_of
from tests.support.browser import SAMPLES
from tests.support.invoices import read

XML = (
    '<?xml version="1.0"?><!-- <a>no</a> --><r:Root xmlns:r="u" v=\'>\'><r:ID>7</r:ID>'
    "<r:Line><r:ID>8</r:ID></r:Line><r:Line><r:ID>9</r:ID><r:Empty/></r:Line>"
    "<x:Twin>1</x:Twin><r:Twin>2</r:Twin></r:Root>"
)


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("/r:Root", "<r:Root xmlns:r=\"u\" v='>'>"),
        ("/Root/@v", "<r:Root xmlns:r=\"u\" v='>'>"),
        ("/r:Root/ID", "<r:ID>7</r:ID>"),
        ("/r:Root/r:Line[2]/r:ID", "<r:ID>9</r:ID>"),
        ("/r:Root/r:Line[2]/r:Empty", "<r:Empty/>"),
        ("/r:Root/r:Line[3]/r:ID", None),
        ("/r:Root/r:Twin[2]", None),
        ("factur-x.xml", None),
    ],
)
def test_an_element_is_found_by_its_path(location: str, text: str | None) -> None:
    found = spans_of(XML, {"f": {"source": "xpath", "location": location, "text": ""}})
    assert [XML[start:end] for start, end in found.values()] == ([text] if text else [])


def test_a_value_is_marked_only_where_it_stands_once() -> None:
    text = "a 410.00 b\n410.00 c 77\nd 9.50"
    evidence = {
        "twice": {"source": "pointer", "location": "/a", "text": "410.00"},
        "once": {"source": "segment", "location": "segment 3, MOA", "text": "9.50"},
        "short": {"source": "pointer", "location": "/b", "text": "77"},
        "empty": {"source": "pointer", "location": "/c", "text": ""},
    }
    spans = spans_of(text, evidence)
    assert (spans, anchors_of(spans)) == ({"once": (25, 29)}, {"once": "place-1"})
    assert lines_of(text, spans, markup=False)[2] == (
        Piece("d ", None),
        Piece("9.50", "place-1"),
    )


def test_long_markup_is_broken_between_tags_and_nothing_is_lost() -> None:
    long = XML * 2
    lines = lines_of(long, {}, markup=True)
    assert len(lines) > 10
    assert "".join(piece.text for line in lines for piece in line) == long
    assert lines_of(long, {}, markup=False) == [(Piece(long, None),)]


@pytest.mark.parametrize(
    ("name", "field", "text"),
    [
        ("halden-hf-1001.xml", "invoice_number", "<cbc:ID>HF-1001</cbc:ID>"),
        ("halden-hf-1007.cii.xml", "invoice_number", "<ram:ID>HF-1007</ram:ID>"),
        ("halden-hf-1009.edi", "invoice_number", "BGM+380+HF-1009+9"),
        ("brightmoor-bm-1006.json", "invoice_number", "BM-1006"),
    ],
)
def test_each_format_shows_where_its_number_stands(name: str, field: str, text: str) -> None:
    content = (SAMPLES / name).read_text(encoding="utf-8")
    spans = spans_of(content, read(content.encode()).to_json()["evidence"])
    start, end = spans[field]
    assert content[start:end] == text
