"""Owns what the process is told from outside. The only file here that reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from signer.sigv4 import Credentials
from treasurer.kernel.errors import InvalidInput, NotFound, NotPermitted

PASSPHRASE = "SIGNER_PASSPHRASE"  # noqa: S105  the variable's name
PASSPHRASE_FILE = "SIGNER_PASSPHRASE_FILE"  # noqa: S105  the variable's name
RPC_URLS = "SIGNER_RPC_URLS"
KMS_KEY_IDS = "SIGNER_KMS_KEY_IDS"
KMS_ENDPOINT = "SIGNER_KMS_ENDPOINT"


@dataclass(frozen=True, slots=True)
class Home:
    """The signer's folder: where each of its files lies."""

    path: Path

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def passphrase(self) -> Path:
        """Present on development machines only: beside the keys it protects nothing."""
        return self.path / "passphrase"

    @property
    def limits(self) -> Path:
        return self.path / "limits.yaml"

    @property
    def journal(self) -> Path:
        return self.path / "journal.bin"

    @property
    def heads(self) -> Path:
        """The heads of audit chains that were signed."""
        return self.path / "heads.bin"

    @property
    def head_key(self) -> Path:
        return self.path / "head-key.pem"

    @property
    def frozen(self) -> Path:
        return self.path / "frozen"

    @property
    def socket(self) -> Path:
        return self.path / "signer.sock"


def read_passphrase(home: Home) -> bytes:
    """From SIGNER_PASSPHRASE_FILE, SIGNER_PASSPHRASE, or the home's own file, in this order.

    Raises NotPermitted if the file is open to others, NotFound if there is none.
    """
    named = os.environ.get(PASSPHRASE_FILE)
    if named:
        return _passphrase_file(Path(named))
    given = os.environ.get(PASSPHRASE)
    if given:
        return given.encode("utf-8")
    return _passphrase_file(home.passphrase)


def parse_rpc_urls(pairs: tuple[str, ...]) -> Mapping[int, str]:
    """Nodes for the nonce check at start: `CHAIN_ID=URL`, from arguments or else SIGNER_RPC_URLS.

    The variable separates pairs by spaces. Raises InvalidInput.
    """
    chosen = pairs or tuple(os.environ.get(RPC_URLS, "").split())
    urls: dict[int, str] = {}
    for pair in chosen:
        chain, _, url = pair.partition("=")
        if not (chain.isascii() and chain.isdigit()) or not url.startswith(("http://", "https://")):
            raise InvalidInput("RPC_URL_SYNTAX", f"{pair!r}: write CHAIN_ID=http(s)://…")
        urls[int(chain)] = url
    return urls


@dataclass(frozen=True, slots=True)
class PinnedKms:
    """Which KMS, and which of its keys for which lower-case address."""

    region: str
    endpoint: str
    credentials: Credentials
    key_ids: Mapping[str, str]


def read_kms() -> PinnedKms | None:
    """The keys of KMS, from SIGNER_KMS_KEY_IDS (`ADDRESS=KEY_ID`, by spaces); None if it is not set.

    Region and credentials stand in the variables that AWS's own tools read; SIGNER_KMS_ENDPOINT names
    another endpoint than the region's. Raises InvalidInput.
    """
    pairs = os.environ.get(KMS_KEY_IDS, "").split()
    if not pairs:
        return None
    # Imported here: `treasurer up` needs this file's names before it starts its first part.
    from signer.addresses import typed_address

    key_ids: dict[str, str] = {}
    for pair in pairs:
        address, _, key_id = pair.partition("=")
        if not key_id:
            raise InvalidInput("KMS_KEY_SYNTAX", f"{KMS_KEY_IDS}: write ADDRESS=KEY_ID, not {pair}")
        key_ids[typed_address(address)] = key_id
    region = _required("AWS_REGION")
    endpoint = os.environ.get(KMS_ENDPOINT) or f"https://kms.{region}.amazonaws.com"
    parts = urlsplit(endpoint)
    if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "::1", "localhost"}:
        raise InvalidInput("KMS_ENDPOINT_PLAIN", f"{KMS_ENDPOINT}: only https leaves this machine")
    credentials = Credentials(
        _required("AWS_ACCESS_KEY_ID"),
        _required("AWS_SECRET_ACCESS_KEY"),
        os.environ.get("AWS_SESSION_TOKEN") or None,
    )
    return PinnedKms(region, endpoint, credentials, key_ids)


def _required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise InvalidInput("KMS_SETTING_MISSING", f"{KMS_KEY_IDS} is set, so {name} is needed too")
    return value


def _passphrase_file(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(
            "PASSPHRASE_MISSING",
            f"no passphrase: set {PASSPHRASE_FILE} or {PASSPHRASE}, or restore {path}",
        ) from None
    if mode & 0o077:
        raise NotPermitted(
            "PASSPHRASE_EXPOSED", f"{path} is readable by others; run: chmod 600 {path}"
        )
    return content.rstrip(b"\n")
