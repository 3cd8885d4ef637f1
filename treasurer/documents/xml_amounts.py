"""Owns the amounts of XML invoices, whose grammar the schema fixes. Must never read another one."""

from treasurer.documents.amounts import AMOUNT_SYNTAX, AMOUNT_TOO_LARGE, MAX_INTEGER_DIGITS
from treasurer.documents.unicode import has_non_ascii_digit
from treasurer.documents.xml import Node
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.money import parse_decimal


def decimal_text(node: Node | None) -> str | None:
    """The value as a plain decimal string, None when absent. Another spelling rejects the document."""
    value = None if node is None else node.value()
    if node is None or value is None:
        return None
    # xs:decimal also allows a plus sign and a bare point, which mean the same in every reader.
    plain = value.removeprefix("+")
    if plain.startswith((".", "-.")):
        plain = plain.replace(".", "0.", 1)
    plain = plain.removesuffix(".")
    try:
        parse_decimal(plain)
    except InvalidInput as error:
        code = "NON_ASCII_NUMERIC" if has_non_ascii_digit(value) else AMOUNT_SYNTAX
        node.draft.reject(code, f"{node.path}: {error.message}")
        return None
    if len(plain.lstrip("-0").partition(".")[0]) > MAX_INTEGER_DIGITS:
        node.draft.reject(
            AMOUNT_TOO_LARGE,
            f"{node.path} has more than {MAX_INTEGER_DIGITS} digits before the point",
        )
        return None
    return plain


def put_amount(node: Node, name: str) -> None:
    """Record the amount at `node` as the field `name`."""
    value = decimal_text(node)
    if value is not None:
        node.draft.put_xpath(name, value, node.path)


def require_currency(node: Node, currency: str | None) -> None:
    """Review unless the amount carries the document's currency (Peppol R051)."""
    printed = node.element.get("currencyID")
    if printed != currency:
        node.draft.review(
            "CURRENCY_MISMATCH",
            f"{node.path} is in {printed or 'no currency'}, the invoice in {currency or 'none'}; "
            "ask which one is meant",
        )


def put_amount_of(nodes: list[Node], name: str, currency: str | None) -> None:
    """Record the one amount of `nodes` that is in `currency`, which an amount need not repeat.

    Two rejects the document; none in it, but one in another currency, is a question for a person.
    """
    own = [node for node in nodes if node.element.get("currencyID") in (None, currency)]
    chosen = own or nodes
    if len(chosen) > 1:
        chosen[0].draft.reject(
            "DUPLICATE_ELEMENT",
            f"{chosen[0].path} is one of {len(chosen)} where one may stand; ask for a corrected "
            "invoice",
            name,
        )
    if chosen:
        put_amount(chosen[0], name)
    if not own and nodes:
        require_currency(nodes[0], currency)
