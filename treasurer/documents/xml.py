"""Owns the parsing of XML from strangers: no DOCTYPE, no entities, no network, bounded depth.

Must never resolve, include or repair anything.
"""

import re
from collections.abc import Iterator, Mapping

from lxml import etree

from treasurer.documents.addresses import may_hold_address, report_stray
from treasurer.documents.draft import Draft, Refused
from treasurer.documents.limits import Limits
from treasurer.documents.reading import Evidence, Source
from treasurer.documents.unicode import deceptive

_DOCTYPE = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_XINCLUDE = "http://www.w3.org/2001/XInclude"
_LONGEST_TEXT = 20_000
_INCLUDES = etree.XPath("boolean(//xi:*)", namespaces={"xi": _XINCLUDE})


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
    if _INCLUDES(root):
        raise Refused("XINCLUDE_REFUSED", "the XML includes other files; send it complete")


class Node:
    """An element with its readable path, so that each value can say where it stands.

    `prefixes` maps prefix to namespace. A name is `prefix:Local`. Nothing is computed before it is
    asked for, and kept then: an invoice is asked for far more names than it has elements.
    """

    __slots__ = (
        "_above", "_by_tag", "_path", "_singles", "_step", "draft", "element", "prefixes",
    )  # fmt: skip

    def __init__(
        self, element: etree._Element, path: str, prefixes: Mapping[str, str], draft: Draft
    ) -> None:
        self.element = element
        self.prefixes = prefixes
        self.draft = draft
        self._above = ""
        self._path = self._step = path
        self._singles: dict[str, Node | None] = {}
        self._by_tag: dict[str, list[etree._Element]] | None = None

    @property
    def path(self) -> str:
        """An XPath with the prefixes of `prefixes`."""
        if not self._path:
            self._path = f"{self._above}/{self._step}"
        return self._path

    def child(self, *names: str) -> "Node | None":
        """Descend by singletons. A second element of that name rejects the document: taking the
        first or the last would let sender and payer read different invoices.
        """
        node: Node | None = self
        for name in names:
            if node is None:
                return None
            node = node._singles[name] if name in node._singles else node._single(name)
        return node

    def _single(self, name: str) -> "Node | None":
        found = self._elements(name)
        if len(found) > 1:
            self.draft.reject(
                "DUPLICATE_ELEMENT",
                f"{self.path}/{name} stands {len(found)} times where one may; ask for a "
                "corrected invoice",
            )
        node = self._below(found[0], name) if found else None
        self._singles[name] = node
        return node

    def children(self, name: str) -> "list[Node]":
        """All children of that name, with their position in the path."""
        return [
            self._below(element, f"{name}[{position}]")
            for position, element in enumerate(self._elements(name), start=1)
        ]

    def _below(self, element: etree._Element, step: str) -> "Node":
        node = Node(element, "", self.prefixes, self.draft)
        # The path of the node above, and not that node, which would make a circle of references.
        node._above, node._step = self.path, step
        return node

    def _elements(self, name: str) -> list[etree._Element]:
        tag = _clark(name, self.prefixes)
        if self._by_tag is None:
            # One walk for all names, in libxml2: a stranger's element may have a million children.
            self._by_tag = {}
            known = [f"{{{namespace}}}*" for namespace in self.prefixes.values()]
            for element in self.element.iterchildren(*known):
                self._by_tag.setdefault(str(element.tag), []).append(element)
        return self._by_tag.get(tag, [])

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


def _clark(name: str, prefixes: Mapping[str, str]) -> str:
    prefix, _, local = name.partition(":")
    namespace = prefixes[prefix]
    return f"{{{namespace}}}{local}" if namespace else local


def report_texts(root: etree._Element, draft: Draft) -> None:
    """Review texts that show something else than they say, and wallets that a note names."""
    # Longer texts are base64 of attachments, which are not opened.
    texts = " ".join(str(text) for text in root.itertext() if len(text) < _LONGEST_TEXT)
    for code, message in deceptive(texts):
        draft.review(code, message)
    if may_hold_address(texts):
        report_stray(draft, [place for element in root.iter() for place in _naming(element)])


def _naming(element: etree._Element) -> Iterator[tuple[str, Evidence]]:
    """The texts in and behind `element` that may name a wallet, and where."""
    for text in (element.text, element.tail):
        if text and len(text) < _LONGEST_TEXT and may_hold_address(text):
            path = element.getroottree().getpath(element)
            yield text, Evidence("pay_to_address", Source.XPATH, path, text.strip())
