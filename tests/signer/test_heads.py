"""Signed audit heads: what is signed once stays, nothing lower and no fork is signed ever after."""

from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from signer.journal import MAGIC
from signer.settings import Home, read_passphrase
from tests.support.heads import ORGANIZATION, OTHER, MadeUpChain, open_register
from tests.support.signer import make_home
from treasurer.kernel.audit_head import AuditHead, SignedHead
from treasurer.kernel.errors import InvariantViolated, NotPermitted, TreasurerError

CHAIN = MadeUpChain(12)
FORK = MadeUpChain(12, fork_from=4)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "signer")


def test_the_signature_covers_organization_sequence_and_hash(home: Home) -> None:
    with open_register(home) as register:
        signed = register.sign(CHAIN.head(5), ())
        key = Ed25519PublicKey.from_public_bytes(register.public_key)
    assert CHAIN.head(5).statement() == (
        b'{"domain":"autonomous-treasurer/audit-head/1","hash":"'
        + CHAIN.hashes[5].hex().encode()
        + b'","organization_id":"00000000-0000-0000-0000-000000000007","sequence":5}'
    )
    key.verify(signed.signature, CHAIN.head(5).statement())
    for other in (CHAIN.head(6), CHAIN.head(5, OTHER), FORK.head(5)):
        with pytest.raises(InvalidSignature):
            key.verify(signed.signature, other.statement())


def test_a_chain_is_signed_as_it_grows_and_again_with_the_same_signature(home: Home) -> None:
    with open_register(home) as register:
        assert register.latest(ORGANIZATION) is None
        register.sign(CHAIN.head(5), ())
        # More seals than are new may be shown: another worker was faster meanwhile.
        at_nine = register.sign(CHAIN.head(9), CHAIN.since(2, 9))
        size = home.heads.stat().st_size
        assert register.sign(CHAIN.head(9), ()) == at_nine
        assert home.heads.stat().st_size == size
        other = register.sign(CHAIN.head(1, OTHER), ())
        assert other.signature != at_nine.signature
    with open_register(home) as register:
        assert register.latest(ORGANIZATION) == at_nine
        assert register.latest(OTHER) == other


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(
    ("head", "seals", "code"),
    [
        pytest.param(CHAIN.head(4), [], "HEAD_BEHIND", id="lower"),
        pytest.param(CHAIN.head(4), CHAIN.since(0, 4), "HEAD_BEHIND", id="lower_shown_in_full"),
        pytest.param(FORK.head(5), [], "HEAD_FORKED", id="another_hash"),
        pytest.param(FORK.head(9), FORK.since(5, 9), "HEAD_FORKED", id="rewritten_and_longer"),
        pytest.param(FORK.head(9), FORK.since(0, 9), "HEAD_FORKED", id="rewritten_in_full"),
        pytest.param(CHAIN.head(9), [], "HEAD_FORKED", id="nothing_shown"),
        pytest.param(CHAIN.head(9), CHAIN.since(6, 9), "HEAD_FORKED", id="one_seal_short"),
        pytest.param(
            AuditHead(ORGANIZATION, 9, CHAIN.hashes[8]),
            CHAIN.since(5, 9),
            "HEAD_FORKED",
            id="wrong_number",
        ),
        pytest.param(
            AuditHead(ORGANIZATION, 9, CHAIN.hashes[5]), [], "HEAD_FORKED", id="old_hash_as_new"
        ),
    ],
)
def test_lower_and_forked_heads_are_refused(
    home: Home, restarted: bool, head: AuditHead, seals: list[bytes], code: str
) -> None:
    def attempt() -> SignedHead:
        with open_register(home) as register:
            if not restarted:
                register.sign(CHAIN.head(5), ())
            return register.sign(head, seals)

    if restarted:
        with open_register(home) as register:
            register.sign(CHAIN.head(5), ())
    with pytest.raises(NotPermitted) as refused:
        attempt()
    assert refused.value.code == code
    with open_register(home) as register:
        latest = register.latest(ORGANIZATION)
        assert latest is not None
        assert latest.head == CHAIN.head(5)
        register.sign(CHAIN.head(6), CHAIN.since(5, 6))


def test_the_key_stays_and_is_encrypted(home: Home) -> None:
    with open_register(home) as register:
        first = register.public_key
    with open_register(home) as register:
        assert register.public_key == first
    content = home.head_key.read_bytes()
    assert content.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert home.head_key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(TypeError):
        load_pem_private_key(content, None)
    load_pem_private_key(content, read_passphrase(home))
    home.passphrase.write_bytes(b"wrong")
    with pytest.raises(TreasurerError, match="PASSPHRASE_WRONG"), open_register(home):
        pass


def test_an_older_home_gets_key_and_register(home: Home) -> None:
    home.head_key.unlink()
    home.heads.unlink()
    with open_register(home) as register:
        register.sign(CHAIN.head(5), ())
    home.head_key.rename(home.path / "away")
    with pytest.raises(InvariantViolated, match="HEADS_INCOMPLETE"), open_register(home):
        pass
    (home.path / "away").rename(home.head_key)
    home.heads.unlink()
    with pytest.raises(InvariantViolated, match="HEADS_INCOMPLETE"), open_register(home):
        pass


@pytest.mark.parametrize("written", [0, 3, len(MAGIC)])
def test_a_first_start_that_was_cut_short_is_made_good(home: Home, written: int) -> None:
    home.head_key.unlink()
    home.heads.write_bytes(MAGIC[:written])
    with open_register(home) as register:
        register.sign(CHAIN.head(5), ())
