"""Owns the first page: what there is, how long it lasts, what waits, what was paid."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from dashboard.charts import Gauge, outflow_bars, runway_gauge
from dashboard.pages.policy import active_policy
from dashboard.render import Rendered
from dashboard.session import Provided, Reader
from policy.policy_set import PolicySet
from policy.rules.rolling_window import RollingWindow
from policy.rules.runway import Runway
from treasurer.cash.model import Overview
from treasurer.ledger.model import Balance
from treasurer.reports.briefing import WalletPlace

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Held:
    """One asset in one wallet. `wallet` is None for an account whose wallet is gone."""

    wallet: WalletPlace | None
    balance: Balance
    is_gas: bool


@router.api_route("/", methods=["GET", "HEAD"])
async def overview(
    request: Request, visitor: Reader, services: Provided, render: Rendered
) -> Response:
    """The treasury at a glance."""
    figures = await services.cash.overview(visitor.principal)
    briefing = await services.reports.briefing(visitor.principal)
    active = await active_policy(services, visitor.principal)
    return await render.page(
        request,
        visitor,
        "overview.html.j2",
        figures=figures,
        briefing=briefing,
        held=_held(figures, briefing.wallets),
        bars=outflow_bars(briefing.outflows, figures.reporting),
        gauge=_gauge(figures, active),
        window_limit_minor=_window_limit(active),
        used_24h_minor=figures.in_flight_minor + figures.settled_24h_minor,
    )


def _held(figures: Overview, wallets: Sequence[WalletPlace]) -> list[Held]:
    by_id = {str(wallet.id): wallet for wallet in wallets}
    return [
        Held(by_id.get(balance.code.split(":")[1]), balance, is_gas)
        for balances, is_gas in ((figures.balances, False), (figures.gas, True))
        for balance in balances
    ]


def _gauge(figures: Overview, active: PolicySet | None) -> Gauge | None:
    rules = active.rules if active else ()
    floors = next((rule for rule in rules if isinstance(rule, Runway)), None)
    if figures.runway_days is None:
        return None
    hard, soft = (floors.hard_days, floors.soft_days) if floors else (0, 0)
    return runway_gauge(figures.runway_days, hard, soft)


def _window_limit(active: PolicySet | None) -> int | None:
    rules = active.rules if active else ()
    return next((rule.limit_minor for rule in rules if isinstance(rule, RollingWindow)), None)
