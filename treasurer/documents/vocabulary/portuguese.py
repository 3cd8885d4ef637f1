"""The words of invoices in Portuguese. `~` marks a weak label. Must never name a supplier."""

DAY_FIRST = True
WORDS = {
    "invoice_number": "fatura nº|fatura n|fatura n°|número da fatura|nº da fatura|nº fatura"
    "|fatura número|factura nº|número da factura|número de fatura|nota fiscal nº|número da nota"
    "|fatura no|factura n°|fatura recibo nº|~fatura|~factura|~nota fiscal|~nota de crédito",
    "issue_date": "data da fatura|data de emissão|data emissão|data da factura|emitida em"
    "|emitido em|data fatura|~data",
    "due_date": "data de vencimento|vencimento|vence em|data limite de pagamento|pagar até"
    "|data vencimento|prazo de pagamento",
    "seller": "vendedor|fornecedor|emitente|prestador|remetente",
    "buyer": "cliente|comprador|destinatário|faturar a|tomador|adquirente|exmo s sr s",
    "payable_amount": "total a pagar|valor a pagar|a pagar|montante a pagar|saldo a pagar"
    "|valor em dívida|valor devido|total em dívida"
    "|valor total a pagar|valor líquido a pagar|líquido a pagar|saldo devedor",
    "tax_inclusive_amount": "total da fatura|valor total|total com iva|total geral"
    "|total iva incluído|montante total|total documento|total da factura|valor total da nota"
    "|total fatura|~total|~valor",
    "tax_exclusive_amount": "total sem iva|base tributável|valor líquido|total líquido"
    "|incidência|base de incidência|total ilíquido|líquido",
    "line_total": "subtotal|soma|total mercadoria",
    "tax_amount": "total iva|valor do iva|valor iva|total do iva|imposto|total impostos"
    "|total de iva|~iva",
    "charge_total": "portes|transporte|envio|frete|despesas de envio",
    "allowance_total": "desconto|total desconto|descontos",
    "prepaid_amount": "adiantamento|pago|já pago|valor pago|sinal",
    "rounding_amount": "arredondamento",
    "currency": "moeda|divisa|valores em",
    "purchase_order": "nº encomenda|número da encomenda|encomenda|vossa encomenda|pedido"
    "|ordem de compra",
    "seller_vat_id": "nif|contribuinte|nº contribuinte|nipc|cnpj|contribuinte nº|nif emitente"
    "|nº de contribuinte",
    "buyer_vat_id": "nif cliente|contribuinte cliente|nif do cliente|v nº contribuinte",
    "pay_to_address": "pagar para|endereço de pagamento",
    "name": "nome|designação social",
    "other": "morada|telefone|página|forma de pagamento|condições de pagamento|quantidade"
    "|descrição|preço|preço unitário|nº cliente|código cliente|data de entrega|local de entrega"
    "|iban|bic|swift|banco|referência|capital social|artigo|taxa|endereço|requisição|email"
    "|código",
}
