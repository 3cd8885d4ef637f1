"""Owns the list of rules. Each entry makes, from a policy file, the rules that it asks for."""

from collections.abc import Callable
from typing import Final

from policy.document import PolicyDocument
from policy.rule import Rule
from policy.rules import (
    asset_and_network,
    available_balance,
    cooling_off,
    currency,
    duplicate,
    freeze,
    invoice_open,
    ledger_age,
    payee_verified,
    payment_limit,
    peg,
    price_age,
    rolling_window,
    runway,
    tiers,
)

RULES: Final[tuple[Callable[[PolicyDocument], tuple[Rule, ...]], ...]] = (
    tiers.from_document,
    freeze.from_document,
    ledger_age.from_document,
    currency.from_document,
    asset_and_network.from_document,
    payee_verified.from_document,
    cooling_off.from_document,
    duplicate.from_document,
    payment_limit.from_document,
    rolling_window.from_document,
    available_balance.from_document,
    invoice_open.from_document,
    price_age.from_document,
    peg.from_document,
    runway.from_document,
)
