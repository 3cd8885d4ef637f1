"""Builds CII invoices for tests: our own sample, and the same invoice in the older dialects."""

import re

from tests.support.documents import SAMPLES

CII = (SAMPLES / "halden-hf-1007.cii.xml").read_text(encoding="utf-8")
_STANDARD = "urn:un:unece:uncefact:data:standard:"
_OLD_NAMES = {
    "rsm:CrossIndustryInvoice": "rsm:CrossIndustryDocument",
    "rsm:ExchangedDocumentContext": "rsm:SpecifiedExchangedDocumentContext",
    "rsm:ExchangedDocument": "rsm:HeaderExchangedDocument",
    "rsm:SupplyChainTradeTransaction": "rsm:SpecifiedSupplyChainTradeTransaction",
    "ram:ApplicableHeaderTrade": "ram:ApplicableSupplyChainTrade",
    "ram:SpecifiedTradeSettlementHeaderMonetarySummation": "ram:SpecifiedTradeSettlementMonetarySummation",
    "ram:SpecifiedTradeSettlementLineMonetarySummation": "ram:SpecifiedTradeSettlementMonetarySummation",
    "ram:SpecifiedLineTrade": "ram:SpecifiedSupplyChainTrade",
    "ram:RateApplicablePercent": "ram:ApplicablePercent",
    "ram:IssuerAssignedID": "ram:ID",
}


def cii(*changes: tuple[str, str]) -> str:
    """The sample with texts replaced, each of which must stand in it."""
    text = CII
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def zugferd1(text: str) -> str:
    """The same invoice as ZUGFeRD 1.0 wrote it."""
    for new, old in _OLD_NAMES.items():
        text = re.sub(rf"{new}(?=[\s>/A-Z])", old, text)
    text = text.replace(
        f"{_STANDARD}CrossIndustryInvoice:100", "urn:ferd:CrossIndustryDocument:invoice:1p0"
    )
    text = text.replace("InformationEntity:100", "InformationEntity:12")
    text = text.replace("UnqualifiedDataType:100", "UnqualifiedDataType:15")
    return re.sub(r"<(ram:\w*Amount)>", r'<\1 currencyID="USD">', text)


def candidate_2014(text: str) -> str:
    """The same invoice in the release candidate: no namespace below the groups, dates unwrapped."""
    text = zugferd1(text).replace("rsm:CrossIndustryDocument", "rsm:Invoice")
    text = text.replace("urn:ferd:CrossIndustryDocument:invoice:1p0", f"{_STANDARD}CBFBUY:5")
    text = re.sub(
        r"<ram:(\w+)><udt:DateTimeString format=\"102\">(\d+)</udt:DateTimeString></ram:\w+>",
        r'<\1 format="102">\2</\1>',
        text,
    )
    return re.sub(r"(</?)ram:", r"\1", text)
