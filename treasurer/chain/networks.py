"""Owns network profiles: what is pinned about a chain before a cent moves on it.

Must never fill in a token's address: one that the project does not know is asked of the user.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from treasurer.chain.fees import WEI_PER_GWEI, FeeCaps
from treasurer.chain.finality import FinalityRule, parse_finality
from treasurer.chain.proxies import Implementation
from treasurer.kernel.errors import InvalidInput, NotFound
from treasurer.kernel.money import Asset
from treasurer.kernel.order import require_address

SHIPPED = ("development", "soneium-minato")


@dataclass(frozen=True, slots=True)
class PinnedToken:
    """A token by its one true address, lower-case. `code_hash` is keccak256 of its run-time code.

    `implementation` is what it runs if it is a proxy; None says that it is none.
    """

    symbol: str
    address: str
    decimals: int
    code_hash: bytes | None
    implementation: Implementation | None
    peg: str
    """The currency for which its issuer redeems it at par."""

    @property
    def asset(self) -> Asset:
        return Asset(self.symbol, self.decimals)


@dataclass(frozen=True, slots=True)
class PinnedContract:
    """Our disperse contract on this network. `code_hash` is keccak256 of its run-time code."""

    address: str
    code_hash: bytes


@dataclass(frozen=True, slots=True)
class NetworkProfile:
    """A network as this installation understands it. Fees in wei a unit of gas."""

    name: str
    chain_id: int
    genesis_hash: bytes | None
    finality: FinalityRule
    block_time_s: int
    native: Asset
    default_priority_fee_wei: int
    payment_fee_cap_gwei: int
    cancel_fee_cap_gwei: int
    rpc_batch_limit: int
    rpc_timeout_s: int
    rpc_calls_per_second: int | None
    """What one provider is asked at most; None where the operator knows of no limit."""
    tokens: tuple[PinnedToken, ...]
    disperse: PinnedContract | None = None
    """What pays several payments in one transaction; None where every payment has its own."""

    def token(self, address: str) -> PinnedToken | None:
        """The pinned token at `address`."""
        return next((token for token in self.tokens if token.address == address), None)

    def fee_caps(self, payment_gwei: int | None, cancel_gwei: int | None) -> FeeCaps:
        """The most that a unit of gas may cost here; what the operator names instead comes first.

        Raises InvalidInput FEE_CAPS when a cancel could not outbid a payment.
        """
        try:
            return FeeCaps(
                payment_wei=(payment_gwei or self.payment_fee_cap_gwei) * WEI_PER_GWEI,
                cancel_wei=(cancel_gwei or self.cancel_fee_cap_gwei) * WEI_PER_GWEI,
            )
        except ValueError as error:
            raise InvalidInput(
                "FEE_CAPS",
                f"{error}: see PAYMENT_FEE_CAP_GWEI, CANCEL_FEE_CAP_GWEI and the network's profile",
            ) from error


_Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]
_Hash = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{64}$")]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _NativeDocument(_Document):
    symbol: StrictStr
    decimals: StrictInt


class _ContractDocument(_Document):
    address: _Address
    code_hash: _Hash


class _TokenDocument(_Document):
    symbol: StrictStr
    decimals: StrictInt = Field(ge=0, le=18)
    address: _Address | None = None
    code_hash: _Hash | None = None
    implementation: _ContractDocument | None = None
    peg: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class _ProfileDocument(_Document):
    name: StrictStr
    chain_id: StrictInt = Field(gt=0)
    genesis_hash: _Hash | None = None
    finality: StrictStr
    block_time_s: StrictInt = Field(gt=0)
    native: _NativeDocument
    default_priority_fee_wei: StrictInt = Field(ge=0)
    payment_fee_cap_gwei: StrictInt = Field(default=100, gt=0)
    cancel_fee_cap_gwei: StrictInt = Field(default=150, gt=0)
    rpc_batch_limit: StrictInt = Field(gt=0, le=1_000)
    rpc_timeout_s: StrictInt = Field(gt=0)
    rpc_calls_per_second: StrictInt | None = Field(default=None, gt=0)
    tokens: tuple[_TokenDocument, ...]
    disperse: _ContractDocument | None = None


def shipped_profile(name: str) -> str:
    """The YAML text of a profile that comes with the project. Raises NotFound."""
    if name not in SHIPPED:
        raise NotFound(
            "NETWORK_UNKNOWN", f"{name!r} is not shipped; choose of {', '.join(SHIPPED)}"
        )
    return (files("treasurer.chain") / "profiles" / f"{name}.yaml").read_text(encoding="utf-8")


def missing_token_addresses(text: str) -> tuple[str, ...]:
    """Symbols whose address the profile leaves open and the user has to name."""
    return tuple(token.symbol for token in _document(text).tokens if token.address is None)


def load_profile(text: str, *, token_addresses: Mapping[str, str] | None = None) -> NetworkProfile:
    """Read a profile; `token_addresses` (symbol to lower-case address) fills what it leaves open.

    Raises InvalidInput that names the field, `NETWORK_TOKEN_ADDRESS_MISSING` for an open address,
    `NETWORK_TOKEN_PINNED` for an attempt to move a pinned one.
    """
    document = _document(text)
    try:
        finality = parse_finality(document.finality)
    except ValueError as error:
        raise InvalidInput("NETWORK_FIELD", f"finality: {error}") from error
    given = token_addresses or {}
    return NetworkProfile(
        name=document.name,
        chain_id=document.chain_id,
        genesis_hash=_hash(document.genesis_hash),
        finality=finality,
        block_time_s=document.block_time_s,
        native=Asset(document.native.symbol, document.native.decimals),
        default_priority_fee_wei=document.default_priority_fee_wei,
        payment_fee_cap_gwei=document.payment_fee_cap_gwei,
        cancel_fee_cap_gwei=document.cancel_fee_cap_gwei,
        rpc_batch_limit=document.rpc_batch_limit,
        rpc_timeout_s=document.rpc_timeout_s,
        rpc_calls_per_second=document.rpc_calls_per_second,
        tokens=tuple(_token(token, given.get(token.symbol)) for token in document.tokens),
        disperse=_contract(document.disperse),
    )


def _document(text: str) -> _ProfileDocument:
    try:
        return _ProfileDocument.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise InvalidInput("NETWORK_SYNTAX", f"the profile is no YAML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(
            "NETWORK_FIELD", f"{place}: {first['msg']} (hashes and addresses stand in quotes)"
        ) from error


def _token(document: _TokenDocument, given: str | None) -> PinnedToken:
    pinned = document.address and document.address.lower()
    if pinned and given and pinned != given:
        raise InvalidInput(
            "NETWORK_TOKEN_PINNED", f"the profile pins {document.symbol} at {pinned}; edit it there"
        )
    address = pinned or given
    if address is None:
        raise InvalidInput(
            "NETWORK_TOKEN_ADDRESS_MISSING",
            f"name the address of {document.symbol} on this network; the project does not know it",
            symbol=document.symbol,
        )
    return PinnedToken(
        document.symbol,
        require_address(address),
        document.decimals,
        _hash(document.code_hash),
        _implementation(document.implementation),
        document.peg,
    )


def _implementation(document: _ContractDocument | None) -> Implementation | None:
    if document is None:
        return None
    return Implementation(document.address.lower(), bytes.fromhex(document.code_hash[2:]))


def _contract(document: _ContractDocument | None) -> PinnedContract | None:
    if document is None:
        return None
    return PinnedContract(document.address.lower(), bytes.fromhex(document.code_hash[2:]))


def _hash(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text[2:])
