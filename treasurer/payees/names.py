"""Owns how payee names compare: an exact key, and a skeleton that look-alikes share. Pure.

Must never let two names that merely look alike count as equal: the key keeps every letter apart,
and the skeleton only ever raises doubt. The skeleton is that of Unicode TR39, widened by
digits and pairs of letters that pass for a letter.
"""

import re
import unicodedata
from collections import Counter
from functools import cache

_UPPER = str.maketrans(
    "АВЕЅІЈКМНОРСТУХΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "ABESIJKMHOPCTYXABEZHIKMNOPTYX",
)
"""Cyrillic and Greek capitals by the Latin ones that they are drawn as."""

_LOWER = str.maketrans(
    "авекмнпорстухіјѕԁһѵԛԝαβεζηικνορτυχγ" + "օոսհցզաո" + "ɑɡɩʏ" + "ıłøđ" + "013456789|!$@",
    "abekmhnopctyxijsdhvqwabezhiknoptuxy" + "onuhgqwn" + "agiy" + "ilod" + "oieasgtbgiisa",
)
"""Letters of other scripts, crossed letters, and digits and signs that stand for letters."""

_LOWER_SCRIPTS = {code: to for code, to in _LOWER.items() if code > 0x2FF}
"""Of those, the ones of other scripts, which our own table draws better than Unicode's list."""

_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))

_LEGAL_FORMS = (
    "ab ag aps as asa bv bvba co company corp corporation eg ek gmbh inc incorporated kft kg kgaa lda"
    " limited llc llp ltd mbh nv ohg oy oyj plc pte pty sa sarl sas se sl spa spzoo srl sro ug zrt"
)
"""Words of legal forms; S.A. and B.V. count joined."""

_SHARED_DOMAINS = (
    "gmail.com googlemail.com outlook.com hotmail.com live.com yahoo.com icloud.com aol.com gmx.de"
    " gmx.net web.de proton.me protonmail.com mail.ru yandex.ru qq.com 163.com"
)
"""Anybody has an address there, so it says nothing of who writes."""


@cache
def _drawn_as() -> dict[int, str]:
    """Every character that Unicode's list of confusables (TR39) draws as an ASCII letter or digit."""
    from confusable_homoglyphs.confusables import confusables_data

    drawn: dict[int, str] = {}
    for character, others in confusables_data.items():
        plain = [
            o["c"] for o in others if len(o["c"]) == 1 and o["c"].isascii() and o["c"].isalnum()
        ]
        if len(character) == 1 and not character.isascii() and plain:
            drawn[ord(character)] = plain[0]
    return drawn


def name_key(name: str) -> str:
    """Equal for spellings that differ in case, blanks and punctuation only.

    Composed (NFC) but not compatibility-folded: a full-width or styled letter stays another letter.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    return " ".join(
        "".join(
            character if unicodedata.category(character)[0] in "LMNS" else " "
            for character in folded
        ).split()
    )


def drawn_in_latin(text: str) -> str:
    """`text` with the letters of other scripts by the Latin ones that they are drawn as."""
    composed = unicodedata.normalize("NFKD", text).translate(_UPPER).translate(_LOWER_SCRIPTS)
    return composed if composed.isascii() else composed.translate(_drawn_as())


def name_skeleton(name: str) -> str:
    """Equal for names that a reader may take for each other, and for many that one would not."""
    decomposed = unicodedata.normalize("NFKD", drawn_in_latin(name))
    plain = "".join(
        character
        for character in decomposed.casefold()
        if unicodedata.category(character) not in ("Mn", "Cf")
    ).translate(_LOWER)
    # `l` and `i` are one stroke in many faces.
    letters = "".join(character for character in plain if character.isalnum()).replace("l", "i")
    for pair, single in _PAIRS:
        letters = letters.replace(pair.replace("l", "i"), single)
    return letters


def without_legal_form(key: str) -> str:
    """A `name_key` without the words of a legal form at its end; never empty unless `key` is."""
    words = key.split()
    form = re.search(r"(?: \w)+$", key)
    if form and form.start() and form[0].replace(" ", "") in _LEGAL_FORMS.split():
        words = key[: form.start()].split()
    while len(words) > 1 and words[-1] in _LEGAL_FORMS.split():
        words.pop()
    return " ".join(words)


def name_likeness(left: str, right: str) -> int:
    """How alike two names are, 0 to 100, by pairs of letters (Dice), legal forms left out. It raises
    doubt, as the skeleton does; no two names are equal by it.
    """
    ours, theirs = (Counter(_letter_pairs(name)) for name in (left, right))
    total = ours.total() + theirs.total()
    return 200 * (ours & theirs).total() // total if total else 0


def first_word(name: str) -> str:
    """The first word of `name_key`: by it similar names are looked up."""
    return name_key(name).partition(" ")[0]


def mail_domain(address: str | None) -> str | None:
    """The lower-case domain of a mail address; None for none and for those that all the world shares."""
    domain = (address or "").rpartition("@")[2].strip().strip(">").lower()
    return domain if "." in domain and domain not in _SHARED_DOMAINS.split() else None


def domain_skeleton(domain: str) -> str:
    """Equal for domains that a reader may take for each other."""
    try:
        shown = domain.encode("ascii").decode("idna")
    except UnicodeError:
        shown = domain
    return name_skeleton(shown)


def _letter_pairs(name: str) -> list[str]:
    words = without_legal_form(name_key(name)).split()
    return [f" {word} "[at : at + 2] for word in words for at in range(len(word) + 1)]
