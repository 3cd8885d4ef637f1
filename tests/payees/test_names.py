import pytest
from hypothesis import given
from hypothesis import strategies as st

from treasurer.payees.names import name_key, name_skeleton

HALDEN = "Halden Freight AS"


@pytest.mark.parametrize(
    "spelling",
    ["halden freight as", "HALDEN  FREIGHT AS", "Halden\u00a0Freight AS", " Halden Freight, AS."],
)
def test_case_blanks_and_punctuation_do_not_part_names(spelling: str) -> None:
    assert name_key(spelling) == "halden freight as"


@pytest.mark.parametrize(
    "lookalike",
    [
        "Ha1den Freight AS",
        "HaIden Freight AS",
        "H\u0430lden Freight AS",  # Cyrillic a
        "\u041dalden Freight AS",  # Cyrillic capital En
        "Halden Freight \u0391S",  # Greek capital alpha
        "\uff28alden Freight AS",  # full-width H
        "H\u00e4lden Freight AS",
        "Ha\u0142den Freight AS",
        "HaldenFreight AS",
        "Halden Fre\u200bight AS",
    ],
)
def test_lookalikes_share_the_skeleton_and_never_the_key(lookalike: str) -> None:
    assert name_skeleton(lookalike) == name_skeleton(HALDEN)
    assert name_key(lookalike) != name_key(HALDEN)


def test_two_letters_drawn_as_one() -> None:
    assert name_skeleton("Brightrnoor Cleaning Ltd") == name_skeleton("Brightmoor Cleaning Ltd")


def test_other_suppliers_do_not_share_a_skeleton() -> None:
    names = ["Halden Freight AS", "Qorvane Logistics GmbH", "Brightmoor Cleaning", "Halden Air AS"]
    assert len({name_skeleton(name) for name in names}) == 4


@given(st.text(max_size=60))
def test_a_key_is_its_own_key(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=60))
def test_equal_ascii_keys_have_equal_skeletons(name: str) -> None:
    spelt_otherwise = f"  {name.upper()} "
    assert name_key(spelt_otherwise) == name_key(name)
    assert name_skeleton(spelt_otherwise) == name_skeleton(name)
