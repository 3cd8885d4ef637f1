"""The words of invoices in Italian. `~` marks a weak label. Must never name a supplier."""

DAY_FIRST = True
WORDS = {
    "invoice_number": "numero fattura|fattura n|fattura n°|fattura nr|fattura numero|n fattura"
    "|n° fattura|nr fattura|numero documento|fattura no|numero della fattura|n documento"
    "|nota di credito n|num fattura|~fattura|~nota di credito",
    "issue_date": "data fattura|data documento|data emissione|data di emissione"
    "|data della fattura|emessa il|~data|~del",
    "due_date": "data scadenza|scadenza|data di scadenza|scadenza pagamento|da pagare entro"
    "|pagamento entro il|scade il|entro il",
    "seller": "venditore|fornitore|cedente|cedente prestatore|mittente|emittente",
    "buyer": "cliente|destinatario|acquirente|cessionario|cessionario committente|fatturare a"
    "|intestatario|spett le|spettabile",
    "payable_amount": "totale da pagare|importo da pagare|netto a pagare|totale dovuto"
    "|importo dovuto|da pagare|saldo|totale a pagare|importo residuo|saldo dovuto"
    "|totale netto a pagare|residuo da pagare|netto da pagare",
    "tax_inclusive_amount": "totale fattura|totale documento|importo totale|totale complessivo"
    "|totale generale|totale iva inclusa|totale ivato|totale con iva|totale lordo|~totale"
    "|~importo",
    "tax_exclusive_amount": "imponibile|totale imponibile|totale netto|importo netto|netto"
    "|totale senza iva|totale iva esclusa|base imponibile",
    "line_total": "subtotale|totale merce|totale righe|totale parziale",
    "tax_amount": "totale iva|imposta|importo iva|totale imposta|iva totale|totale imposte|~iva",
    "charge_total": "spese di spedizione|trasporto|spedizione|spese di trasporto|spese",
    "allowance_total": "sconto|totale sconto|sconti",
    "prepaid_amount": "acconto|già pagato|pagato|acconto versato|anticipo|già versato",
    "rounding_amount": "arrotondamento",
    "currency": "valuta|divisa|importi in",
    "purchase_order": "numero ordine|ordine n|ordine|vostro ordine|vs ordine|n ordine|rif ordine",
    "seller_vat_id": "partita iva|p iva|part iva|p iva cf|cod fisc p iva"
    "|partita iva codice fiscale|piva",
    "buyer_vat_id": "partita iva cliente|p iva cliente",
    "pay_to_address": "pagare a|indirizzo di pagamento",
    "name": "nome|denominazione|ragione sociale",
    "other": "codice fiscale|indirizzo|telefono|pagina|modalità di pagamento"
    "|condizioni di pagamento|quantità|descrizione|prezzo|prezzo unitario|codice cliente"
    "|data consegna|data ordine|iban|bic|banca|codice|cap|riferimento|destinazione|pagamento"
    "|aliquota|sede|aliquota iva|rea|c f|cod cliente|ddt|causale",
}
