"""Makes the sample PDF again: `python -m samples.make_pdf`. Must never be needed at run time.

reportlab comes with the dev extra. The file is committed, so that a base install has it.
"""

from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

TARGET = Path(__file__).parent / "invoices" / "qorvane-ql-1002.pdf"

_LEFT_PT, _TOP_PT, _LEADING_PT = 56, 780, 16
_LINES = (
    "From: Qorvane Logistics GmbH",
    "Speicherstrasse 14, Hamburg",
    "",
    "Bill to: Norwick Instruments Ltd",
    "Invoice date: 2026-11-12",
    "Due: 2026-12-12",
    "PO: PO-7781",
    "",
    "Container haulage Hamburg - Norwick, 3 units     3,900.00 USDC",
    "Customs handling                                   250.00 USDC",
    "",
    "Subtotal: 4,150.00",
    "VAT 0%: 0.00",
    "Total due: 4,150.00 USDC",
    "",
    "Pay to (USDC, chain 31337): 0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    "Reverse charge: VAT is accounted for by the recipient.",
)


def make(target: Path) -> None:
    """Write the PDF; the same bytes each time, because reportlab is told to leave out the clock."""
    canvas = Canvas(str(target), pagesize=A4, invariant=True)
    canvas.setTitle("Invoice QL-1002")
    canvas.setFont("Helvetica-Bold", 18)
    canvas.drawString(_LEFT_PT, _TOP_PT, "INVOICE QL-1002")
    canvas.setFont("Helvetica", 10)
    for position, line in enumerate(_LINES, start=2):
        canvas.drawString(_LEFT_PT, _TOP_PT - position * _LEADING_PT, line)
    canvas.save()


if __name__ == "__main__":
    make(TARGET)
