"""Owns how an amount owed becomes an execution order. Pure; must never quote but at par.

The recipient is the caller's, who has it from the payee master alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import OrganizationId, PaymentId
from treasurer.kernel.money import Asset
from treasurer.kernel.order import ExecutionOrder, OrderItem, Quote
from treasurer.payments.facts import reporting_amount
from treasurer.payments.rail import Rail, RailToken
from treasurer.payments.wallets import Wallet
from treasurer.prices.feed import Price


@dataclass(frozen=True, slots=True)
class Owed:
    """What of an invoice a payment is about, in base units of the invoice's currency."""

    currency: Asset
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Offer:
    """An order with the token that it pays in, and its amount in reporting currency, rounded up."""

    order: ExecutionOrder
    asset: Asset
    reporting_amount_minor: int


def offer(
    organization_id: OrganizationId,
    payment_id: PaymentId,
    owed: Owed,
    recipient: str,
    *,
    rail: Rail,
    wallets: Sequence[Wallet],
    prices: Mapping[str, Price],
    reporting: Asset,
    now: datetime,
) -> Offer:
    """The order that pays `owed` to `recipient` from any of `wallets`, at the prices of now.

    Raises InvalidInput (CURRENCY_NOT_PAYABLE, QUOTE_UNAVAILABLE, PEG_BROKEN, WALLET_MISSING).
    """
    token = rail.token_for(owed.currency.symbol)
    price = prices.get(token.asset.symbol)
    if price is None:
        raise InvalidInput("QUOTE_UNAVAILABLE", f"{token.asset.symbol} has no price now")
    if not wallets:
        raise InvalidInput("WALLET_MISSING", f"enrol a wallet on {rail.network} first")
    not_after = (now + timedelta(seconds=rail.order_lifetime_s)).replace(microsecond=0)
    quote = _quote(owed, token, price, not_after)
    amount_minor = price.rate.convert(owed.amount_minor, owed.currency, token.asset)
    order = ExecutionOrder(
        organization_id=organization_id,
        chain_id=rail.chain_id,
        token=token.address,
        token_decimals=token.asset.decimals,
        items=(OrderItem(payment_id, recipient, amount_minor),),
        permitted_wallets=tuple(sorted(wallet.address for wallet in wallets)),
        quote=quote,
        not_after=not_after,
    )
    return Offer(order, token.asset, reporting_amount(amount_minor, token.asset, price, reporting))


def _quote(owed: Owed, token: RailToken, price: Price, valid_until: datetime) -> Quote:
    """How the invoice's amount becomes the token's. Only par is quoted: the invoice is in the token
    itself or in the currency that the token is redeemed for, and the peg holds.
    """
    if owed.currency.symbol not in (token.asset.symbol, token.peg):
        raise InvalidInput("QUOTE_UNAVAILABLE", f"no rate from {owed.currency.symbol} is known")
    if not price.in_peg_band or price.rate.numerator != price.rate.denominator:
        raise InvalidInput(
            "PEG_BROKEN", f"{token.asset.symbol} is off its peg; people must look at this payment"
        )
    return Quote(
        invoice_currency=owed.currency.symbol,
        invoice_amount_minor=owed.amount_minor,
        invoice_decimals=owed.currency.decimals,
        rate_numerator=price.rate.numerator,
        rate_denominator=price.rate.denominator,
        sources=price.sources,
        as_of=price.as_of.replace(microsecond=0),
        valid_until=valid_until,
    )
