"""Scores readings of the shared corpus against its manifest. Must know no file by its name."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.documents import same
from treasurer.documents.reading import Outcome, Reading

KEY_FIELDS = (
    "seller",
    "invoice_number",
    "issue_date",
    "currency",
    "tax_amount",
    "payable_amount",
    "iban",
)
"""What the issue asks of every structured document."""

STRUCTURED = ("ubl-invoice", "ubl-creditnote", "cii", "pdf-hybrid", "fatturapa", "edifact")


@dataclass(slots=True)
class Score:
    """Counts of one format. `wrong` and `held` name each file with what is wrong, for a person."""

    format: str
    documents: int = 0
    fields: int = 0
    right: int = 0
    key_fields: int = 0
    key_right: int = 0
    coherent: int = 0
    coherent_accepted: int = 0
    incoherent_accepted: int = 0
    wrong_payable_accepted: int = 0
    wrong: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)

    def add(self, row: dict[str, Any], reading: Reading) -> None:
        """Count one document."""
        wrong = wrong_fields(row, reading)
        scored = [name for name in row["expected"] if name not in _skipped(row)]
        keys = [name for name in KEY_FIELDS if name in scored]
        accepted = reading.outcome is Outcome.ACCEPTED
        self.documents += 1
        self.fields += len(scored)
        self.right += len(scored) - len(wrong)
        self.key_fields += len(keys)
        self.key_right += len(set(keys) - set(wrong))
        if row.get("arithmetic_findings"):
            self.incoherent_accepted += accepted
        else:
            self.coherent += 1
            self.coherent_accepted += accepted
            if not accepted:
                codes = sorted({f.code for f in reading.findings if f.severity.value != "note"})
                self.held.append(f"{row['file']}: {', '.join(codes)}")
        self.wrong_payable_accepted += accepted and "payable_amount" in wrong
        self.wrong += [
            f"{row['file']}: {name} read {str(reading.fields.get(name))[:90]!r}, "
            f"expected {str(row['expected'][name])[:90]!r}"
            for name in wrong
        ]


def wrong_fields(row: dict[str, Any], reading: Reading) -> list[str]:
    """Expected fields that were read otherwise; those that the manifest calls unreliable left out."""
    return [
        name
        for name, value in row["expected"].items()
        if name not in _skipped(row) and not same(reading.fields.get(name), value)
    ]


def score(
    rows: Iterable[dict[str, Any]], read: Callable[[dict[str, Any]], Reading]
) -> dict[str, Score]:
    """One score a format, in the order of the rows."""
    scores: dict[str, Score] = {}
    for row in rows:
        scores.setdefault(row["format"], Score(row["format"])).add(row, read(row))
    return scores


def table(scores: Sequence[Score]) -> str:
    """The scores as lines for a terminal."""
    lines = [
        f"{'format':<16}{'docs':>5}{'key fields':>13}{'all fields':>13}{'accepted':>11}"
        f"{'incoherent accepted':>21}{'wrong payable accepted':>24}"
    ]
    for row in scores:
        lines.append(
            f"{row.format:<16}{row.documents:>5}"
            f"{f'{row.key_right}/{row.key_fields}':>13}{f'{row.right}/{row.fields}':>13}"
            f"{f'{row.coherent_accepted}/{row.coherent}':>11}"
            f"{row.incoherent_accepted:>21}{row.wrong_payable_accepted:>24}"
        )
    return "\n".join(lines)


def _skipped(row: dict[str, Any]) -> Sequence[str]:
    skipped: Sequence[str] = row.get("unreliable_expected_fields", ())
    return skipped
