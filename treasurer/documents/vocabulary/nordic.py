"""The words of invoices in Swedish, Danish and Norwegian. `~` marks a weak label.

The three share most words, so they share a file. Must never name a supplier.
"""

DAY_FIRST = True
WORDS = {
    "invoice_number": "fakturanummer|fakturanr|faktura nr|faktura nummer|faktura no|fakt nr"
    "|kreditnota nr|kreditfaktura nr|kreditnotanummer|faktura id|~faktura|~kreditnota"
    "|~kreditfaktura",
    "issue_date": "fakturadatum|fakturadato|faktura dato|utställningsdatum|udstedelsesdato"
    "|utstedelsesdato|faktura datum|bilagsdato|udstedt|~datum|~dato",
    "due_date": "förfallodatum|förfallodag|forfaldsdato|forfallsdato|betalas senast"
    "|betalningsdag|forfald|forfall|betales senest|sista betalningsdag|förfaller|betalingsfrist"
    "|oss tillhanda senast|sidste rettidige betalingsdato|betalingsdato|oss tillhanda"
    "|förf datum|forfaller",
    "seller": "säljare|leverantör|sælger|leverandør|selger|avsändare|avsender|afsender",
    "buyer": "köpare|kund|køber|kunde|kjøper|mottagare|mottaker|modtager|faktureras till"
    "|fakturaadress|faktureres til|fakturaadresse|fakturamottagare|kundnamn",
    "payable_amount": "att betala|til betaling|at betale|å betale|belopp att betala"
    "|summa att betala|total å betale|til betaling i alt|beløp å betale|beløb at betale"
    "|attbetala|totalt att betala|skyldigt beløb|skyldig beløp|beløp til betaling"
    "|i alt til betaling|betalas|total til betaling",
    "tax_inclusive_amount": "totalt|total inkl moms|totalt inkl moms|totalbelopp|total inkl mva"
    "|totalt inkl mva|totalbeløb|totalbeløp|fakturabelopp|fakturabeløb|fakturabeløp|i alt"
    "|sum inkl mva|summa inkl moms|i alt inkl moms|total beløb|sum å betale|totalsum"
    "|summa totalt|ialt|i alt dkk|total med moms|~total|~summa|~sum|~beløb|~beløp|~belopp",
    "tax_exclusive_amount": "netto|nettobelopp|nettobeløb|nettobeløp|summa exkl moms"
    "|total ekskl moms|total exkl moms|sum ekskl mva|total eks mva|totalt exkl moms|nettosum"
    "|netto beløb|exkl moms|i alt ekskl moms|beløb ekskl moms|momsgrundlag|mva grunnlag"
    "|sum eks mva|subtotal ekskl moms|ekskl moms|netto beløp|summa netto|sum netto",
    "line_total": "delsumma|delsum|subtotal|varubelopp|varebeløb|varebeløp",
    "tax_amount": "momsbelopp|momsbeløb|mva beløp|total moms|moms totalt|merverdiavgift"
    "|totalt moms|moms i alt|sum mva|mervärdesskatt|momsbeløp|mva total|~moms|~mva",
    "charge_total": "frakt|fragt|porto|expeditionsavgift|gebyr|fakturaavgift|forsendelse"
    "|fakturagebyr",
    "allowance_total": "rabatt|rabat",
    "prepaid_amount": "betalt|förskott|forskud|forskudd|redan betalt|allerede betalt|a conto"
    "|inbetalt|innbetalt|forudbetalt",
    "rounding_amount": "öresavrundning|avrundning|afrunding|øreavrunding|øreafrunding"
    "|öresutjämning",
    "currency": "valuta|beløb i|beløp i|belopp i",
    "purchase_order": "ert ordernummer|er order|inköpsorder|indkøbsordre|innkjøpsordre"
    "|deres ordre|er referens|beställningsnummer|jeres ordrenr|deres referanse"
    "|bestillingsnummer|rekvisition|ordrereference",
    "seller_vat_id": "vat nr|momsreg nr|momsregistreringsnummer|moms nr|mva nr|org nr mva"
    "|cvr nr|cvr|se nr|momsregnr|momsnr|moms reg nr|momsnummer|cvr nummer|foretaksregisteret"
    "|vat nummer",
    "buyer_vat_id": "ert momsreg nr|kundens moms nr|jeres cvr|ert vat nr|kundens cvr",
    "pay_to_address": "betala till|betal til",
    "name": "navn|namn",
    "other": "kundnummer|kundenummer|kundenr|kundnr|ordernummer|ordrenummer|ordrenr|sida|side"
    "|telefon|tlf|tel|organisationsnummer|org nr|orgnr|bankgiro|plusgiro|iban|bic|swift|antal"
    "|antall|beskrivning|beskrivelse|pris|a pris|leveransadress|leveringsadresse|leveransdatum"
    "|leveringsdato|betalningsvillkor|betalingsbetingelser|betalingsvilkår|vår referens"
    "|vår referanse|vores reference|konto|kontonr|kontonummer|ocr|kid|dröjsmålsränta|orderdatum"
    "|ordredato|bank|reg nr|enhed|enhet|rente|ocr nummer|postgiro",
}
