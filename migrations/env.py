"""Alembic's entry: runs migrations as the owner role. Must never run as the app role."""

from alembic import context
from sqlalchemy import NullPool, create_engine, text

# Without a pool: a connection that is kept would hold on to the database when all is done.
with create_engine(context.config.attributes["url"], poolclass=NullPool).connect() as connection:
    connection.execute(text("SET ROLE treasurer_owner"))
    connection.commit()
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()
