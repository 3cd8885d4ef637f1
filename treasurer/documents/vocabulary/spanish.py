"""The words of invoices in Spanish. `~` marks a weak label. Must never name a supplier."""

DAY_FIRST = True
WORDS = {
    "invoice_number": "número de factura|nº de factura|nº factura|n° factura|factura nº"
    "|factura n°|factura no|num factura|factura número|núm factura|número factura|factura núm"
    "|no de factura|~factura|~factura rectificativa|~factura simplificada",
    "issue_date": "fecha de factura|fecha de emisión|fecha factura|fecha de expedición"
    "|fecha emisión|~fecha",
    "due_date": "fecha de vencimiento|vencimiento|vence el|fecha vencimiento"
    "|fecha límite de pago|pagar antes del",
    "seller": "vendedor|proveedor|emisor|emitida por|razón social",
    "buyer": "cliente|facturar a|comprador|destinatario|datos del cliente|facturado a|receptor",
    "payable_amount": "total a pagar|importe a pagar|a pagar|importe pendiente|líquido a pagar"
    "|saldo pendiente|importe debido|total pendiente|líquido total"
    "|total a abonar|importe a abonar|resto a pagar|pendiente de pago|saldo a pagar"
    "|importe total a pagar|neto a pagar",
    "tax_inclusive_amount": "total factura|importe total|total con iva|total iva incluido"
    "|total general|importe total factura|total euros|importe factura|~total|~importe",
    "tax_exclusive_amount": "base imponible|total sin iva|importe neto|total neto"
    "|total base imponible|suma base|importe sin iva|neto",
    "line_total": "subtotal|suma|total líneas",
    "tax_amount": "total iva|cuota iva|importe iva|cuota|iva total|total impuestos|impuestos"
    "|cuota de iva|~iva|~igic",
    "charge_total": "gastos de envío|portes|envío|transporte",
    "allowance_total": "descuento|total descuento|dto",
    "prepaid_amount": "anticipo|pagado|ya pagado|entregado a cuenta|importe pagado|a cuenta",
    "rounding_amount": "redondeo",
    "currency": "moneda|divisa|importes en",
    "purchase_order": "número de pedido|nº pedido|su pedido|pedido|orden de compra|nº de pedido"
    "|su referencia",
    "seller_vat_id": "nif|cif|nif iva|nif cif|cif nif|nº iva|número de iva|número iva",
    "buyer_vat_id": "nif cliente|cif cliente|nif del cliente|cif del cliente",
    "pay_to_address": "pagar a|dirección de pago",
    "name": "nombre",
    "other": "dirección|teléfono|página|forma de pago|método de pago|cantidad|descripción"
    "|precio|precio unitario|número de cliente|nº cliente|fecha de entrega|fecha de pedido"
    "|código cliente|iban|bic|cuenta|banco|dirección de envío|dirección de entrega|referencia"
    "|albarán|correo electrónico|fecha pedido|domicilio|población|concepto|unidades",
}
