"""Owns the audit events of the payee master. Pure; the payload never carries an e-mail address."""

from treasurer.audit.model import AuditEvent
from treasurer.kernel.organization import Principal
from treasurer.payees.model import Payee, PayeeAddress


def created(payee: Payee, principal: Principal) -> AuditEvent:
    """A payee came into the master, with what identifies it."""
    return AuditEvent(
        "payee",
        payee.id,
        "payee.created",
        {"code": payee.code, "name": payee.name, "vat_id": payee.vat_id, "iban": payee.iban},
        principal.user_id,
    )


def categorized(payee: Payee, category: str | None, principal: Principal) -> AuditEvent:
    """A payee was given another category, with both."""
    return AuditEvent(
        "payee",
        payee.id,
        "payee.categorized",
        {"before": payee.category, "after": category},
        principal.user_id,
    )


def address_event(kind: str, entry: PayeeAddress, principal: Principal, **more: str) -> AuditEvent:
    """Something happened to an address; filed under its payee, so that its history is in one place."""
    return AuditEvent(
        "payee",
        entry.payee_id,
        kind,
        {"address_id": str(entry.id), "chain_id": entry.chain_id, "address": entry.address, **more},
        principal.user_id,
    )
