"""Owns how payee names compare: an exact key, and a skeleton that look-alikes share. Pure.

Must never let two names that merely look alike count as equal: the key keeps every letter apart,
and the skeleton only ever raises doubt. The skeleton follows the idea of Unicode TR39.
"""

import unicodedata

_UPPER = str.maketrans(
    "АВЕЅІЈКМНОРСТУХΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "ABESIJKMHOPCTYXABEZHIKMNOPTYX",
)
"""Cyrillic and Greek capitals by the Latin ones that they are drawn as."""

_LOWER = str.maketrans(
    "авекмнорстухіјѕԁһѵԛԝαβεζηικνορτυχγ" + "ıłøđ" + "013456789|!$@",
    "abekmhopctyxijsdhvqwabezhiknoptuxy" + "ilod" + "oieasgtbgiisa",
)
"""Letters of other scripts, crossed letters, and digits and signs that stand for letters."""

_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))


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
    decomposed = unicodedata.normalize(
        "NFKD", unicodedata.normalize("NFKD", name).translate(_UPPER)
    )
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
