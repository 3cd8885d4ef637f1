"""How mails leave: by SMTP with TLS where it is asked for, or into files that say so."""

import ssl
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from tests.support.notifications import LoopbackMail, mail_server
from treasurer.kernel.errors import InvalidInput, OutcomeUnknown, Transient
from treasurer.notifications.claims import CLAIM_FOR
from treasurer.notifications.model import GIVE_UP_AFTER, wait_after
from treasurer.notifications.smtp import (
    LONGEST_SEND_S,
    SmtpServer,
    SmtpTransport,
    Tls,
    parse_smtp_url,
)
from treasurer.notifications.transport import FileTransport


def _message(body: str = "Hello\n.\nZoë\n") -> EmailMessage:
    message = EmailMessage(policy=policy.SMTP.clone(cte_type="7bit"))
    message["From"] = "Autonomous Treasurer <treasurer@norwick.example>"
    message["To"] = "cfo@norwick.example"
    message["Subject"] = "Zoë's question"
    message["Message-ID"] = f"<{uuid7()}@norwick.example>"
    message.set_content(body)
    return message


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1 with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("mail") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


def _server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize("tls", [Tls.REQUIRED, Tls.IMPLICIT])
async def test_signs_in_over_tls(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, tls: Tls
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    mail = LoopbackMail()
    implicit = tls is Tls.IMPLICIT
    async with mail_server(
        mail, tls=_server_tls(certificate), password="opensesame", implicit_tls=implicit
    ) as port:
        wrong = SmtpServer("127.0.0.1", port, tls, "treasurer", "guessed")
        with pytest.raises(Transient) as refused:
            await SmtpTransport(wrong).send(_message())
        assert refused.value.code == "MAIL_DEFERRED"
        right = SmtpServer("127.0.0.1", port, tls, "treasurer", "opensesame")
        await SmtpTransport(right).send(_message())
    (received,) = mail.received
    assert received["Subject"] == "Zoë's question"
    assert received.get_content().replace("\r\n", "\n") == "Hello\n.\nZoë\n"


async def test_an_untrusted_certificate_gets_neither_password_nor_mail(certificate: Path) -> None:
    mail = LoopbackMail()
    async with mail_server(mail, tls=_server_tls(certificate), password="opensesame") as port:
        server = SmtpServer("127.0.0.1", port, Tls.REQUIRED, "treasurer", "opensesame")
        with pytest.raises(Transient) as refused:
            await SmtpTransport(server).send(_message())
    assert refused.value.code == "MAIL_SERVER_UNREACHABLE"
    assert mail.received == []


async def test_required_tls_is_not_given_up(certificate: Path) -> None:
    mail = LoopbackMail()
    async with mail_server(mail) as port:
        with pytest.raises(Transient):
            await SmtpTransport(SmtpServer("127.0.0.1", port, Tls.REQUIRED)).send(_message())
    assert mail.received == []


async def test_silence_after_the_content_is_unknown_and_before_it_is_not() -> None:
    mail = LoopbackMail(drop_after_content=True)
    async with mail_server(mail) as port:
        transport = SmtpTransport(SmtpServer("127.0.0.1", port, Tls.OFFERED))
        with pytest.raises(OutcomeUnknown):
            await transport.send(_message())
        assert mail.conversations == 1
    with pytest.raises(Transient):
        await transport.send(_message())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example", SmtpServer("mail.example", 25, Tls.OFFERED)),
        ("smtp://127.0.0.1:2525", SmtpServer("127.0.0.1", 2525, Tls.OFFERED)),
        ("smtp://a:b@localhost", SmtpServer("localhost", 25, Tls.OFFERED, "a", "b")),
        (
            "smtps://a%40x:p%2Fw@mail.example",
            SmtpServer("mail.example", 465, Tls.IMPLICIT, "a@x", "p/w"),
        ),
        (
            "smtp+starttls://a:b@mail.example:2587",
            SmtpServer("mail.example", 2587, Tls.REQUIRED, "a", "b"),
        ),
    ],
)
def test_reads_addresses(url: str, expected: SmtpServer) -> None:
    assert parse_smtp_url(url) == expected


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "SMTP_URL"),
        ("mail.example:25", "SMTP_URL"),
        ("http://mail.example", "SMTP_URL"),
        ("smtp://:25", "SMTP_URL"),
        ("smtp://mail.example:99999", "SMTP_URL"),
        ("smtp://a:hunter2@mail.example", "SMTP_URL_PLAIN_PASSWORD"),
    ],
)
def test_refuses_addresses(url: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_smtp_url(url)
    assert refused.value.code == code
    assert "hunter2" not in str(refused.value)


def test_a_password_is_never_shown() -> None:
    server = parse_smtp_url("smtps://treasurer:hunter2@mail.example")
    assert repr(server) == "SmtpServer(mail.example:465, tls=implicit)"
    assert SmtpTransport(server).description == "mails go to mail.example:465, TLS implicit"


async def test_files_announce_themselves_and_hold_each_mail_once(tmp_path: Path) -> None:
    folder = tmp_path / "outbox"
    with capture_logs() as logs:
        transport = FileTransport(folder)
    assert logs == [
        {
            "event": "mails_go_to_files",
            "folder": str(folder),
            "hint": "set SMTP_URL to send them",
            "log_level": "warning",
        }
    ]
    assert transport.description == (
        f"no mail server is configured (SMTP_URL): mails are written to {folder}"
    )
    message = _message()
    for _ in range(2):
        await transport.send(message)
    name = str(message["Message-ID"]).strip("<>").partition("@")[0]
    (written,) = folder.iterdir()
    assert written.name == f"{name}.eml"
    read = message_from_bytes(written.read_bytes(), policy=policy.SMTP)
    assert read["Message-ID"] == message["Message-ID"]
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_a_file_is_named_by_an_id_and_nothing_else(tmp_path: Path) -> None:
    message = _message()
    del message["Message-ID"]
    message["Message-ID"] = "<../../escape@x.example>"
    with pytest.raises(ValueError, match="badly formed"):
        await FileTransport(tmp_path / "outbox").send(message)
    assert list(tmp_path.iterdir()) == []


def test_waits_double_up_to_an_hour() -> None:
    waits = [wait_after(attempts).total_seconds() for attempts in (1, 2, 3, 7, 8, 9, 10_000)]
    assert waits == [30, 60, 120, 1920, 3600, 3600, 3600]
    assert timedelta(days=5) == GIVE_UP_AFTER


def test_a_claim_outlasts_every_delivery() -> None:
    assert timedelta(seconds=LONGEST_SEND_S) < CLAIM_FOR


async def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    blocked = tmp_path / "outbox"
    blocked.write_text("a file stands here")
    transport = FileTransport(blocked)
    with pytest.raises(Transient) as refused:
        await transport.send(_message())
    assert refused.value.code == "MAIL_FOLDER"
    blocked.unlink()
    await transport.send(_message())
    assert len(list(blocked.iterdir())) == 1
