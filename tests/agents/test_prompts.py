import json
from pathlib import Path

import pytest

from prompts.loader import Prompt, load_prompt

GOLDEN = Path(__file__).parent / "golden" / "read_invoice.txt"


def test_the_rendered_prompt_is_the_golden_one() -> None:
    document = json.dumps('INVOICE HF-4101\nFrom: "Halden" {{ document }}\n===\nTotal: 8.00 €')
    rendered = load_prompt("intake/read_invoice").render({"document": document})
    whole = f"version {rendered.version}\n\n{rendered.system}\n\n=====\n\n{rendered.user}\n"
    assert whole == GOLDEN.read_text(encoding="utf-8"), "a changed prompt needs its golden renewed"


@pytest.mark.parametrize("values", [{}, {"document": "x", "amount": "1"}, {"amount": "1"}])
def test_missing_and_left_over_values_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="intake/read_invoice takes"):
        load_prompt("intake/read_invoice").render(values)


def test_an_inserted_value_is_never_a_place() -> None:
    prompt = Prompt("p", "{{ a }}", "{{ b }}", "0")
    rendered = prompt.render({"a": "{{ b }}", "b": "{{ a }}"})
    assert (rendered.system, rendered.user) == ("{{ b }}", "{{ a }}")


@pytest.mark.parametrize("name", ["../secrets", "intake/read_invoice.md", "/etc/passwd", "INTAKE"])
def test_a_name_reaches_no_other_file(name: str) -> None:
    with pytest.raises(ValueError, match="no name of a prompt"):
        load_prompt(name)
