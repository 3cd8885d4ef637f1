"""Owns the three database roles: makes them and points their sign-ins at one database.

Must never be used after start-up: what runs later signs in as app or system, never as owner.
"""

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from treasurer.db.engine import DatabaseUrls, conninfo

OWNER, APP, SYSTEM = "treasurer_owner", "treasurer_app", "treasurer_system"


def role_urls(owner: URL, *, app_password: str, system_password: str) -> DatabaseUrls:
    """The app's and the system's sign-ins to the owner's database."""
    return DatabaseUrls(
        owner=owner,
        app=owner.set(username=APP, password=app_password),
        system=owner.set(username=SYSTEM, password=system_password),
    )


def ensure_roles(urls: DatabaseUrls) -> None:
    """Create the roles where they are missing and set their passwords. Needs CREATEROLE.

    The signing-in owner becomes a member of `treasurer_owner`, to whom all tables belong.
    """
    with psycopg.connect(conninfo(urls.owner), autocommit=True) as connection:
        known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        if OWNER not in known:
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(OWNER)))
        for role, url in ((APP, urls.app), (SYSTEM, urls.system)):
            verb = sql.SQL("ALTER" if role in known else "CREATE")
            connection.execute(
                sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD {}").format(
                    verb, sql.Identifier(role), sql.Literal(url.password)
                )
            )
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(OWNER)))
        database = urls.owner.database or "postgres"
        connection.execute(
            sql.SQL("GRANT CREATE, CONNECT ON DATABASE {} TO {}").format(
                sql.Identifier(database), sql.Identifier(OWNER)
            )
        )
        connection.execute(
            sql.SQL("GRANT CREATE, USAGE ON SCHEMA public TO {}").format(sql.Identifier(OWNER))
        )
