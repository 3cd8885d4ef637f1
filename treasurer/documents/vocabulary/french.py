"""The words of invoices in French. `~` marks a weak label. Must never name a supplier."""

DAY_FIRST = True
WORDS = {
    "invoice_number": "numéro de facture|facture n|facture no|n de facture|n facture"
    "|facture numéro|numéro facture|réf facture|facture n°|n° de facture|n° facture|avoir n°"
    "|avoir n|no de facture|numéro du document|référence facture|~facture|~avoir"
    "|~facture d'avoir|~note de crédit",
    "issue_date": "date de facture|date de la facture|date d'émission|date facture"
    "|date de facturation|émise le|émis le|date d'établissement|facture du|date de l'avoir"
    "|~date|~le|~du|~en date du",
    "due_date": "date d'échéance|échéance|à payer avant le|date limite de paiement|échéance le"
    "|date de règlement|à régler avant le|payable le|date de paiement|à payer au plus tard le"
    "|payable avant le|date limite de règlement|prélèvement le|date de prélèvement",
    "seller": "vendeur|fournisseur|émetteur|prestataire|émis par|vendu par|expéditeur",
    "buyer": "acheteur|facturé à|destinataire|client|adresse de facturation|nom du client"
    "|facturer à|adressé à|à l'attention de",
    "payable_amount": "net à payer|montant à payer|total à payer|montant dû|solde dû"
    "|reste à payer|reste dû|solde à payer|net à payer ttc|total dû|montant net à payer"
    "|somme à payer|montant à régler|total à régler|solde|montant prélevé"
    "|total de votre facture|net à régler"
    "|reste à régler|solde restant dû|montant restant dû|montant restant à payer|solde restant"
    "|total net à payer|montant net dû",
    "tax_inclusive_amount": "total ttc|montant ttc|montant total ttc|total général"
    "|total toutes taxes comprises|montant toutes taxes comprises|total facture|total t t c"
    "|montant total|total facture ttc|montant de la facture|total de la facture|total tvac"
    "|montant tvac|total tva comprise|~ttc|~total",
    "tax_exclusive_amount": "total ht|montant ht|montant total ht|total hors taxe"
    "|total hors taxes|total h t|net ht|total net ht|montant hors taxe|montant hors taxes"
    "|base ht|total htva|montant htva|total hors tva|~ht",
    "line_total": "sous total|sous total ht|total des lignes|total lignes",
    "tax_amount": "total tva|montant tva|total taxes|montant de la tva|total de la tva"
    "|tva collectée|total de tva|montant total tva|montant total de la tva|~tva|~taxes|~taxe",
    "charge_total": "frais de port|port|livraison|frais de livraison|frais d'expédition|frais",
    "allowance_total": "remise|rabais|remise totale|total remises|escompte",
    "prepaid_amount": "acompte|déjà payé|déjà réglé|acompte versé|montant déjà payé"
    "|acomptes versés|déjà versé|payé|réglé|acomptes",
    "rounding_amount": "arrondi|arrondis|montant arrondi",
    "currency": "devise|monnaie|montants exprimés en|montants en",
    "purchase_order": "bon de commande|numéro de commande|n de commande|votre commande"
    "|n° de commande|votre référence|commande n°|référence client",
    "seller_vat_id": "numéro de tva|tva intracommunautaire|n tva|n° tva"
    "|n° tva intracommunautaire|tva intra|identifiant tva|n° de tva|n° tva intra|numéro tva"
    "|n tva intracommunautaire|tva n°|id tva|n° de tva intracommunautaire"
    "|numéro de tva intracommunautaire|n° identification tva",
    "buyer_vat_id": "n° tva client|tva client|votre n° tva|n tva client|n° de tva client"
    "|numéro de tva client|votre numéro de tva",
    "pay_to_address": "payer à|adresse de paiement",
    "name": "nom|raison sociale|nom société",
    "other": "adresse de livraison|n° client|numéro client|n° de client|référence|réf|téléphone"
    "|tél|page|conditions de paiement|mode de paiement|mode de règlement|quantité|désignation"
    "|description|siret|siren|rcs|iban|bic|prix unitaire|contact commercial|contact"
    "|facture liée|réf marché|date de livraison|livré à|identifiant|date de commande|période"
    "|compte client|mobile|rib|banque|code client|naf|ape|e mail|courriel|capital|ligne|taux"
    "|taux tva|base",
}
