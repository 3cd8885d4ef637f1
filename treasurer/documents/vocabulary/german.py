"""The words of invoices in German. `~` marks a weak label. Must never name a supplier."""

DAY_FIRST = True
WORDS = {
    "invoice_number": "rechnungsnummer|rechnungs nr|rechnungsnr|rechnung nr|rechnung nummer"
    "|rechnungs no|rechnung no|re nr|beleg nr|belegnummer|belegnr|rechn nr|rg nr|dokumentnummer"
    "|gutschrift nr|gutschriftsnummer|rechnungskennung|rechnungs id|fakturanummer|~rechnung"
    "|~faktura|~gutschrift|~handelsrechnung|~schlussrechnung|~abschlagsrechnung|~teilrechnung"
    "|~korrekturrechnung",
    "issue_date": "rechnungsdatum|ausstellungsdatum|datum der rechnung|belegdatum|beleg datum"
    "|rechnungs datum|rg datum|rechnung vom|fakturadatum|~datum|~vom",
    "due_date": "fällig am|fälligkeitsdatum|fälligkeit|zahlbar bis|zahlungsziel|fällig"
    "|zahlbar bis zum|bitte überweisen sie bis zum|bitte zahlen sie bis|zu zahlen bis"
    "|fälligkeit der zahlung|zahlungsfrist|fällig bis|zahlbar am|netto fällig am"
    "|zahlbar ohne abschlag bis",
    "seller": "rechnungssteller|verkäufer|lieferant|rechnungsersteller|leistungserbringer"
    "|verkäuferin|absender|anbieter",
    "buyer": "rechnungsempfänger|rechnung an|kunde|käufer|käufer leistungsempfänger"
    "|leistungsempfänger|rechnungsadresse|rechnungsanschrift|auftraggeber|empfänger|besteller",
    "payable_amount": "zahlbetrag|zu zahlen|zu zahlender betrag|fälliger betrag|offener betrag"
    "|noch zu zahlen|zahlungsbetrag|zu überweisender betrag|restbetrag|offener rechnungsbetrag"
    "|zu zahlender gesamtbetrag|überweisungsbetrag|noch zu zahlender betrag|zahllast"
    "|restzahlung|verbleibender betrag|verbleibender zahlbetrag|restforderung|noch offen"
    "|offener restbetrag|jetzt zu zahlen|sofort zu zahlen|zu begleichen|zu begleichender betrag"
    "|zu überweisen|noch zu überweisen|gesamt zu zahlen",
    "tax_inclusive_amount": "gesamtbetrag|rechnungsbetrag|gesamtsumme|bruttobetrag|bruttosumme"
    "|endbetrag|gesamt brutto|summe brutto|gesamtbetrag brutto|rechnungssumme|summe inkl ust"
    "|summe inkl mwst|gesamtbetrag inkl mwst|gesamtbetrag inkl ust|rechnungsbetrag brutto"
    "|gesamt inkl mwst|endsumme|rechnungsendbetrag|gesamtpreis|summe inklusive ust"
    "|rechnungssumme brutto|rechnungssumme mit ust|rechnungsendbetrag brutto|betrag inkl mwst"
    "|~gesamt|~summe|~betrag|~brutto",
    "tax_exclusive_amount": "nettobetrag|nettosumme|summe netto|gesamt netto|gesamtbetrag netto"
    "|rechnungssumme ohne ust|gesamtbetrag ohne mwst|summe ohne ust|summe ohne mwst"
    "|rechnungsbetrag netto|netto gesamt|gesamt ohne mwst|rechnungssumme netto|basisbetrag"
    "|nettowert|netto summe|~netto",
    "line_total": "zwischensumme|warenwert|positionssumme|summe positionen|summe der positionen",
    "tax_amount": "umsatzsteuer|mehrwertsteuer|zzgl mwst|zzgl ust|zuzügl ust|zuzüglich mwst"
    "|steuerbetrag|mwst betrag|ust betrag|steuer gesamt|zuzüglich ust|zuzüglich umsatzsteuer"
    "|zzgl umsatzsteuer|mehrwertsteuerbetrag|umsatzsteuerbetrag|gesamtbetrag mwst"
    "|gesamtbetrag ust|zzgl mehrwertsteuer|summe umsatzsteuer|summe mwst|steuerbetrag in"
    "|gesamtsteuerbetrag|~mwst|~ust|~steuer|~+ ust",
    "charge_total": "versand|versandkosten|fracht|porto|gesamtbetrag der zuschläge"
    "|summe zuschläge|zuschläge|versandkostenpauschale|frachtkosten",
    "allowance_total": "rabatt|nachlass|gesamtbetrag der abschläge|summe abschläge|abschläge"
    "|abzüge",
    "prepaid_amount": "anzahlung|bereits gezahlt|bereits bezahlt|vorauszahlung"
    "|erhaltene anzahlungen|abzüglich anzahlung|geleistete anzahlungen"
    "|bereits geleistete zahlungen|abzgl anzahlung|gezahlter betrag|vorausbezahlter betrag"
    "|bereits gezahlte abschläge",
    "rounding_amount": "rundung|rundungsbetrag|rundungsdifferenz",
    "currency": "währung|rechnungswährung|belegwährung|alle beträge in|beträge in",
    "purchase_order": "bestellnummer|bestell nr|ihre bestellung|bestellung|ihre bestellnummer"
    "|ihr zeichen|ihre referenz|bestellung nr|referenz des käufers",
    "seller_vat_id": "ust idnr|ust id|ust id nr|umsatzsteuer id"
    "|umsatzsteuer identifikationsnummer|ustid|ustidnr|unsere ust idnr|uid|uid nummer|uid nr"
    "|mwst nr|ustid nr|unsere ust id",
    "buyer_vat_id": "ihre ust idnr|ihre ust id|ust idnr des kunden|ust idnr kunde|ihre ustid"
    "|ihre ust id nr|ihre umsatzsteuer id",
    "pay_to_address": "zahlung an|zahladresse",
    "name": "name|firma",
    "other": "kundennummer|kunden nr|kundennr|kd nr|seite|lieferdatum|leistungsdatum"
    "|liefer und leistungsdatum|liefertermin|auftragsnummer|auftrags nr|auftragsnr|bestelldatum"
    "|telefon|tel|fax|telefax|steuernummer|steuer nr|iban|bic|bank|konto|kontonummer|kto nr|blz"
    "|menge|preis|einzelpreis|beschreibung|bezeichnung|lieferadresse|lieferanschrift"
    "|warenempfänger|zahlungsbedingungen|zahlungsart|ansprechpartner|anschrift|nummer"
    "|bemerkungen|betreff|leistungszeitraum|lieferschein nr|lieferscheinnummer"
    "|lieferschein datum|vertrags nr|vertrags datum|handelsregister|geschäftsführer|auftrag nr"
    "|auftragsdatum|e mail|email|internet|skonto|steuersatz|umrechnungskurs|ihre nummer"
    "|ihre kundennummer|zahlungseingang|valuta|teilzahlung|liefer leistungszeitraum|kontoname"
    "|vertrag|währung der umsatzsteuerbuchung|art|pos|sachbearbeiter|vertragsnummer"
    "|mandatsreferenz|nettopreis",
}
