"""Owns the worker's look into the mailbox: for which user it takes mails in. Must never vote or pay."""

from treasurer.bootstrap import Core
from treasurer.documents.limits import Limits
from treasurer.kernel.errors import InvalidInput
from treasurer.mailbox.imap import parse_imap_url
from treasurer.mailbox.watcher import MailboxWatcher


class MailboxRound:
    """One look a turn, as the user that IMAP_USER names; does nothing where no mailbox is set."""

    def __init__(self, core: Core) -> None:
        self._core = core
        settings = core.settings
        self._watcher = None
        if settings.imap_url is not None:
            if settings.imap_user is None:
                raise InvalidInput(
                    "IMAP_USER_MISSING", "IMAP_URL needs IMAP_USER: the user who submits its mails"
                )
            self._watcher = MailboxWatcher(
                server=parse_imap_url(settings.imap_url.get_secret_value()),
                database=core.database,
                invoices=core.invoices,
                limits=Limits(),
                clock=core.clock,
            )

    async def look(self) -> int:
        """Take in what is new; how many mails were."""
        if self._watcher is None or self._core.settings.imap_user is None:
            return 0
        user = await self._core.identity.user_of(self._core.settings.imap_user)
        return await self._watcher.look(user.principal)
