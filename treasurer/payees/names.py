"""Owns how payee names compare: an exact key, and a skeleton that look-alikes share. Pure.

Must never let two names that merely look alike count as equal: the key keeps every letter apart,
and the skeleton only ever raises doubt. The skeleton is that of Unicode TR39, widened by
digits and pairs of letters that pass for a letter.
"""

import unicodedata
from functools import cache

_UPPER = str.maketrans(
    "АВЕЅІЈКМНОРСТУХΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "ABESIJKMHOPCTYXABEZHIKMNOPTYX",
)
"""Cyrillic and Greek capitals by the Latin ones that they are drawn as."""

_LOWER = str.maketrans(
    "авекмнопрстухіјѕԁһѵԛԝαβεζηικνορτυχγ" + "ıłøđ" + "013456789|!$@",
    "abekmhonpctyxijsdhvqwabezhiknoptuxy" + "ilod" + "oieasgtbgiisa",
)
"""Letters of other scripts, crossed letters, and digits and signs that stand for letters."""

_LOWER_SCRIPTS = {code: to for code, to in _LOWER.items() if code > 0x2FF}
"""Of those, the ones of other scripts, which our own table draws better than Unicode's list."""

_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))


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


def name_skeleton(name: str) -> str:
    """Equal for names that a reader may take for each other, and for many that one would not."""
    composed = unicodedata.normalize("NFKD", name).translate(_UPPER).translate(_LOWER_SCRIPTS)
    if not composed.isascii():
        composed = composed.translate(_drawn_as())
    decomposed = unicodedata.normalize("NFKD", composed)
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
