import pytest

from tests.support.documents import codes, parse, ubl_invoice
from treasurer.documents.reading import Outcome

BILLION_LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%b">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><l>&j;</l>"
)


@pytest.mark.parametrize(
    "content",
    [
        BILLION_LAUGHS,
        b'<!DOCTYPE i SYSTEM "http://127.0.0.1/x.dtd"><Invoice/>',
        b'<?xml version="1.0"?><!DOCTYPE i [<!ENTITY x SYSTEM "file:///etc/hostname">]><i>&x;</i>',
        b"<!doctype i><Invoice/>",
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE i [<!ENTITY x "y">]><i/>'.encode(
            "utf-16"
        ),
    ],
)
def test_doctype_is_refused_before_anything_is_resolved(content):
    reading = parse(content)
    assert reading.outcome is Outcome.REJECTED
    assert codes(reading) == {"DOCTYPE_REFUSED"}
    assert "hostname" not in str(reading.to_json())


def test_xinclude_is_refused():
    reading = parse(
        '<Invoice xmlns:xi="http://www.w3.org/2001/XInclude">'
        '<xi:include href="file:///proc/self/environ" parse="text"/></Invoice>'
    )
    assert codes(reading) == {"XINCLUDE_REFUSED"}


@pytest.mark.parametrize("depth", [65, 300, 100_000])
def test_deep_nesting_is_refused(depth):
    assert codes(parse(b"<a>" * depth + b"</a>" * depth)) == {"XML_TOO_DEEP"}


def test_allowed_depth_is_inclusive():
    assert codes(parse(b"<a>" * 64 + b"</a>" * 64)) == {"XML_UNKNOWN"}


def test_broken_xml_says_where_and_quotes_nothing():
    reading = parse(ubl_invoice()[:-20] + b"secret-word")
    assert codes(reading) == {"XML_BROKEN"}
    assert "line" in reading.findings[0].message
    assert "secret-word" not in str(reading.to_json())


def test_too_many_lines_are_refused():
    start = ubl_invoice().index(b"<cac:InvoiceLine>")
    content = ubl_invoice()[:start] + b"<cac:InvoiceLine/>" * 10_001 + b"</Invoice>"
    assert codes(parse(content)) == {"TOO_MANY_LINES"}
