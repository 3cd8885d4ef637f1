"""Owns what `treasurer init` must be told, and how each answer is written. Must never ask or store."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from policy.policy_set import PolicySet
from signer.limits import DEVELOPMENT_CHAIN_ID
from treasurer.chain.networks import NetworkProfile
from treasurer.documents.currencies import fraction_digits
from treasurer.identity.model import require_email, require_name
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.money import Asset, parse_decimal, to_minor
from treasurer.kernel.organization import ROLE_PERMISSIONS, Permission, Role
from treasurer.payees.csv_import import CsvRow
from treasurer.payees.model import chain_address

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the organization, with at least one role."""

    email: str
    name: str
    roles: frozenset[Role]

    def may(self, permission: Permission) -> bool:
        return any(permission in ROLE_PERMISSIONS[role] for role in self.roles)


@dataclass(frozen=True, slots=True)
class TokenCap:
    """The signer's own caps of a token, inclusive, in base units."""

    per_transaction_minor: int
    rolling_24h_minor: int


@dataclass(frozen=True, slots=True)
class WalletKey:
    """The wallet's private key and the passphrase that will guard it."""

    secret: bytes = field(repr=False)
    passphrase: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answers:
    """All of it, checked as far as no database or node is needed.

    `key` is None when the signer's folder stands already. `people` begin with an administrator.
    """

    network: NetworkProfile
    network_text: str
    organization: str
    reporting: Asset
    monthly_burn_minor: int | None
    people: tuple[Person, ...]
    policy_text: str
    payees: tuple[CsvRow, ...]
    payees_csv: bytes | None
    enroll_payees: bool
    key: WalletKey | None
    caps: Mapping[str, TokenCap]
    wallet_label: str

    @property
    def on_development_chain(self) -> bool:
        return self.network.chain_id == DEVELOPMENT_CHAIN_ID


def currency_of(code: str) -> Asset:
    """The reporting currency. Raises InvalidInput unless it is an ISO 4217 code in use."""
    symbol = code.strip().upper()
    decimals = fraction_digits(symbol)
    if decimals is None:
        raise InvalidInput("CURRENCY_UNKNOWN", f"{code!r} is no ISO 4217 currency, such as USD")
    return Asset(symbol, decimals)


def burn_of(text: str, reporting: Asset) -> int | None:
    """Monthly burn in base units; None for `unknown`."""
    return None if text.strip().lower() == UNKNOWN else amount_of(text, reporting)


def amount_of(text: str, asset: Asset) -> int:
    """A positive amount in whole units of `asset`, as base units."""
    minor = to_minor(parse_decimal(text.strip()), asset)
    if minor <= 0:
        raise InvalidInput("AMOUNT_NOT_POSITIVE", "write an amount above zero")
    return minor


def person_of(text: str) -> Person:
    """Read `email:name:role`; several roles are joined by `+`."""
    email, _, rest = text.partition(":")
    name, colon, roles = rest.rpartition(":")
    if not colon:
        raise InvalidInput(
            "PERSON_SYNTAX", f"{text!r}: write email:name:role, such as 'ann@example.com:Ann:clerk'"
        )
    return Person(require_email(email), require_name(name), roles_of(roles))


def roles_of(text: str) -> frozenset[Role]:
    """Read roles joined by `+`. The service role is for programs, which init does not make."""
    people = [role for role in Role if role is not Role.SERVICE]
    try:
        roles = frozenset(Role(word.strip().lower()) for word in text.split("+"))
    except ValueError:
        roles = frozenset()
    if not roles or Role.SERVICE in roles:
        raise InvalidInput("ROLE_UNKNOWN", f"{text!r}: give roles of {', '.join(people)}")
    return roles


def require_people(people: Sequence[Person]) -> tuple[Person, ...]:
    """The people, an administrator first. Raises InvalidInput without one or for a doubled address."""
    addresses = Counter(person.email.lower() for person in people)
    doubled = [address for address, count in addresses.items() if count > 1]
    if doubled:
        raise InvalidInput(
            "EMAIL_TWICE", f"{doubled[0]} stands twice: give all roles at once, joined by +"
        )
    administrators = [person for person in people if Role.ADMINISTRATOR in person.roles]
    if not administrators:
        raise InvalidInput("ADMINISTRATOR_MISSING", "one person has to be the administrator")
    first = administrators[0]
    return first, *(person for person in people if person is not first)


def cap_of(text: str, network: NetworkProfile) -> tuple[str, TokenCap]:
    """Read `SYMBOL:a transaction:in 24 hours`, in whole units of that token."""
    symbol, per_transaction, rolling = (*text.split(":"), "", "")[:3]
    for token in network.tokens:
        if token.symbol == symbol and text.count(":") == 2:
            cap = TokenCap(amount_of(per_transaction, token.asset), amount_of(rolling, token.asset))
            return symbol, require_cap(cap)
    raise InvalidInput(
        "CAP_SYNTAX",
        f"{text!r}: write SYMBOL:PER_TRANSACTION:PER_24H for a token of {network.name}, such as"
        f" {network.tokens[0].symbol}:10000:25000",
    )


def require_cap(cap: TokenCap) -> TokenCap:
    """Raise InvalidInput when one transaction may be larger than all of a day."""
    if cap.per_transaction_minor > cap.rolling_24h_minor:
        raise InvalidInput("CAP_ORDER", "the cap a transaction is at most the cap of 24 hours")
    return cap


def token_address_of(text: str) -> tuple[str, str]:
    """Read `SYMBOL=0x…`."""
    symbol, equals, address = text.partition("=")
    if not equals:
        raise InvalidInput("TOKEN_ADDRESS_SYNTAX", f"{text!r}: write SYMBOL=0x…, such as MNEE=0x…")
    return symbol.strip(), chain_address(address)


def require_fit(
    policy_set: PolicySet, reporting: Asset, network: NetworkProfile, people: Sequence[Person]
) -> None:
    """Raise InvalidInput when no payment could ever pass under `policy_set`."""
    if policy_set.reporting != reporting:
        raise InvalidInput(
            "POLICY_REPORTING_CURRENCY",
            f"the policy's limits are in {policy_set.reporting.symbol}, the organization reports in"
            f" {reporting.symbol}: change one of them",
        )
    permitted = json.loads(policy_set.canonical)["pay_in"]
    pays = {token.symbol for token in network.tokens}
    if not any(
        int(entry["chain"]) == network.chain_id and entry["asset"] in pays for entry in permitted
    ):
        raise InvalidInput(
            "POLICY_OTHER_NETWORK",
            f"the policy lets nothing be paid on {network.name}: add {', '.join(sorted(pays))} on"
            f" chain {network.chain_id} to its pay_in",
        )
    voters = sum(person.may(Permission.APPROVALS_VOTE) for person in people)
    if policy_set.most_people_asked > voters:
        raise InvalidInput(
            "POLICY_UNDERSTAFFED",
            f"the policy may ask {policy_set.most_people_asked} people and {voters} may vote: add"
            " an approver or a cfo, or write tiers that ask fewer"
            " (samples/policies/single-person.yaml asks nobody)",
        )
