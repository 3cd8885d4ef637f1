"""Owns the names by which CII and its forerunners call the same parts. Must never read a value.

UN/CEFACT D16B to D22B share one namespace. ZUGFeRD 1.0 and its candidate of 2014 are older drafts of
the same message with other names for the groups and the same names for most values.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_STANDARD = "urn:un:unece:uncefact:data:standard:"


@dataclass(frozen=True, slots=True)
class Dialect:
    """`root` is Clark notation. A name is `prefix:Local`, as `xml.Node` takes it."""

    syntax: str
    root: str
    prefixes: Mapping[str, str]
    context: str
    guideline: str
    document: str
    transaction: str
    agreement: str
    settlement: str
    summation: str
    line_agreement: str
    line_delivery: str
    line_settlement: str
    line_summation: str
    percent: str
    order_id: str


_OLD_NAMES = {
    "context": "rsm:SpecifiedExchangedDocumentContext",
    "guideline": "ram:GuidelineSpecifiedDocumentContextParameter",
    "document": "rsm:HeaderExchangedDocument",
    "transaction": "rsm:SpecifiedSupplyChainTradeTransaction",
    "agreement": "ram:ApplicableSupplyChainTradeAgreement",
    "settlement": "ram:ApplicableSupplyChainTradeSettlement",
    "summation": "ram:SpecifiedTradeSettlementMonetarySummation",
    "line_agreement": "ram:SpecifiedSupplyChainTradeAgreement",
    "line_delivery": "ram:SpecifiedSupplyChainTradeDelivery",
    "line_settlement": "ram:SpecifiedSupplyChainTradeSettlement",
    "line_summation": "ram:SpecifiedTradeSettlementMonetarySummation",
    "percent": "ram:ApplicablePercent",
    "order_id": "ram:ID",
}

DIALECTS = (
    Dialect(
        syntax="CII D16B (CrossIndustryInvoice)",
        root=f"{{{_STANDARD}CrossIndustryInvoice:100}}CrossIndustryInvoice",
        prefixes={
            "rsm": f"{_STANDARD}CrossIndustryInvoice:100",
            "ram": f"{_STANDARD}ReusableAggregateBusinessInformationEntity:100",
        },
        context="rsm:ExchangedDocumentContext",
        guideline="ram:GuidelineSpecifiedDocumentContextParameter",
        document="rsm:ExchangedDocument",
        transaction="rsm:SupplyChainTradeTransaction",
        agreement="ram:ApplicableHeaderTradeAgreement",
        settlement="ram:ApplicableHeaderTradeSettlement",
        summation="ram:SpecifiedTradeSettlementHeaderMonetarySummation",
        line_agreement="ram:SpecifiedLineTradeAgreement",
        line_delivery="ram:SpecifiedLineTradeDelivery",
        line_settlement="ram:SpecifiedLineTradeSettlement",
        line_summation="ram:SpecifiedTradeSettlementLineMonetarySummation",
        percent="ram:RateApplicablePercent",
        order_id="ram:IssuerAssignedID",
    ),
    Dialect(
        syntax="CII ZUGFeRD 1.0 (CrossIndustryDocument)",
        root="{urn:ferd:CrossIndustryDocument:invoice:1p0}CrossIndustryDocument",
        prefixes={
            "rsm": "urn:ferd:CrossIndustryDocument:invoice:1p0",
            "ram": f"{_STANDARD}ReusableAggregateBusinessInformationEntity:12",
        },
        **_OLD_NAMES,
    ),
    Dialect(
        syntax="CII ZUGFeRD release candidate 2014 (rsm:Invoice, namespace CBFBUY:5)",
        root=f"{{{_STANDARD}CBFBUY:5}}Invoice",
        prefixes={"rsm": f"{_STANDARD}CBFBUY:5", "ram": ""},
        **_OLD_NAMES,
    ),
)

DIALECT_OF_ROOT: Mapping[str, Dialect] = {dialect.root: dialect for dialect in DIALECTS}
