"""Owns how a policy file's text becomes a tree with places. Must never give YAML's types a chance.

Every scalar stays text: `1000.00` is no binary fraction and `NO` is no boolean. Aliases, tags,
duplicate keys and deep nesting have no use in a policy and are refused.
"""

from dataclasses import dataclass
from typing import Protocol

import yaml

from treasurer.kernel.errors import InvalidInput

MAX_CHARACTERS = 100_000
_MAX_DEPTH = 10

Tree = dict[str, "Tree"] | list["Tree"] | str
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the file; both count from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


@dataclass(frozen=True, slots=True)
class PolicyText:
    """The tree of a policy file and the place of every node in it."""

    tree: Tree
    places: dict[Path, Place]

    def place(self, path: Path) -> Place:
        """The place of `path`, or of the nearest node that encloses it."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]


def read_yaml(text: str) -> PolicyText:
    """Parse one YAML document. Raises InvalidInput with line and column."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidInput("POLICY_SYNTAX", f"a policy has at most {MAX_CHARACTERS} characters")
    try:
        _refuse_tricks(text)
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _fault(mark, error.problem or "this is no YAML") from error
    except yaml.YAMLError as error:
        raise InvalidInput("POLICY_SYNTAX", f"this is no YAML: {error}") from error
    if not isinstance(node, yaml.MappingNode):
        raise _fault(None if node is None else node.start_mark, "a policy is a mapping of sections")
    places: dict[Path, Place] = {}
    return PolicyText(_tree(node, (), places), places)


def _refuse_tricks(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _fault(event.start_mark, "write it out: a policy has no anchors and aliases")
        if getattr(event, "tag", None) is not None:
            raise _fault(event.start_mark, "a policy has no tags")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise _fault(event.start_mark, f"a policy nests at most {_MAX_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _tree(node: yaml.Node, path: Path, places: dict[Path, Place]) -> Tree:
    places[path] = Place(node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Tree] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _fault(key.start_mark, "a key is a single word")
            if key.value in mapping:
                raise _fault(key.start_mark, f"{key.value} stands twice")
            mapping[key.value] = _tree(value, (*path, key.value), places)
            # A fault in a section is easier to find at its key than at its first value.
            places[(*path, key.value)] = Place(key.start_mark.line + 1, key.start_mark.column + 1)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_tree(item, (*path, index), places) for index, item in enumerate(node.value)]
    return str(node.value)


class _Mark(Protocol):
    """Where PyYAML stands; its two implementations share no class. Both count from 0."""

    line: int
    column: int


def _fault(mark: _Mark | None, message: str) -> InvalidInput:
    if mark is None:
        return InvalidInput("POLICY_SYNTAX", message)
    place = Place(mark.line + 1, mark.column + 1)
    return InvalidInput(
        "POLICY_SYNTAX", f"{place}: {message}", line=place.line, column=place.column
    )
