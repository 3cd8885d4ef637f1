"""Mails come in once each, whatever dies in between; the mailbox is told only afterwards."""

from collections.abc import Iterator

import pytest
from uuid_utils.compat import uuid7

from tests.documents.test_mail import mail
from tests.support.clock import ManualClock
from tests.support.imap import Folder, imap_folder
from tests.support.invoices import invoice_service, printed, read
from tests.support.organization import TestOrganization
from tests.support.payees import create_world, payee_service
from treasurer.db.engine import Database
from treasurer.documents.limits import Limits
from treasurer.invoices.model import Invoice, InvoiceState
from treasurer.kernel.errors import InvalidInput, Transient
from treasurer.mailbox.imap import parse_imap_url
from treasurer.mailbox.watcher import MailboxWatcher


@pytest.fixture
def folder() -> Iterator[Folder]:
    with imap_folder() as opened:
        yield opened


def letter(number: str = "HF-4101") -> bytes:
    message = mail()
    message["Message-ID"] = f"<{uuid7()}@halden.example>"
    message.add_attachment(printed(number), maintype="text", subtype="plain", filename="a.txt")
    return bytes(message)


class Post:
    def __init__(
        self, database: Database, clock: ManualClock, organization: TestOrganization, folder: Folder
    ) -> None:
        self.invoices, self.organization = invoice_service(database, clock), organization
        self.watcher = MailboxWatcher(
            server=parse_imap_url(folder.url),
            database=database,
            invoices=self.invoices,
            limits=Limits(document_bytes=20_000),
            clock=clock,
        )

    async def look(self) -> int:
        return await self.watcher.look(self.organization.agent)

    async def received(self) -> list[Invoice]:
        return await self.invoices.page(self.organization.cfo)


@pytest.fixture
def post(
    database: Database, clock: ManualClock, organization: TestOrganization, folder: Folder
) -> Post:
    return Post(database, clock, organization, folder)


async def test_a_mail_becomes_an_invoice_once_and_is_marked_afterwards(
    post: Post, folder: Folder
) -> None:
    content = letter()
    folder.put(content)
    assert await post.look() == 1
    assert await post.look() == 0
    (invoice,) = await post.received()
    assert (invoice.channel, invoice.submitted_by) == ("mail", post.organization.agent.user_id)
    document = await post.invoices.document(post.organization.cfo, invoice.id)
    assert document.content == content
    assert folder.seen == {1}
    folder.put(letter("HF-4102"))
    assert await post.look() == 1
    assert len(await post.received()) == 2


async def test_its_attachment_is_an_invoice_of_the_same_channel(
    post: Post, folder: Folder, database: Database, clock: ManualClock
) -> None:
    await create_world(payee_service(database, clock), post.organization)
    folder.put(letter())
    await post.look()
    agent = post.organization.agent
    (container,) = await post.received()
    for pending in ("mail", "attachment"):
        invoice = (await post.received())[0]
        document = await post.invoices.document(agent, invoice.id)
        invoice = await post.invoices.record_reading(
            agent, invoice.id, read(document.content), read_by=pending
        )
    assert (invoice.state, invoice.channel) == (InvoiceState.READING, "mail")
    assert (await post.invoices.get(agent, container.id)).state is InvoiceState.UNPACKED


@pytest.mark.parametrize("command", ["UID STORE", "UID FETCH 2", "LOGOUT"])
async def test_a_line_that_breaks_loses_and_doubles_nothing(
    post: Post, folder: Folder, command: str
) -> None:
    folder.put(letter("HF-1"), letter("HF-2"))
    folder.silent_at = command
    if command == "LOGOUT":
        assert await post.look() == 2
    else:
        with pytest.raises(Transient) as broken:
            await post.look()
        assert broken.value.code == "MAILBOX_UNREACHABLE"
        await post.look()
    assert len(await post.received()) == 2


async def test_a_mailbox_that_counts_anew_brings_no_mail_twice(post: Post, folder: Folder) -> None:
    folder.put(letter())
    await post.look()
    folder.uid_validity += 1
    folder.put(letter("HF-4102"))
    await post.look()
    assert len(await post.received()) == 2


async def test_one_message_id_with_other_bytes_is_another_mail(post: Post, folder: Folder) -> None:
    content = letter()
    folder.put(content, content, content + b"\r\n")
    await post.look()
    assert len(await post.received()) == 2


async def test_a_mail_that_is_too_large_or_empty_stops_no_other(post: Post, folder: Folder) -> None:
    folder.put(b"Subject: x\r\n\r\n" + b"x" * 20_000, b" ", letter())
    assert await post.look() == 1
    assert len(await post.received()) == 1
    assert 1 not in folder.seen


async def test_a_wrong_password_is_said_without_it(post: Post, folder: Folder) -> None:
    post.watcher._server = parse_imap_url(folder.url.replace("secret", "guess"))
    with pytest.raises(Transient) as refused:
        await post.look()
    assert "guess" not in refused.value.message
    assert "wrong password" in refused.value.message


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("imap://u:p@mail.example/INBOX", "IMAP_URL_PLAIN_PASSWORD"),
        ("imaps://mail.example", "IMAP_URL"),
        ("https://u:p@mail.example", "IMAP_URL"),
        ("imaps://u:p@mail.example:99999", "IMAP_URL"),
        ("imaps://u:p@mail.example/a%22b", "IMAP_URL"),
    ],
)
def test_an_unfit_address_is_refused_without_its_password(url: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_imap_url(url)
    assert refused.value.code == code
    server = parse_imap_url("imaps://in%40voices:p%2Fw@mail.example/Bills%2F2026")
    assert (server.username, server.password, server.folder, server.port) == (
        "in@voices",
        "p/w",
        "Bills/2026",
        993,
    )
    assert "p/w" not in repr(server)
