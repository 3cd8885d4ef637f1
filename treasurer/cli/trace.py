"""`treasurer trace`: from a transaction back to the document's bytes. Must never change anything."""

import asyncio
from typing import Any

import click


@click.command()
@click.argument("transaction", metavar="TX_HASH")
@click.option(
    "--user",
    "email",
    metavar="EMAIL",
    help="One of the organization's people; else the organization of this installation.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def trace(transaction: str, email: str | None, as_json: bool) -> None:
    """Walk from a transaction to transfer, payment, decisions, votes, invoice, reading and bytes.

    Exits 1 when a digest on the way does not hold.
    """
    found = asyncio.run(_traced(transaction, email))
    if as_json:
        from treasurer.reports.provenance import to_json

        click.echo(to_json(found))
    else:
        click.echo("\n".join(in_words(found)))
    if not holds(found):
        raise SystemExit(1)


async def _traced(transaction: str, email: str | None) -> dict[str, Any]:
    from treasurer.cli.attached import attached_core
    from treasurer.cli.own_organization import email_or_own
    from treasurer.kernel.errors import NotFound
    from treasurer.reports.provenance import transaction_hash
    from treasurer.settings import Settings

    hash_ = transaction_hash(transaction)
    settings = Settings()
    email = email_or_own(settings, email)
    async with attached_core(settings) as core:
        user = await core.identity.user_of(email)
        found = await core.reports.provenance(user.principal, core.network.chain_id, hash_)
    if found is None:
        raise NotFound("TRANSACTION_UNKNOWN", "this organization signed no such transaction")
    return found


def holds(found: dict[str, Any]) -> bool:
    """Whether every digest on the way is that of the bytes that stand there."""
    return all(
        item["order_digest_holds"]
        and (item["invoice"] is None or item["invoice"]["document"]["sha256_holds"])
        for item in found["items"]
    )


def in_words(found: dict[str, Any]) -> list[str]:
    """The way back, a line a step."""
    transfer = found["transfer"]
    lines = [
        f"transaction {found['transaction_hash']} on chain {found['chain_id']}",
        f"transfer    {transfer['id']} {transfer['state']}, nonce {transfer['nonce']} of"
        f" {transfer['sender']}, attempt {transfer['attempt']} ({transfer['kind']})",
    ]
    if transfer["block_number"] is not None:
        lines.append(f"block       {transfer['block_number']} {transfer['block_hash']}")
    for item in found["items"]:
        lines += ["", *_item(item)]
    return lines


def _item(item: dict[str, Any]) -> list[str]:
    lines = [
        f"payment     {item['payment_id']} {item['payment_state']}: {item['amount_minor']} base units"
        f" of {item['asset']} to {item['recipient']}",
        f"payee       {item['payee']['code']} {item['payee']['name']}",
        f"order       {item['order_digest']}{_verdict(item['order_digest_holds'])}",
    ]
    lines += [
        f"decision    {each['stage']}: {each['outcome']} at {each['decided_at']},"
        f" policy {each['policy_digest']}, facts {each['facts_digest']}"
        for each in item["decisions"]
    ]
    for request in item["approvals"]:
        lines.append(f"approval    {request['request_id']} {request['state']}")
        lines += [
            f"vote        {vote['choice']} by {vote['name']} at {vote['voted_at']}"
            for vote in request["votes"]
        ]
    invoice = item["invoice"]
    if invoice is None:
        return lines
    lines.append(
        f"invoice     {invoice['id']} {invoice['number']} {invoice['state']}, by"
        f" {invoice['channel']} from {invoice['submitted_by']}, read by {invoice['read_by']}"
    )
    lines += [
        f"evidence    {name} at {each['location']}: {each['text']!r}"
        for name, each in invoice["evidence"].items()
    ]
    document = invoice["document"]
    lines.append(
        f"document    {document['sha256']}, {document['bytes']} bytes{_verdict(document['sha256_holds'])}"
    )
    return lines


def _verdict(holds_: bool) -> str:
    return " (holds)" if holds_ else " (DOES NOT HOLD)"
