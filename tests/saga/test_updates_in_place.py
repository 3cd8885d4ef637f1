"""A transfer's transitions are updates in place: six of them a payment, and none writes to an index."""

from sqlalchemy import text

from treasurer.db.engine import Database


async def test_no_index_of_transfers_names_what_every_transition_changes(
    database: Database,
) -> None:
    async with database.unscoped() as connection:
        rows = await connection.execute(
            text("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'transfers'")
        )
        named = {row.indexname: row.indexdef for row in rows}
    assert "transfers_quarantined" in named
    changing = ("state", "next_at", "lease_until", "fence", "tries", "reason", "sent_at")
    assert [
        name
        for name, definition in named.items()
        for column in changing
        if column in definition.replace("(", " ").replace(")", " ").replace(",", " ").split()
    ] == []
