"""Owns how invoice numbers compare. Pure; must never let two spellings of one number both be paid.

`number_key` decides identity. `number_skeleton` finds what resembles it, for a person to compare; it
depends on the key alone, so that equal keys are always found by their skeleton.
"""

import re
import unicodedata

from treasurer.payees.names import drawn_in_latin

MAX_NUMBER_CHARACTERS = 100

_RESENT = re.compile(
    r"resend|resent|duplicate|duplicata|duplikat|reminder|revised|corrected|mahnung|rappel|kopie|copy"
    r"|(?<![^\W\d_])(?:dup|rev)(?![^\W\d_])"
)
"""Words that suppliers add to a number when they send the same invoice again."""

_LOOKALIKES = str.maketrans("oil", "011")
_SUFFIX_WITH_LETTER = 3
_SUFFIX_DIGITS = 2


def number_key(number: str) -> str:
    """Equal for spellings that differ in case, width, blanks and separators: `hf 2101` is `HF-2101`.

    A separator between two digits stays, because 1-11 and 11-1 are two numbers. Empty when the text
    has no letter or digit.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", number).casefold())
    visible = "".join(
        character for character in folded if unicodedata.category(character) not in ("Cf", "Mn")
    )
    key = ""
    for token in re.split(r"[\W_]+", visible):
        if key and token and key[-1].isdigit() and token[0].isdigit():
            key += "-"
        key += token
    return key


def number_skeleton(number: str) -> str:
    """The number without separators and words such as `resend`, with O as 0 and I and l as 1, and the
    letters of other scripts by the Latin ones that they look like.
    """
    return _look(number).replace("-", "")


def looks_equal(left: str, right: str) -> bool:
    """Whether two numbers differ only in letters that look like digits, or in words of resending."""
    return _look(left) == _look(right)


def is_variant(left: str, right: str) -> bool:
    """Whether one number is the other with its separators moved or a short suffix: HF-2101-A."""
    shorter, longer = sorted(
        (_look(left), _look(right)), key=lambda look: len(look.replace("-", ""))
    )
    beginning, whole = shorter.replace("-", ""), longer.replace("-", "")
    if len(beginning) < 3 or not whole.startswith(beginning):
        return False
    suffix = whole[len(beginning) :]
    if not suffix:
        return True
    if not suffix[0].isdigit():
        return len(suffix) <= _SUFFIX_WITH_LETTER
    return len(suffix) <= _SUFFIX_DIGITS and longer.endswith(f"-{suffix}")


def _look(number: str) -> str:
    key = drawn_in_latin(number_key(number).upper()).lower()
    return (_RESENT.sub("", key) or key).translate(_LOOKALIKES).strip("-")
