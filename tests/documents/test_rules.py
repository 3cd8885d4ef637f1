"""Each rule over drafts that break it and drafts that do not."""

from typing import Any

import pytest

from treasurer.documents.checks import check
from treasurer.documents.draft import Draft
from treasurer.documents.reading import Severity

GERMAN = {
    "profile": "urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0",
    "seller_country": "DE", "buyer_country": "DE", "seller_city": "Kiel", "seller_post_code": "24103",
    "seller_contact": "Ada", "seller_phone": "0431 1", "seller_email": "a@halden.example",
    "buyer_city": "Ulm", "buyer_post_code": "89073", "buyer_reference": "04011000-1",
}  # fmt: skip
IBAN = "DE89370400440532013000"
SWEDISH = {
    "profile": "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0",
    "seller_country": "SE",
}


def line(net: str, category: str = "S", rate: str | None = "25", **more: Any) -> dict[str, Any]:
    return {"net_amount": net, "quantity": "1", "price": net, "vat_category": category,
            "vat_rate": rate, **more}  # fmt: skip


def vat(
    base: str, tax: str, category: str = "S", rate: str | None = "25", **more: Any
) -> dict[str, Any]:
    return {"taxable": base, "tax": tax, "category": category, "rate": rate, **more}


def means(code: str, **more: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("account", "card", "mandate", "payer_account", "bic"))
    return {"code": code, **empty, **more}


def found(**fields: Any) -> dict[str, Severity]:
    """Codes and severities of a coherent e-invoice with these fields."""
    draft = Draft("cii", structured=True)
    draft.fields.update(
        seller="Halden Freight AS", invoice_number="HF-1", issue_date="2026-11-20", currency="EUR",
        payable_amount="125.00", type_code="380", document_kind="invoice",
    )  # fmt: skip
    draft.fields.update(fields)
    check(draft)
    return {finding.code: finding.severity for finding in draft.findings}


def reviewed(**fields: Any) -> set[str]:
    return {code for code, severity in found(**fields).items() if severity is Severity.REVIEW}


@pytest.mark.parametrize(
    ("rows", "total", "holds"),
    [
        ([line("60.00"), line("40.00")], "100.00", True),
        ([line("60.00"), line("40.00")], "100.01", False),
        ([line("100.003"), line("0.001")], "100.00", True),
        ([line("100.00"), {"id": "2", "net_amount": None}], "100.00", True),
        ([line("100.00"), line("50.00", status="INFORMATION")], "100.00", True),
        ([line("100.00", status="GROUP"), line("60.00", status="DETAIL"),
          line("40.00", status="DETAIL")], "100.00", True),
        ([line("100.00"), line("60.00", parent="1"), line("40.00", parent="1")], "100.00", True),
        ([line("100.00"), {"quantity": "1", "net_amount": None}], "70.00", True),
    ],
)  # fmt: skip
def test_lines_make_up_the_total(rows, total, holds):
    assert ("BR-CO-10" not in reviewed(lines=rows, line_total=total)) is holds


@pytest.mark.parametrize(
    ("amounts", "charge", "fields", "code"),
    [
        (["10.00", "5.00"], False, {"allowance_total": "15.00"}, None),
        (["10.00", "5.00"], False, {"allowance_total": "10.00"}, "BR-CO-11"),
        (["-10.00", "-5.00"], False, {"allowance_total": "15.00"}, None),
        (["-10.00"], False, {"allowance_total": "-10.00"}, None),
        (["3.00"], True, {"charge_total": "3.00"}, None),
        (["3.00"], True, {"charge_total": "4.00"}, "BR-CO-12"),
        (["3.00"], True, {"allowance_total": "4.00"}, None),
    ],
)
def test_allowances_and_charges_make_up_their_totals(amounts, charge, fields, code):
    rows = [{"charge": charge, "amount": amount} for amount in amounts]
    assert reviewed(allowance_charges=rows, **fields) == ({code} if code else set())


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        (vat("100.00", "25.00"), True),
        (vat("100.00", "25.99"), True),
        (vat("100.00", "26.00"), False),
        (vat("100.00", "0.00"), False),
        (vat("-100.00", "-25.00"), True),
        (vat("100.00", "25.00", rate=None), True),
    ],
)
def test_tax_of_a_category_follows_from_base_and_rate(row, holds):
    assert ("BR-CO-17" not in reviewed(vat_breakdown=[row])) is holds


@pytest.mark.parametrize(
    ("category", "family"),
    [("Z", "BR-Z"), ("E", "BR-E"), ("AE", "BR-AE"), ("K", "BR-IC"), ("G", "BR-G"), ("O", "BR-O")],
)
def test_categories_without_vat_bear_none(category, family):
    free = line("100.00", category, "0")
    assert reviewed(lines=[free], vat_breakdown=[vat("100.00", "0.00", category, "0")]) == set()
    assert reviewed(lines=[{**free, "vat_rate": "25"}]) == {f"{family}-05"}
    assert f"{family}-09" in reviewed(vat_breakdown=[vat("0.50", "0.50", category, "0")])
    assert f"{family}-08" in reviewed(
        lines=[free], vat_breakdown=[vat("90.00", "0.00", category, "0")]
    )


def test_standard_category_has_a_rate():
    assert reviewed(lines=[line("100.00", rate="0")]) == {"BR-S-05"}


def test_bases_count_allowances_and_charges_of_their_category():
    adjusted = [
        {"charge": False, "amount": "10.00", "vat_category": "S", "vat_rate": "25"},
        {"charge": True, "amount": "4.00", "vat_category": "S", "vat_rate": "12"},
    ]
    lines = [line("100.00"), line("50.00", rate="12")]
    good = [vat("90.00", "22.50"), vat("54.00", "6.48", rate="12.0")]
    assert reviewed(lines=lines, allowance_charges=adjusted, vat_breakdown=good) == set()
    unsplit = {"lines": lines, "vat_breakdown": good, "allowance_total": "10", "charge_total": "4"}
    assert reviewed(**unsplit) == set()
    bad = [vat("100.00", "25.00"), vat("54.00", "6.48", rate="12")]
    assert reviewed(lines=lines, allowance_charges=adjusted, vat_breakdown=bad) == {"BR-S-08"}


def test_missing_exemption_reason_is_only_noted():
    rows = [vat("100.00", "0.00", "AE", "0", exemption=None)]
    assert found(vat_breakdown=rows) == {"BR-AE-10": Severity.NOTE}
    rows = [vat("100.00", "0.00", "AE", "0", exemption="Reverse charge")]
    assert found(vat_breakdown=rows) == {}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"type_code": "381", "document_kind": "credit_note"}, "CREDIT_NOTE"),
        ({"type_code": "384"}, "CORRECTED_INVOICE"),
        ({"type_code": "325"}, "PRO_FORMA"),
        ({"type_code": "751"}, "NOT_AN_INVOICE"),
        ({"type_code": "310"}, "NOT_AN_INVOICE"),
        ({"type_code": "393"}, "CLAIM_ASSIGNED"),
        ({"payment_means": [means("59")]}, "COLLECTED_BY_SELLER"),
        ({"payments": [{"method": "MP19"}]}, "COLLECTED_BY_SELLER"),
        ({"payment_means": [means("58")]}, "BR-61"),
    ],
)
def test_what_may_not_simply_be_paid_is_noted(fields, code):
    assert found(**fields) == {code: Severity.NOTE}


def test_period_ends_after_it_starts():
    assert reviewed(period_start="2026-10-01", period_end="2026-10-31") == set()
    assert reviewed(period_start="2026-10-31", period_end="2026-10-01") == {"BR-29"}


@pytest.mark.parametrize(
    ("rows", "more", "codes"),
    [
        ([means("58", account=IBAN)], {}, set()),
        ([means("58")], {}, {"DE-R-023"}),
        ([means("58", account=IBAN, card="1234")], {}, {"DE-R-023"}),
        ([means("48")], {}, {"DE-R-024"}),
        ([means("59", mandate="M", payer_account=IBAN)], {"creditor_id": "DE98ZZZ09999999999"}, set()),
        ([means("59", mandate="M", payer_account=IBAN)], {}, {"DE-R-030"}),
        ([means("59", mandate="M")], {"creditor_id": "DE98"}, {"DE-R-031"}),
        ([means("59", mandate="M", payer_account="AS28192373298")], {"creditor_id": "DE98"},
         {"DE-R-020"}),
    ],
)  # fmt: skip
def test_german_ways_to_pay_stand_with_their_own_particulars(rows, more, codes):
    assert reviewed(**GERMAN, **more, payment_means=rows, payee_accounts=[IBAN]) == codes


def test_german_formalities_are_only_noted():
    fields = {**GERMAN, "seller_phone": None, "payment_means": []}
    assert found(**fields) == {"DE-R-006": Severity.NOTE, "DE-R-001": Severity.NOTE}


def test_national_rules_hold_for_their_own_country_and_profile_only():
    rows = [means("58")]
    assert reviewed(**{**GERMAN, "profile": "urn:cen.eu:en16931:2017"}, payment_means=rows) == set()
    peppol = {**GERMAN, "profile": SWEDISH["profile"]}
    assert reviewed(**peppol, payment_means=rows) == {"DE-R-023"}
    assert reviewed(**{**peppol, "buyer_country": "AT"}, payment_means=rows) == set()


@pytest.mark.parametrize(
    ("statement", "codes"),
    [("Godkänd för F-skatt", set()), ("5567321707", {"SE-R-005"}), (None, set())],
)
def test_swedish_seller_is_approved_for_f_tax(statement, codes):
    assert reviewed(**SWEDISH, seller_tax_registration=statement) == codes


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({**SWEDISH, "seller_vat_id": "SE5567321707"}, "SE-R-001"),
        ({**SWEDISH, "seller_legal_id": "556732-1707"}, "SE-R-003"),
        ({**SWEDISH, "vat_breakdown": [vat("100.00", "20.00", rate="20")]}, "SE-R-006"),
        ({**SWEDISH, "payment_means": [means("30", account="12-34", bic="SE:BANKGIRO")],
          "payee_accounts": ["12-34"]}, "SE-R-007"),
        ({**SWEDISH, "seller_country": "NO", "seller_vat_id": "NO123456789MVA"}, "NO-R-001"),
        ({**SWEDISH, "seller_country": "DK"}, "DK-R-002"),
    ],
)  # fmt: skip
def test_national_numbers_are_noted(fields, code):
    assert found(**fields) == {code: Severity.NOTE}
