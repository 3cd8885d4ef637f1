"""Owns the signer's own policy: what it may sign whatever its callers decided.

Must never be written through the socket. `limits_file.py` reads and writes its file.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from treasurer.kernel.errors import InvalidInput

DEVELOPMENT_CHAIN_ID = 31337


class Isolation(StrEnum):
    """What keeps callers from the keys."""

    USER = "user"
    """The user id. If it is the callers' own, only the development chain is signed."""
    EXTERNAL = "external"
    """Something that the process cannot see, such as containers: the operator vouches for it."""


@dataclass(frozen=True, slots=True)
class TokenLimit:
    """A pinned token and its caps, inclusive, in base units.

    `allowance_minor` is the most that a pinned spender may be allowed; 0 permits only to take back.
    """

    chain_id: int
    address: str
    symbol: str
    decimals: int
    per_transaction_minor: int
    rolling_24h_minor: int
    allowance_minor: int = 0


@dataclass(frozen=True, slots=True)
class Destination:
    """An address that may be paid on one chain."""

    chain_id: int
    address: str
    label: str


@dataclass(frozen=True, slots=True)
class Spender:
    """A contract of ours that may be allowed to move tokens, and through which batches are paid."""

    chain_id: int
    address: str
    label: str


@dataclass(frozen=True, slots=True)
class TopUpLimit:
    """Caps of gas money between own wallets on one chain, inclusive, in wei."""

    chain_id: int
    per_top_up_wei: int
    rolling_24h_wei: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The content of limits.yaml. Addresses are lower-case.

    `max_fee_per_gas_wei` caps whatever is no cancel; a cancel must be able to outbid that, so its own
    cap is at least an eighth above (12.5 %, rounded up), which is also the default. `max_gas_limit`
    is per payment: a batch of n may use n times as much. `caller_uids` empty means the signer's own
    user; `socket_gid` opens the socket to a group.
    """

    chain_ids: tuple[int, ...]
    wallets: tuple[str, ...]
    max_fee_per_gas_wei: int
    max_gas_limit: int
    tokens: tuple[TokenLimit, ...]
    destinations: tuple[Destination, ...] = ()
    spenders: tuple[Spender, ...] = ()
    top_ups: tuple[TopUpLimit, ...] = ()
    cancel_max_fee_per_gas_wei: int | None = None
    isolation: Isolation = Isolation.USER
    caller_uids: tuple[int, ...] = ()
    socket_gid: int | None = None
    enrolled: frozenset[tuple[int, str]] = field(init=False, repr=False)
    """Chain id and address of every destination."""

    def __post_init__(self) -> None:
        enrolled = frozenset((entry.chain_id, entry.address) for entry in self.destinations)
        object.__setattr__(self, "enrolled", enrolled)
        if self.cancel_cap_wei < self._least_cancel_cap_wei:
            raise InvalidInput(
                "LIMITS_FIELD",
                "limits.yaml.cancel_max_fee_per_gas_wei: must lie 12.5 % above max_fee_per_gas_wei,"
                f" at {self._least_cancel_cap_wei} or more, or no cancel could replace a payment",
            )

    @property
    def cancel_cap_wei(self) -> int:
        """The most that a cancel may offer, in wei a unit of gas."""
        return self.cancel_max_fee_per_gas_wei or self._least_cancel_cap_wei

    @property
    def _least_cancel_cap_wei(self) -> int:
        return -(-self.max_fee_per_gas_wei * 9 // 8)

    def isolates(self, *, caller_uid: int, own_uid: int) -> bool:
        """Whether such a caller is kept from the keys by user id, or by what the operator vouches."""
        return caller_uid != own_uid or self.isolation is Isolation.EXTERNAL

    def token(self, chain_id: int, address: str) -> TokenLimit | None:
        """The pinned token, if it is pinned."""
        for token in self.tokens:
            if (token.chain_id, token.address) == (chain_id, address):
                return token
        return None

    def pins_spender(self, chain_id: int, address: str) -> bool:
        """Whether the contract is pinned."""
        return any((each.chain_id, each.address) == (chain_id, address) for each in self.spenders)

    def top_up(self, chain_id: int) -> TopUpLimit | None:
        """The caps of the chain's top-ups; None permits none."""
        for limit in self.top_ups:
            if limit.chain_id == chain_id:
                return limit
        return None
