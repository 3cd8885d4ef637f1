"""Owns reading the treasury's figures. Must never sum history: balances are kept as they change."""

from treasurer.cash.model import Overview
from treasurer.db.engine import Database
from treasurer.kernel.clock import Clock
from treasurer.kernel.organization import Permission, Principal
from treasurer.ledger import store as ledger
from treasurer.payments import spending
from treasurer.payments.facts import cash_minor
from treasurer.payments.rail import Rail
from treasurer.prices.feed import Price, PriceFeed


class CashService:
    def __init__(self, *, database: Database, rail: Rail, prices: PriceFeed, clock: Clock) -> None:
        self._database = database
        self._rail = rail
        self._prices = prices
        self._clock = clock

    async def overview(self, principal: Principal) -> Overview:
        """The figures as the policy would see them now."""
        principal.require(Permission.TREASURY_READ)
        organization_id, now = principal.organization_id, self._clock()
        async with self._database.unit(organization_id) as connection:
            treasury = await spending.treasury(connection, organization_id, now)
            accounts = await ledger.all_balances(connection, organization_id)
        wallets = [account for account in accounts if account.code.startswith("wallet:")]
        balances = [wallet for wallet in wallets if wallet.asset != self._rail.native]
        prices = await self._read_prices(
            {balance.asset.symbol for balance in balances}, treasury.reporting.symbol
        )
        return Overview(
            as_of=now,
            reporting=treasury.reporting,
            live=treasury.live,
            frozen=treasury.frozen,
            balances=balances,
            gas=[wallet for wallet in wallets if wallet.asset == self._rail.native],
            bank_minor=treasury.bank_minor,
            cash_minor=cash_minor(treasury, balances, prices),
            burn_monthly_minor=treasury.burn_monthly_minor,
            in_flight_minor=treasury.in_flight_minor,
            settled_24h_minor=treasury.settled_24h_minor,
        )

    async def _read_prices(self, assets: set[str], currency: str) -> dict[str, Price]:
        found = {asset: await self._prices.price(asset, currency) for asset in sorted(assets)}
        return {asset: price for asset, price in found.items() if price is not None}
