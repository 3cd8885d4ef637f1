"""Owns the parties of a UBL invoice: seller, buyer, and what countries ask of them."""

from treasurer.documents.xml import Node

_SELLER = ("cac:AccountingSupplierParty", "cac:Party")
_BUYER = ("cac:AccountingCustomerParty", "cac:Party")
_PARTY_DETAILS = (
    ("seller_country", (*_SELLER, "cac:PostalAddress", "cac:Country", "cbc:IdentificationCode")),
    ("seller_city", (*_SELLER, "cac:PostalAddress", "cbc:CityName")),
    ("seller_post_code", (*_SELLER, "cac:PostalAddress", "cbc:PostalZone")),
    ("seller_contact", (*_SELLER, "cac:Contact", "cbc:Name")),
    ("seller_phone", (*_SELLER, "cac:Contact", "cbc:Telephone")),
    ("seller_email", (*_SELLER, "cac:Contact", "cbc:ElectronicMail")),
    ("buyer_country", (*_BUYER, "cac:PostalAddress", "cac:Country", "cbc:IdentificationCode")),
    ("buyer_city", (*_BUYER, "cac:PostalAddress", "cbc:CityName")),
    ("buyer_post_code", (*_BUYER, "cac:PostalAddress", "cbc:PostalZone")),
)


def put_parties(top: Node) -> None:
    """BG-4 and BG-7, with the creditor identifier (BT-90)."""
    _seller(top)
    _buyer(top)
    for name, place in _PARTY_DETAILS:
        top.put_first(name, *place)
    _creditor(top)


def _seller(top: Node) -> None:
    draft = top.draft
    party = top.child("cac:AccountingSupplierParty", "cac:Party")
    if party is None:
        return
    legal = party.child("cac:PartyLegalEntity", "cbc:RegistrationName")
    trading = party.child("cac:PartyName", "cbc:Name")
    legal_name = None if legal is None else legal.value()
    trading_name = None if trading is None else trading.value()
    if legal is not None and legal_name is not None:
        draft.put_xpath("seller", legal_name, legal.path)
    elif trading is not None and trading_name is not None:
        draft.put_xpath("seller", trading_name, trading.path)
    if trading is not None and trading_name not in (None, draft.text("seller")):
        draft.put_xpath("seller_trading_name", trading_name, trading.path)
    party.put("seller_legal_id", "cac:PartyLegalEntity", "cbc:CompanyID")
    for scheme in party.children("cac:PartyTaxScheme"):
        if scheme.text("cac:TaxScheme", "cbc:ID") == "VAT" and "seller_vat_id" not in draft.fields:
            scheme.put("seller_vat_id", "cbc:CompanyID")
        elif scheme.text("cac:TaxScheme", "cbc:ID") != "VAT":
            scheme.put("seller_tax_registration", "cbc:CompanyID")


def _buyer(top: Node) -> None:
    party = top.child("cac:AccountingCustomerParty", "cac:Party")
    if party is not None:
        party.put("buyer", "cac:PartyName", "cbc:Name")
        # BT-44 is the registered name where there is one.
        party.put("buyer", "cac:PartyLegalEntity", "cbc:RegistrationName")


def _creditor(top: Node) -> None:
    """BT-90 stands with the seller or with the payee."""
    for party in (("cac:AccountingSupplierParty", "cac:Party"), ("cac:PayeeParty",)):
        for node in top.walk(*party, "cac:PartyIdentification", "cbc:ID"):
            if node.element.get("schemeID") == "SEPA":
                node.put("creditor_id")
