"""Owns the payee's accounts (BT-84) of formats that name them. Data only, never a place to pay to."""

from collections.abc import Sequence

from treasurer.documents.accounts import first_iban
from treasurer.documents.addresses import find_addresses, report_checksum
from treasurer.documents.draft import Draft
from treasurer.documents.reading import Evidence, FieldValue


def put_accounts(draft: Draft, accounts: Sequence[tuple[str, Evidence]]) -> None:
    """Record the accounts as written, each once, then the IBAN and the wallet among them."""
    written: list[FieldValue] = []
    for account, evidence in accounts:
        if account not in written:
            written.append(account)
            draft.put("payee_accounts", written, evidence)
    draft.fields.setdefault("payee_accounts", written)
    found = dict(reversed(accounts))
    iban = first_iban([str(account) for account in written], draft)
    if iban is not None:
        printed = next(a for a in found if "".join(a.split()).upper() == iban)
        draft.put("iban", iban, found[printed])
    wallets = {
        address: evidence
        for account, evidence in accounts
        for address in find_addresses(account)[0]
    }
    for address in wallets:
        report_checksum(draft, address)
    if len({address.lower() for address in wallets}) > 1:
        draft.review(
            "MULTIPLE_ADDRESSES", "several payment addresses are named; ask why", "pay_to_address"
        )
    elif wallets:
        address, evidence = next(iter(wallets.items()))
        draft.put("pay_to_address", address, evidence)
