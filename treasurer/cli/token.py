"""`treasurer token`: lets who holds the machine act as a person. Must never be reached from outside."""

import asyncio

import click


@click.command()
@click.option("--user", "email", required=True, metavar="EMAIL", help="Whose token.")
@click.option("--link", is_flag=True, help="Print a login link for a browser instead.")
def token(email: str, link: bool) -> None:
    """Print an access token for scripts, valid for 15 minutes, and nothing else.

    With --link a single-use login link, valid as long. Reads the installation's secrets, so it works
    on its host only; opening a session is on the audit log.
    """
    click.echo(asyncio.run(_made(email, link)))


async def _made(email: str, link: bool) -> str:
    from treasurer.cli.attached import attached_core
    from treasurer.settings import Settings

    async with attached_core(Settings()) as core:
        if link:
            return f"{core.settings.url}/login/link/{await core.identity.login_link(email)}"
        return (await core.identity.session_for(email)).access_token
