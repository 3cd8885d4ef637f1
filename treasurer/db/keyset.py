"""Owns how lists are paged: newest first by id, never by an offset. Must never count rows."""

from enum import StrEnum
from typing import Any
from uuid import UUID


def newest_first(row: str) -> str:
    """The end of a statement about rows named `row` that have `id` and `state`, behind its conditions."""
    return (
        f"AND (CAST(:before AS uuid) IS NULL OR {row}.id < :before)"
        f" AND (CAST(:state AS text) IS NULL OR {row}.state = :state)"
        f" ORDER BY {row}.id DESC LIMIT :most"
    )


def keys(
    organization_id: UUID, *, before: UUID | None, most: int, state: StrEnum | None
) -> dict[str, Any]:
    """The parameters of such a statement: at most `most` rows older than `before`, in `state` if given."""
    return {
        "organization_id": organization_id,
        "before": before,
        "most": most,
        "state": state.value if state else None,
    }
