"""Owns the signer's own policy: what it may sign whatever its callers decided.

Must never be written through the socket. The file stands on the signer's host, is written by
`python -m signer enroll` or by hand there, and is read again when it changes.
"""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

import yaml

from signer.fields import Fields
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.money import MAX_AMOUNT_MINOR

DEVELOPMENT_CHAIN_ID = 31337
LIMITS_VERSION = 1
_MAX_TOKENS = 1_000
_MAX_DESTINATIONS = 100_000

_HEADER = """\
# The signer's own limits. Amounts are base units of the token; addresses stand in quotes.
# The running signer reads this file again when it changes; while it is unreadable nothing is signed.
"""


class Isolation(StrEnum):
    """What keeps callers from the keys."""

    USER = "user"
    """The user id. If it is the callers' own, only the development chain is signed."""
    EXTERNAL = "external"
    """Something that the process cannot see, such as containers: the operator vouches for it."""


@dataclass(frozen=True, slots=True)
class TokenLimit:
    """A pinned token and its caps, inclusive, in base units."""

    chain_id: int
    address: str
    symbol: str
    decimals: int
    per_transaction_minor: int
    rolling_24h_minor: int


@dataclass(frozen=True, slots=True)
class Destination:
    """An address that may be paid on one chain."""

    chain_id: int
    address: str
    label: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The content of limits.yaml. Addresses are lower-case.

    `caller_uids` empty means the signer's own user; `socket_gid` opens the socket to a group.
    """

    chain_ids: tuple[int, ...]
    wallets: tuple[str, ...]
    max_fee_per_gas_wei: int
    max_gas_limit: int
    tokens: tuple[TokenLimit, ...]
    destinations: tuple[Destination, ...] = ()
    isolation: Isolation = Isolation.USER
    caller_uids: tuple[int, ...] = ()
    socket_gid: int | None = None
    enrolled: frozenset[tuple[int, str]] = field(init=False, repr=False)
    """Chain id and address of every destination."""

    def __post_init__(self) -> None:
        enrolled = frozenset((entry.chain_id, entry.address) for entry in self.destinations)
        object.__setattr__(self, "enrolled", enrolled)

    def isolates(self, *, caller_uid: int, own_uid: int) -> bool:
        """Whether such a caller is kept from the keys by user id, or by what the operator vouches."""
        return caller_uid != own_uid or self.isolation is Isolation.EXTERNAL

    def token(self, chain_id: int, address: str) -> TokenLimit | None:
        """The pinned token, if it is pinned."""
        for token in self.tokens:
            if token.chain_id == chain_id and token.address == address:
                return token
        return None


def limits_yaml(limits: Limits) -> str:
    """The file's text; `parse_limits` reads it back."""
    body: dict[str, object] = {
        "version": LIMITS_VERSION,
        "isolation": limits.isolation.value,
        "caller_uids": list(limits.caller_uids),
        "socket_gid": limits.socket_gid,
        "chain_ids": list(limits.chain_ids),
        "wallets": list(limits.wallets),
        "max_fee_per_gas_wei": limits.max_fee_per_gas_wei,
        "max_gas_limit": limits.max_gas_limit,
        "tokens": [asdict(token) for token in limits.tokens],
        "destinations": [asdict(destination) for destination in limits.destinations],
    }
    return _HEADER + yaml.safe_dump(body, sort_keys=False)


def parse_limits(text: str) -> Limits:
    """Read limits.yaml. Raises InvalidInput that names the field to change."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInput("LIMITS_SYNTAX", f"limits.yaml is no YAML: {error}") from error
    fields = Fields(document, code="LIMITS_FIELD", place="limits.yaml")
    fields.integer("version", low=LIMITS_VERSION, high=LIMITS_VERSION)
    limits = Limits(
        chain_ids=fields.integers("chain_ids"),
        wallets=fields.addresses("wallets"),
        max_fee_per_gas_wei=fields.integer("max_fee_per_gas_wei", low=1, high=2**64 - 1),
        max_gas_limit=fields.integer("max_gas_limit", low=21_000, high=2**64 - 1),
        tokens=tuple(_token(entry) for entry in fields.sections("tokens", most=_MAX_TOKENS)),
        destinations=tuple(
            _destination(entry) for entry in fields.sections("destinations", most=_MAX_DESTINATIONS)
        ),
        isolation=fields.choice("isolation", {kind.value: kind for kind in Isolation}),
        caller_uids=fields.integers("caller_uids"),
        socket_gid=fields.integer("socket_gid", low=0, high=2**32 - 2)
        if fields.has("socket_gid")
        else None,
    )
    fields.close()
    return limits


def _token(fields: Fields) -> TokenLimit:
    token = TokenLimit(
        chain_id=fields.integer("chain_id", low=1, high=2**63),
        address=fields.address("address"),
        symbol=fields.text("symbol", most=32),
        decimals=fields.integer("decimals", low=0, high=18),
        per_transaction_minor=fields.integer("per_transaction_minor", low=0, high=MAX_AMOUNT_MINOR),
        rolling_24h_minor=fields.integer("rolling_24h_minor", low=0, high=MAX_AMOUNT_MINOR),
    )
    fields.close()
    return token


def _destination(fields: Fields) -> Destination:
    destination = Destination(
        chain_id=fields.integer("chain_id", low=1, high=2**63),
        address=fields.address("address"),
        label=fields.text("label", most=200),
    )
    fields.close()
    return destination


class LimitsFile:
    """limits.yaml as it stands now. While it is unreadable `current` raises and nothing is signed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._limits: Limits | None = None

    def current(self) -> Limits:
        """The limits, read again if the file changed. Raises InvalidInput."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            raise InvalidInput("LIMITS_MISSING", f"{self._path} is missing; restore it") from None
        stamp = status.st_mtime_ns, status.st_size, status.st_ino
        if self._limits is None or stamp != self._stamp:
            self._limits = None
            self._limits = parse_limits(self._path.read_text(encoding="utf-8"))
            self._stamp = stamp
        return self._limits
