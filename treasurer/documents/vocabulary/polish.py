"""The words of invoices in Polish. `~` marks a weak label. Must never name a supplier."""

DAY_FIRST = True
WORDS = {
    "invoice_number": "faktura nr|numer faktury|faktura vat nr|nr faktury|faktura numer"
    "|faktura vat|numer dokumentu|faktura korygująca nr|rachunek nr|~faktura|~rachunek",
    "issue_date": "data wystawienia|data faktury|wystawiono|wystawiona|wystawiono dnia"
    "|data wystawienia faktury|data dokumentu|~data|~z dnia|~dnia",
    "due_date": "termin płatności|termin zapłaty|płatne do|data płatności|zapłać do|do dnia",
    "seller": "sprzedawca|wystawca|dostawca|sprzedający",
    "buyer": "nabywca|kupujący|odbiorca|klient|płatnik",
    "payable_amount": "do zapłaty|należność ogółem|razem do zapłaty|kwota do zapłaty"
    "|pozostało do zapłaty|do zapłacenia|suma do zapłaty|kwota należności ogółem"
    "|pozostaje do zapłaty",
    "tax_inclusive_amount": "wartość brutto|razem brutto|suma brutto|kwota brutto"
    "|wartość faktury|ogółem brutto|brutto razem|łącznie brutto|~brutto|~razem|~suma|~ogółem"
    "|~łącznie",
    "tax_exclusive_amount": "wartość netto|razem netto|suma netto|kwota netto|ogółem netto"
    "|netto razem|~netto",
    "line_total": "suma pozycji|wartość pozycji",
    "tax_amount": "kwota vat|wartość vat|podatek vat|razem vat|suma vat|kwota podatku|podatek|~vat",
    "charge_total": "koszt dostawy|wysyłka|transport|przesyłka",
    "allowance_total": "rabat|upust",
    "prepaid_amount": "zaliczka|zapłacono|wpłacono|kwota zapłacona|przedpłata|już zapłacono"
    "|zapłacone",
    "rounding_amount": "zaokrąglenie",
    "currency": "waluta|kwoty w",
    "purchase_order": "numer zamówienia|nr zamówienia|zamówienie|zamówienie nr|państwa zamówienie",
    "seller_vat_id": "nip|nip sprzedawcy|nip ue|nr vat|numer vat",
    "buyer_vat_id": "nip nabywcy|nip kupującego",
    "pay_to_address": "adres płatności",
    "name": "nazwa|nazwa firmy",
    "other": "adres|telefon|tel|strona|sposób płatności|forma płatności|ilość|cena|nazwa towaru"
    "|regon|krs|data sprzedaży|data dostawy|numer klienta|konto|nr konta|numer konta|bank|iban"
    "|bic|swift|słownie|w tym|lp|miejsce wystawienia|metoda płatności|uwagi|numer rachunku"
    "|rachunek bankowy|jm|bdo",
}
