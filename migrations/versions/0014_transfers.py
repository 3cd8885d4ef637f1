"""Transfers: no index names the state, so that a transition touches no index.

PostgreSQL updates a row in place only while no index, not even its condition, names a changed column.
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

UPGRADE = """
ALTER TABLE transfers ADD COLUMN quarantined boolean NOT NULL
    GENERATED ALWAYS AS (state = 'quarantined') STORED;
DROP INDEX transfers_quarantined;
CREATE INDEX transfers_quarantined ON transfers (organization_id, id) WHERE quarantined;
"""


def upgrade() -> None:
    op.get_bind().connection.driver_connection.execute(UPGRADE)


def downgrade() -> None:
    op.execute("DROP INDEX transfers_quarantined")
    op.execute("ALTER TABLE transfers DROP COLUMN quarantined")
    op.execute(
        "CREATE INDEX transfers_quarantined ON transfers (organization_id, id)"
        " WHERE state = 'quarantined'"
    )
