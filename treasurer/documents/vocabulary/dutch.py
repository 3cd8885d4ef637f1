"""The words of invoices in Dutch. `~` marks a weak label. Must never name a supplier."""

DAY_FIRST = True
WORDS = {
    "invoice_number": "factuurnummer|factuur nummer|factuurnr|factuur nr|factuur no"
    "|nummer factuur|fact nr|creditnotanummer|~factuur|~creditnota|~creditfactuur",
    "issue_date": "factuurdatum|factuur datum|datum factuur|datum van uitgifte|datum uitgifte"
    "|~datum|~d d",
    "due_date": "vervaldatum|uiterste betaaldatum|betalen voor|te betalen voor|vervaldag"
    "|betaaldatum|te voldoen voor|uiterlijk te betalen op|uiterlijk betalen op",
    "seller": "verkoper|leverancier|afzender",
    "buyer": "koper|klant|factuuradres|gefactureerd aan|factuur aan|klantgegevens|klantnaam"
    "|factureren aan",
    "payable_amount": "te betalen|totaal te betalen|te betalen bedrag|openstaand bedrag"
    "|te voldoen|nog te betalen|openstaand saldo|totaal te voldoen|verschuldigd bedrag"
    "|restant|restbedrag|resterend bedrag|nog te voldoen|totaal nog te betalen",
    "tax_inclusive_amount": "factuur totaal|factuurtotaal|totaalbedrag|totaal incl btw"
    "|totaal inclusief btw|factuurbedrag|totaal bedrag|eindtotaal|inclusief btw|incl btw"
    "|totaal inclusief|bedrag incl btw|totaal incl|~totaal|~bedrag",
    "tax_exclusive_amount": "totaal excl btw|totaal exclusief btw|exclusief btw|excl btw"
    "|nettobedrag|netto|bedrag excl btw|totaal netto|grondslag|totaal excl|totaal exclusief"
    "|netto bedrag",
    "line_total": "subtotaal|sub totaal",
    "tax_amount": "btw bedrag|totaal btw|btw totaal|bedrag btw|btw hoog|~btw",
    "charge_total": "verzendkosten|vracht|vrachtkosten|bezorgkosten",
    "allowance_total": "korting|totaal korting",
    "prepaid_amount": "aanbetaling|reeds betaald|betaald|vooruitbetaald|reeds voldaan|voldaan"
    "|al betaald",
    "rounding_amount": "afronding|afrondingsverschil",
    "currency": "valuta|munteenheid|bedragen in",
    "purchase_order": "inkoopnummer|inkoopordernummer|uw ordernummer|uw bestelling"
    "|uw referentie|bestelnummer|uw inkoopnummer|uw kenmerk",
    "seller_vat_id": "btw nummer|btw nr|btw id|btw identificatienummer|btw|ons btw nummer"
    "|btwnummer|btw no",
    "buyer_vat_id": "uw btw nummer|uw btw nr|btw nummer klant|uw btw id|btw nummer afnemer"
    "|btw nr klant",
    "pay_to_address": "betalen aan|betaaladres",
    "name": "naam|bedrijfsnaam",
    "other": "klantnummer|klantnr|ordernummer|orderdatum|order|pagina|telefoon|tel|kvk"
    "|kvk nummer|iban|bic|aantal|omschrijving|prijs|prijs per stuk|artikel|afleveradres"
    "|leverdatum|betalingsvoorwaarden|betaalwijze|besteldatum|kopie factuur|referentie"
    "|hoeveelheid|kenmerk|periode|debiteurnummer|leveringsdatum|betalingskenmerk|rekeningnummer"
    "|contactpersoon|e mail|website|relatienummer|kvk nr|stuks",
}
