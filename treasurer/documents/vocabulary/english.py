"""The words of invoices in English. `~` marks a weak label. Must never name a supplier."""

DAY_FIRST = False
WORDS = {
    "invoice_number": "invoice number|invoice no|invoice nr|invoice id|invoice num|invoice ref"
    "|inv no|inv number|bill number|bill no|tax invoice no|tax invoice number|invoice reference"
    "|document number|document no|receipt number|receipt no|credit note number|credit note no"
    "|~invoice|~tax invoice|~bill|~credit note|~commercial invoice|~receipt",
    "issue_date": "invoice date|date of invoice|date of issue|issue date|issued on|issued"
    "|billing date|tax invoice date|bill date|document date|invoice issue date|date issued"
    "|credit note date|tax point date|~date|~dated",
    "due_date": "due date|payment due date|payment due|due by|due on|due|pay by|payable by"
    "|date due|please pay by|payment date due|pay before",
    "seller": "from|seller|supplier|vendor|sold by|issued by|issuer|seller name|supplier name"
    "|vendor name|service provider|bill from|invoice from",
    "buyer": "bill to|billed to|buyer|customer|client|sold to|invoice to|invoiced to"
    "|billing address|invoice address|customer name|client name|buyer name|billing details"
    "|recipient|to",
    "payable_amount": "total due|amount due|balance due|total amount due|amount payable"
    "|total payable|payable amount|total to pay|amount to pay|net payable|outstanding balance"
    "|total balance due|balance payable|residual|amount outstanding|invoice balance"
    "|pay this amount|please pay|total amount payable|amount owing|due for payment"
    "|amount due for payment|outstanding"
    "|due now|payable now|now due|due today|net amount due|net due|net amount payable"
    "|remaining balance|remaining amount due|remaining balance due|balance remaining"
    "|balance to pay|remaining to pay|open amount|open balance|amount due now|amount now due"
    "|total now due",
    "tax_inclusive_amount": "grand total|total|invoice total|total amount|invoice amount"
    "|total price|total incl vat|total including vat|total including tax|total incl tax"
    "|total inc vat|total inc gst|gross total|gross amount|total gross|total incl gst"
    "|total incl of gst|total inclusive of gst|total inclusive gst|total sales inclusive gst"
    "|total with vat|total with tax|total amount incl vat|total including gst"
    "|total for this invoice|invoice total amount|total amount with vat|order total"
    "|total invoice amount|total amt|~amount",
    "tax_exclusive_amount": "net total|total net|net amount|total excl vat|total excluding vat"
    "|total excluding tax|total ex vat|total before tax|taxable amount|total without vat"
    "|total excl tax|total excl gst|total excl of gst|total net amount|total excluding gst"
    "|net value|total amount excl vat|invoice total without vat|untaxed amount"
    "|total exclusive of gst|taxable value|total taxable value|~net",
    "line_total": "subtotal|sub total|total items|items total|line total|total of lines"
    "|sum of lines",
    "tax_amount": "total vat|vat amount|total tax|tax amount|sales tax|tax total|total taxes"
    "|total gst|gst amount|vat total|total amount of vat|igst|sales vat|~vat|~tax|~gst|~taxes"
    "|~add vat|~plus vat",
    "charge_total": "freight|shipping|shipping and handling|delivery charge|handling|delivery"
    "|postage|total charges|surcharge|shipping fee|delivery fee",
    "allowance_total": "discount|total discount|total discounts|total allowances|less discount"
    "|credits|promotional discount",
    "prepaid_amount": "prepaid|paid|already paid|amount paid|deposit|deposit paid"
    "|payments received|less payments|total paid|prepayment|advance payment|prepaid amount"
    "|less paid|payments|payment received|less deposit",
    "rounding_amount": "rounding|rounding adjustment|rounding amount|round off|rounding adj",
    "currency": "currency|invoice currency|document currency|all amounts in|amounts in"
    "|currency code",
    "purchase_order": "po|po number|po no|purchase order|purchase order number"
    "|purchase order no|your order|order reference|customer po|your reference|your po"
    "|buyer reference",
    "seller_vat_id": "vat id|vat no|vat number|vat reg no|vat registration number|tax id"
    "|seller vat id|our vat number|vat registration no|tax number|vat identification number"
    "|vat reg|company vat|supplier vat|supplier vat number|vat|gst registration number",
    "buyer_vat_id": "your vat number|customer vat number|customer vat|buyer vat|client vat"
    "|your vat id|your vat no|customer vat id|customer vat no|buyer vat id|your tax id"
    "|customer tax id",
    "pay_to_address": "pay to|payment address|wallet|wallet address|remit to|pay to address",
    "name": "name|company|company name",
    "other": "order number|order no|order id|order date|customer number|customer no|customer id"
    "|account number|account no|delivery date|ship to|shipping address|delivery address"
    "|deliver to|page|phone|telephone|tel|fax|email|e mail|website|terms|payment terms|quantity"
    "|qty|description|unit price|price|reference|ref|iban|bic|swift|bank|sort code"
    "|payment method|service tax|company reg no|gst reg no|gst no|registration number|cashier"
    "|cash|change|payment|notes|attn|attention|sales contact|agreement ref|project|contract"
    "|change due|delivery note|tax rate|vat rate|base|item|product|gst summary|change amount"
    "|cash received|number|address|contact|delivery terms|statement number|billing period"
    "|service period|period|date of supply|vat tin|total items qty|total quantity|total qty"
    "|total item s|total weight",
}
