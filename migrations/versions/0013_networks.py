"""Networks: the newest reading of each, for the facts of a policy. Chain-global, as the chain itself."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE network_readings (
    chain_id bigint PRIMARY KEY,
    head_number bigint NOT NULL,
    head_at timestamptz NOT NULL,
    gas_price_wei numeric(78,0) NOT NULL CHECK (gas_price_wei >= 0),
    read_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON network_readings TO treasurer_app;
"""


def upgrade() -> None:
    op.get_bind().connection.driver_connection.execute(UPGRADE)


def downgrade() -> None:
    op.execute("DROP TABLE network_readings")
