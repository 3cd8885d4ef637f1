"""The words of invoices in Czech and Slovak. `~` marks a weak label. Must never name a supplier."""

DAY_FIRST = True
WORDS = {
    "invoice_number": "faktura č|číslo faktury|faktura číslo|faktura daňový doklad č"
    "|číslo dokladu|faktura daňový doklad|daňový doklad č|doklad č|variabilní symbol"
    "|faktura daňový doklad číslo|~faktura|~daňový doklad",
    "issue_date": "datum vystavení|datum vystavenia|vystaveno|dátum vystavenia|dne vystaveno"
    "|vystaveno dne|~datum|~dátum",
    "due_date": "datum splatnosti|splatnost|dátum splatnosti|splatnosť|splatno do|uhraďte do",
    "seller": "dodavatel|dodávateľ|prodávající|predávajúci",
    "buyer": "odběratel|odberateľ|zákazník|kupující|kupujúci|příjemce",
    "payable_amount": "k úhradě|celkem k úhradě|celkem k zaplacení|k úhrade|částka k úhradě"
    "|na úhradu|zbývá uhradit|suma na úhradu|celkom k úhrade|k zaplacení",
    "tax_inclusive_amount": "celkem s dph|celkem včetně dph|celková částka|celkom s dph"
    "|cena celkem|celková suma|celkem kč|celkem vč dph|částka celkem|~celkem|~celkom|~spolu",
    "tax_exclusive_amount": "základ daně|celkem bez dph|základ dane|celkom bez dph|základ dph"
    "|bez dph|základ",
    "line_total": "mezisoučet|medzisúčet|součet položek",
    "tax_amount": "dph celkem|výše dph|částka dph|dph spolu|celkem dph|suma dph|daň|~dph",
    "charge_total": "doprava|poštovné|dopravné",
    "allowance_total": "sleva|zľava",
    "prepaid_amount": "záloha|zaplaceno|uhrazeno|zaplatené|uhrazené zálohy|zaplaceno zálohou"
    "|uhradené",
    "rounding_amount": "zaokrouhlení|zaokrúhlenie|haléřové vyrovnání",
    "currency": "měna|mena",
    "purchase_order": "objednávka|číslo objednávky|objednávka č|vaše objednávka",
    "seller_vat_id": "dič|ič dph|dič dodavatele",
    "buyer_vat_id": "dič odběratele|dič zákazníka",
    "pay_to_address": "platební adresa",
    "name": "název|jméno",
    "other": "ičo|ič|telefon|tel|strana|způsob platby|forma úhrady|množství|popis|cena|adresa"
    "|konstantní symbol|specifický symbol|iban|bic|swift|číslo účtu|účet|banka|datum dodání"
    "|datum zdanitelného plnění|duzp|bankovní spojení|způsob úhrady|sazba|jednotka|místo určení"
    "|konečný příjemce|spôsob úhrady",
}
