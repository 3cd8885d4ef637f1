"""Owns limits.yaml: its one spelling, its strict reading, and reading it again when it changes.

Must never be written through the socket. The file stands on the signer's host and is written by
`python -m signer enroll` or by hand there. A field that is not known is refused, so that a misspelt
limit is not no limit; fields that came later may be missing, and then nothing more is permitted.
"""

from dataclasses import asdict
from pathlib import Path

import yaml

from signer.fields import Fields
from signer.limits import Destination, Isolation, Limits, Spender, TokenLimit, TopUpLimit
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.money import MAX_AMOUNT_MINOR

LIMITS_VERSION = 1
_MAX_TOKENS = 1_000
_MAX_DESTINATIONS = 100_000
_MAX_SPENDERS = 100
_MAX_FEE_WEI = 2**64 - 1
_MAX_CHAIN_ID = 2**63

_HEADER = """\
# The signer's own limits. Amounts are base units of the token; addresses stand in quotes.
# The running signer reads this file again when it changes; while it is unreadable nothing is signed.
"""


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
        "cancel_max_fee_per_gas_wei": limits.cancel_max_fee_per_gas_wei,
        "max_gas_limit": limits.max_gas_limit,
        "tokens": [asdict(token) for token in limits.tokens],
        "spenders": [asdict(spender) for spender in limits.spenders],
        "top_ups": [asdict(top_up) for top_up in limits.top_ups],
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
        max_fee_per_gas_wei=fields.integer("max_fee_per_gas_wei", low=1, high=_MAX_FEE_WEI),
        cancel_max_fee_per_gas_wei=fields.integer(
            "cancel_max_fee_per_gas_wei", low=1, high=_MAX_FEE_WEI
        )
        if fields.has("cancel_max_fee_per_gas_wei")
        else None,
        max_gas_limit=fields.integer("max_gas_limit", low=21_000, high=2**64 - 1),
        tokens=tuple(_token(entry) for entry in fields.sections("tokens", most=_MAX_TOKENS)),
        destinations=tuple(
            Destination(*_labelled(entry))
            for entry in fields.sections("destinations", most=_MAX_DESTINATIONS)
        ),
        spenders=tuple(
            Spender(*_labelled(entry)) for entry in _optional(fields, "spenders", _MAX_SPENDERS)
        ),
        top_ups=tuple(_top_up(entry) for entry in _optional(fields, "top_ups", _MAX_SPENDERS)),
        isolation=fields.choice("isolation", {kind.value: kind for kind in Isolation}),
        caller_uids=fields.integers("caller_uids"),
        socket_gid=fields.integer("socket_gid", low=0, high=2**32 - 2)
        if fields.has("socket_gid")
        else None,
    )
    fields.close()
    return limits


def _optional(fields: Fields, name: str, most: int) -> tuple[Fields, ...]:
    return fields.sections(name, most=most) if fields.has(name) else ()


def _token(fields: Fields) -> TokenLimit:
    token = TokenLimit(
        chain_id=fields.integer("chain_id", low=1, high=_MAX_CHAIN_ID),
        address=fields.address("address"),
        symbol=fields.text("symbol", most=32),
        decimals=fields.integer("decimals", low=0, high=18),
        per_transaction_minor=fields.integer("per_transaction_minor", low=0, high=MAX_AMOUNT_MINOR),
        rolling_24h_minor=fields.integer("rolling_24h_minor", low=0, high=MAX_AMOUNT_MINOR),
        allowance_minor=fields.integer("allowance_minor", low=0, high=MAX_AMOUNT_MINOR - 1)
        if fields.has("allowance_minor")
        else 0,
    )
    fields.close()
    return token


def _top_up(fields: Fields) -> TopUpLimit:
    limit = TopUpLimit(
        chain_id=fields.integer("chain_id", low=1, high=_MAX_CHAIN_ID),
        per_top_up_wei=fields.integer("per_top_up_wei", low=0, high=MAX_AMOUNT_MINOR),
        rolling_24h_wei=fields.integer("rolling_24h_wei", low=0, high=MAX_AMOUNT_MINOR),
    )
    fields.close()
    return limit


def _labelled(fields: Fields) -> tuple[int, str, str]:
    chain_id = fields.integer("chain_id", low=1, high=_MAX_CHAIN_ID)
    address = fields.address("address")
    label = fields.text("label", most=200)
    fields.close()
    return chain_id, address, label


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
