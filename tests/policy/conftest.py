"""Searches and random cases run untraced: tracing took most of their time.

Each line that they reach is reached by the rules' own tests too, which are traced.
"""

import pytest

UNTRACED = frozenset(
    {
        "test_dimension_properties",
        "test_oracle",
        "test_properties",
        "test_quorum",
        "test_sequences",
    }
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem in UNTRACED and item.path.parent.name == "policy":
            item.add_marker(pytest.mark.no_cover)
