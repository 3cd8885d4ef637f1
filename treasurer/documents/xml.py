"""Owns the parsing of XML from strangers: no DOCTYPE, no entities, no network, bounded depth.

Must never resolve, include or repair anything.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from treasurer.documents.draft import Draft, Refused
from treasurer.documents.limits import Limits
from treasurer.documents.unicode import deceptive

_DOCTYPE = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_XINCLUDE = "http://www.w3.org/2001/XInclude"
_LONGEST_TEXT = 20_000


def parse_xml(content: bytes, limits: Limits) -> etree._Element:
    """The root element. Raises Refused: DOCTYPE_REFUSED, XML_TOO_DEEP, XINCLUDE_REFUSED, XML_BROKEN."""
    # Refused before the parser sees it: libxml2 reads an external subset's declaration silently.
    # UTF-16 has no ASCII spelling of it, which the parsed document's internal DTD then tells.
    if _DOCTYPE.search(content):
        raise _doctype()
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        # Comments and instructions split a value's text in two; without them 410<!-- -->00 is 41000.
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(content.lstrip(b"\t\r\n "), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        # libxml2's text may quote the document; only its position leaves this module.
        position = getattr(error, "position", None)
        where = f" (line {position[0]}, column {position[1]})" if position else ""
        if "depth" in str(error).lower():
            raise Refused(
                "XML_TOO_DEEP", "the XML nests too deeply; send a plain invoice"
            ) from None
        raise Refused("XML_BROKEN", f"the XML is not well-formed{where}; export it again") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise _doctype()
    _require_plain(root, limits)
    return root


def _doctype() -> Refused:
    return Refused(
        "DOCTYPE_REFUSED",
        "the XML declares a DOCTYPE or entities, which invoices never need; send it without",
    )


def _require_plain(root: etree._Element, limits: Limits) -> None:
    # Both questions are answered inside libxml2: walking millions of elements here takes seconds.
    if root.xpath(f"boolean({'/*' * (limits.xml_depth + 1)})"):
        raise Refused(
            "XML_TOO_DEEP", f"the XML nests more than {limits.xml_depth} levels; send a plain one"
        )
    if root.xpath("boolean(//xi:*)", namespaces={"xi": _XINCLUDE}):
        raise Refused("XINCLUDE_REFUSED", "the XML includes other files; send it complete")


@dataclass(frozen=True, slots=True)
class Node:
    """An element with its readable path, so that each value can say where it stands.

    `prefixes` maps prefix to namespace. A name is `prefix:Local`.
    """

    element: etree._Element
    path: str
    prefixes: Mapping[str, str]
    draft: Draft

    def child(self, *names: str) -> "Node | None":
        """Descend by singletons. A second element of that name rejects the document: taking the
        first or the last would let sender and payer read different invoices.
        """
        node = self
        for name in names:
            found = node.children(name)
            if not found:
                return None
            if len(found) > 1:
                self.draft.reject(
                    "DUPLICATE_ELEMENT",
                    f"{node.path}/{name} stands {len(found)} times where one may; ask for a "
                    "corrected invoice",
                )
            node = Node(found[0].element, f"{node.path}/{name}", self.prefixes, self.draft)
        return node

    def children(self, name: str) -> "list[Node]":
        """All children of that name, with their position in the path."""
        prefix, local = name.split(":")
        found = self.element.findall(f"{{{self.prefixes[prefix]}}}{local}")
        return [
            Node(element, f"{self.path}/{name}[{position}]", self.prefixes, self.draft)
            for position, element in enumerate(found, start=1)
        ]

    def walk(self, *names: str) -> "Iterator[Node]":
        """All descendants along that path, where repetition is allowed at every step."""
        if not names:
            yield self
            return
        for found in self.children(names[0]):
            yield from found.walk(*names[1:])

    def first(self, *names: str) -> "Node | None":
        """The first of possibly many, for texts on which no payment hangs."""
        return next(self.walk(*names), None)

    def value(self) -> str | None:
        """The text with whitespace normalised, None when empty. Elements inside reject the document."""
        if len(self.element):
            self.draft.reject(
                "MALFORMED_VALUE", f"{self.path} holds elements where a value belongs"
            )
            return None
        return " ".join((self.element.text or "").split()) or None

    def text(self, *names: str) -> str | None:
        """`child(*names).value()`, None when absent."""
        node = self.child(*names)
        return None if node is None else node.value()

    def put(self, name: str, *names: str) -> None:
        """Record the text at `child(*names)` as the field `name`, unless it is absent or empty."""
        node = self.child(*names)
        value = None if node is None else node.value()
        if node is not None and value is not None:
            self.draft.put_xpath(name, value, node.path)

    def put_first(self, name: str, *names: str) -> None:
        """The same for the first of possibly many."""
        for node in self.walk(*names):
            if node.value() is not None:
                node.put(name)
                return


def report_deceptive(root: etree._Element, draft: Draft) -> None:
    """Review texts that show something else than they say."""
    # Longer texts are base64 of attachments, which are not opened.
    texts = " ".join(str(text) for text in root.itertext() if len(text) < _LONGEST_TEXT)
    for code, message in deceptive(texts):
        draft.review(code, message)
