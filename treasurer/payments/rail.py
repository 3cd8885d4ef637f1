"""Owns by what an organization pays: network, tokens and how long an order stays valid. Pure."""

from dataclasses import dataclass

from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.money import Asset


@dataclass(frozen=True, slots=True)
class RailToken:
    """A pinned token. `peg` is the currency that its issuer redeems it for at par."""

    asset: Asset
    address: str
    peg: str


@dataclass(frozen=True, slots=True)
class Rail:
    """The network that payments leave by. `order_lifetime_s` bounds every order's `not_after`.

    `disperse` is the pinned contract that pays several payments at once; None where there is none.
    """

    chain_id: int
    network: str
    native: Asset
    tokens: tuple[RailToken, ...]
    order_lifetime_s: int
    disperse: str | None = None

    def token_for(self, currency: str) -> RailToken:
        """The token that settles an invoice in `currency`: itself, else the first one pegged to it."""
        for token in self.tokens:
            if token.asset.symbol == currency:
                return token
        for token in self.tokens:
            if token.peg == currency:
                return token
        raise InvalidInput(
            "CURRENCY_NOT_PAYABLE",
            f"no token of {self.network} settles {currency}; pay this invoice another way",
            currency=currency,
        )

    def token_of(self, symbol: str) -> RailToken:
        """The token of that symbol."""
        for token in self.tokens:
            if token.asset.symbol == symbol:
                return token
        raise InvalidInput("TOKEN_UNKNOWN", f"{symbol} is not pinned on {self.network}")

    def asset_at(self, address: str) -> Asset:
        """The asset of the token at `address`, which must be pinned."""
        for token in self.tokens:
            if token.address == address:
                return token.asset
        raise InvalidInput("TOKEN_UNKNOWN", f"{address} is not pinned on {self.network}")
