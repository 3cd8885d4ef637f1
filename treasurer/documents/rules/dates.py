"""Rules about dates. ISO dates compare as text."""

from treasurer.documents.draft import Draft
from treasurer.documents.rules.rule import Rule


def due_date(draft: Draft) -> None:
    """What was due before it was billed is a slip, was paid already, or is billed late, as insurance is.

    EN 16931 has no rule against it, so the reading is sound; the note makes intake hold the invoice.
    """
    issued, due = draft.text("issue_date"), draft.text("due_date")
    if issued is not None and due is not None and due < issued:
        draft.note(
            "DUE_BEFORE_ISSUE",
            "the due date lies before the issue date; see that it was not paid then",
            "due_date",
        )


def br_29(draft: Draft) -> None:
    """BT-74, the end of the invoicing period, is not before BT-73, its start."""
    start, end = draft.text("period_start"), draft.text("period_end")
    if start is not None and end is not None and end < start:
        draft.review("BR-29", "the invoicing period ends before it starts", "period_end")


RULES: tuple[Rule, ...] = (due_date, br_29)
