"""Rules about payment instructions (BG-16): what a way to pay needs."""

from treasurer.documents.draft import Draft
from treasurer.documents.rules.rule import Rule, rows

_CREDIT_TRANSFERS = frozenset({"30", "58"})


def br_61(draft: Draft) -> None:
    """A credit transfer names the account to pay to (BT-84). We pay to wallets that we verified, so its
    absence is noted and holds nothing.
    """
    means = rows(draft, "payment_means")
    if not any(row.get("code") in _CREDIT_TRANSFERS for row in means):
        return
    if not draft.fields.get("payee_accounts") and draft.fields.get("pay_to_address") is None:
        draft.note(
            "BR-61",
            "a transfer is asked for, but no account is named; ask the seller",
            "payee_accounts",
        )


RULES: tuple[Rule, ...] = (br_61,)
