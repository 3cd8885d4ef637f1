"""Finds who sends an invoice in prose: by label, else by the letterhead around the VAT id.

Must never take the buyer for the seller; where two names fit equally, neither is taken.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from treasurer.documents.draft import Draft
from treasurer.documents.labels import match_label
from treasurer.documents.layout import Cell, Line
from treasurer.documents.pairs import Found
from treasurer.documents.unicode import mixes_scripts, visible
from treasurer.documents.vat_ids import find_vat_ids

_LEGAL_FORM = re.compile(
    r"(?:^|[\s,])(?:gmbh(?:\s*&\s*co\.?\s*(?:kg|ohg)(?:aa)?)?|ag|se|kg|ohg|ug(?:\s*\(haftungsbeschränkt\))?|e\.\s?k\."
    r"|e\.\s?v\.|e\.?g\.?|a\.\s?g\.|kgaa|mbh|sarl|sàrl|s\.a\.r\.l\.|sas|sasu|eurl|s\.?a\.?|scop|ltd\.?|limited|llc"
    r"|l\.l\.c\.|llp|plc|inc\.?|corp\.?|corporation|company|co\.|pvt\.?|pty\.?|pte\.?|b\.?\s?v\.?|n\.?\s?v\.?"
    r"|v\.?o\.?f\.?|s\.?p\.?a\.?|s\.?r\.?l\.?s?|s\.?n\.?c\.?|s\.?l\.?u?\.?|sp\.\s?z\s?o\.\s?o\.?|sp\.\s?[jk]\."
    r"|spółka (?:akcyjna|z .{10,40})|ab|asa|as|a/s|aps|oyj?|ivs|s\.?\s?r\.?\s?o\.?|a\.\s?s\.|spol\.|lda\.?"
    r"|unipessoal|sdn\.?\s?bhd\.?|bhd\.?|k\.k\.|eireli|ltda\.?|sia|uab|oü|d\.o\.o\.|kft\.?|zrt\.?)\s*[.,;:]?\s*$",
    re.IGNORECASE,
)
_PARTS = re.compile(r"\s+[-–—·•●|∙*]+\s+|\s*[●•·|]\s*|,\s+(?=\S*\d)|;\s+|\s{3,}")
_MARKS = re.compile(
    r"\b(?:ust|uid|vat|tva|btw|iva|nif|cif|nip|cvr|mva|moms|dič|ičo|p\.?\s?iva|partita|siret|siren|rcs"
    r"|hrb|hra|amtsgericht|handelsregister|registergericht|kvk|krs|regon|registered|reg(?:istration)?\.?\s?no"
    r"|company no|org\.?\s?n[or]|gst|tin|ein|abn|iban|bankverbindung|geschäftsführer|capital"
    r"|foretaksregisteret)",
    re.IGNORECASE,
)
_OWN_NAME = re.compile(
    r"(?:inhaber\w*|firma|company|name|holder|beneficiary|begünstigter|zahlungsempfänger|payee"
    r"|bénéficiaire|titulaire|beneficiario|titular|intestatario|begunstigde|rekeninghouder|odbiorca)\s*$",
    re.IGNORECASE,
)
"""Before a colon, what says that the name behind it is the sender's. A carrier's or a project's is not."""
_NOT_A_NAME = re.compile(
    r"https?:|www\.|@|\b(?:page|seite|pagina|strona|invoice|rechnung|facture|factuur|faktura|fattura"
    r"|factura|fatura|receipt|tel|fax|phone|total)\b",
    re.IGNORECASE,
)
_NAME_CHARACTERS = 90
_NEAR_LINES = 6


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: str
    cell: Cell
    index: int


def put_parties(draft: Draft, lines: Sequence[Line], found: Sequence[Found]) -> None:
    """Put `seller` and `buyer` where they are printed without doubt."""
    buyers = list(_labelled(lines, "buyer"))
    if len({_key(name) for name, _cell in buyers}) == 1:
        name, cell = buyers[0]
        draft.put("buyer", name, cell.evidence("buyer"))
    sellers = list(_labelled(lines, "seller"))
    if len({_key(name) for name, _cell in sellers}) > 1:
        draft.review(
            "CONFLICTING_VALUES", "seller is printed with several values; pick one", "seller"
        )
        return
    if not sellers:
        sellers = _letterhead(lines, found, {_key(name) for name, _cell in buyers})
    if sellers:
        name, cell = sellers[0]
        draft.put("seller", name, cell.evidence("seller"))
        if mixes_scripts(name):
            draft.review(
                "MIXED_SCRIPTS",
                "the seller's name mixes alphabets that look alike; compare it with the real one",
                "seller",
            )


def _key(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def _labelled(lines: Sequence[Line], field: str) -> Iterator[tuple[str, Cell]]:
    for index, line in enumerate(lines):
        for position, cell in enumerate(line.cells):
            match = match_label(cell.text)
            if match is None or match.label.field != field:
                continue
            rest = " ".join(visible(match.rest).split())
            # A sentence may begin with "From"; a field has a colon, or its value apart from it.
            if rest:
                if match.marked:
                    yield rest[:200], cell
                continue
            right = line.cells[position + 1] if position + 1 < len(line.cells) else None
            beside = right is not None and match_label(right.text) is None and is_name(right.text)
            found = (right.text, right) if right and beside else _name_below(lines, index, cell)
            if found is not None:
                yield " ".join(visible(found[0]).split())[:200], found[1]


def _name_below(lines: Sequence[Line], index: int, heading: Cell) -> tuple[str, Cell] | None:
    """The name under a heading, below which may first stand a customer number or the like."""
    for line in lines[index + 1 : index + 7]:
        if line.page != heading.page:
            return None
        for position, cell in enumerate(line.cells):
            if not (cell.left < heading.right and heading.left < cell.right):
                continue
            match = match_label(cell.text)
            if match is None:
                if is_name(visible(cell.text).strip()):
                    return cell.text, cell
            elif match.label.field == "name":
                if match.rest.strip():
                    return match.rest, cell
                right = line.cells[position + 1 : position + 2]
                return (right[0].text, right[0]) if right else None
            elif match.label.field in ("buyer", "seller"):
                return None
    return None


def is_name(text: str) -> bool:
    """Whether `text` may be the name of a party: letters, few digits, no detail of another kind."""
    letters = sum(character.isalpha() for character in text)
    digits = sum(character.isdigit() for character in text)
    return (
        letters >= 2
        and len(text) <= _NAME_CHARACTERS
        and digits * 3 <= letters
        and ":" not in text
        and _NOT_A_NAME.search(text) is None
    )


def _letterhead(
    lines: Sequence[Line], found: Sequence[Found], buyers: set[str]
) -> list[tuple[str, Cell]]:
    """The best-placed company name, or the top of the address block that ends in the VAT id."""
    theirs = _theirs(lines, found)
    candidates = [c for c in _companies(lines) if _key(c.name) not in buyers]
    marks = [
        index
        for index, line in enumerate(lines)
        if index not in theirs and _MARKS.search(visible(line.text))
    ]
    times = Counter(_key(candidate.name) for candidate in candidates)
    scores: dict[str, int] = {}
    first: dict[str, _Candidate] = {}
    for candidate in candidates:
        key = _key(candidate.name)
        first.setdefault(key, candidate)
        score = min(times[key], 3)
        score += 3 * any(abs(candidate.index - mark) <= _NEAR_LINES for mark in marks)
        score += candidate.name != " ".join(visible(candidate.cell.text).split())
        score += candidate.index < 3
        score -= 4 * (candidate.index in theirs)
        scores[key] = max(scores.get(key, -9), score)
    ranked = sorted(scores, key=lambda key: -scores[key])
    if ranked and scores[ranked[0]] >= 2:
        if len(ranked) > 1 and scores[ranked[1]] == scores[ranked[0]]:
            return []
        best = first[ranked[0]]
        return [(_with_first_line(lines, best), best.cell)]
    top = _top_of_block(lines, theirs, found) or _first_line(lines, theirs, marks)
    return [(" ".join(visible(top.text).split()), top)] if top is not None else []


def _first_line(lines: Sequence[Line], theirs: set[int], marks: Sequence[int]) -> Cell | None:
    """The head of a receipt: a name above the address and the registration."""
    cell = lines[0].cells[0]
    text = visible(cell.text).strip()
    near = any(0 < mark <= _NEAR_LINES for mark in marks)
    alone = len(lines[0].cells) == 1 and 0 not in theirs and match_label(text) is None
    return cell if near and alone and is_name(text) and " " in text else None


def _with_first_line(lines: Sequence[Line], found: _Candidate) -> str:
    """A name that runs over two lines, if both stand together every time that it is printed."""
    firsts = []
    for before, line in pairwise(lines):
        if any(found.name in visible(cell.text) for cell in line.cells):
            firsts.append(visible(before.cells[0].text).strip() if not line.parted else "")
    first = firsts[0] if firsts else ""
    whole = len(firsts) >= 2 and set(firsts) == {first} and is_name(first)
    return f"{first} {found.name}" if whole and match_label(first) is None else found.name


def _theirs(lines: Sequence[Line], found: Sequence[Found]) -> set[int]:
    """Lines that belong to the buyer: below its label, and around its VAT id."""
    indexes: set[int] = set()
    numbered = {(line.page, line.number): index for index, line in enumerate(lines)}
    for item in found:
        index = numbered.get((item.cell.page, item.cell.number))
        if index is None:
            continue
        if item.match.label.field == "buyer":
            indexes.update(range(index, index + 4))
        elif item.match.label.field == "buyer_vat_id":
            indexes.update((index - 1, index))
    return indexes


def _companies(lines: Sequence[Line]) -> Iterator[_Candidate]:
    for index, line in enumerate(lines):
        for cell in line.cells:
            text = visible(cell.text)
            if len(text) > 250:
                continue
            for part in _PARTS.split(text):
                head, colon, rest = part.rpartition(":")
                if colon and not _OWN_NAME.search(head):
                    continue
                name = rest.strip(" .,;*:") if colon else part.strip(" ,;*")
                if _LEGAL_FORM.search(name) and is_name(name) and " " in name and name[0].isalnum():
                    yield _Candidate(" ".join(name.split()), cell, index)
                    break


def _top_of_block(lines: Sequence[Line], theirs: set[int], found: Sequence[Found]) -> Cell | None:
    """Upward from the seller's VAT id through its address to the name above it."""
    ids = [item.cell for item in found if item.match.label.field == "seller_vat_id"]
    numbers = {(cell.page, cell.number) for cell in ids}
    for index, line in enumerate(lines):
        own = (line.page, line.number) in numbers or find_vat_ids(visible(line.text))
        if not own or index in theirs:
            continue
        top: Cell | None = None
        for above in reversed(lines[max(index - 9, 0) : index]):
            cell = above.cells[0]
            text = visible(cell.text).strip()
            if (
                match_label(text) is not None
                or (text.isdigit() and len(text) < 7)
                or above.page != line.page
            ):
                break
            if is_name(text):
                top = cell
        if top is not None:
            return top
    return None
