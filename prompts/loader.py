"""Owns how a prompt file becomes messages. Must never render with a value missing or left over.

A file holds the system message, a line of three equals signs, and the user message. `{{ name }}` is
a place for a value; a value is inserted once and never looked at again, whatever it contains.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

_PLACE = re.compile(r"\{\{ ([a-z_]+) \}\}")
_NAME = re.compile(r"[a-z_]+(?:/[a-z_]+)*")
_PARTS = "\n===\n"


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """Two messages, and the version of the file that they came from."""

    system: str
    user: str
    version: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file. `version` is the SHA-256 of its bytes, in hex: any change is another version."""

    name: str
    system: str
    user: str
    version: str

    @property
    def places(self) -> frozenset[str]:
        """The names of the values that the prompt needs."""
        return frozenset(_PLACE.findall(self.system + self.user))

    def render(self, values: Mapping[str, str]) -> RenderedPrompt:
        """Fill every place. Raises ValueError unless `values` are exactly the prompt's places."""
        if frozenset(values) != self.places:
            raise ValueError(
                f"{self.name} takes {sorted(self.places)}, and was given {sorted(values)}"
            )
        return RenderedPrompt(
            system=_fill(self.system, values), user=_fill(self.user, values), version=self.version
        )


def load_prompt(name: str) -> Prompt:
    """The prompt of that path below this folder, without `.md`. Raises ValueError for another shape."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a prompt")
    content = files("prompts").joinpath(f"{name}.md").read_bytes()
    system, separator, user = content.decode("utf-8").partition(_PARTS)
    if not separator or _PARTS in user:
        raise ValueError(f"{name} needs one line === between its system and its user message")
    return Prompt(name, system.strip(), user.strip(), hashlib.sha256(content).hexdigest())


def _fill(template: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda match: values[match[1]], template)
