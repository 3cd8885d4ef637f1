"""Owns the SQL of payees and their addresses. Must never return a row of another organization."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import orjson
from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import OrganizationId, PayeeAddressId, PayeeId, UserId
from treasurer.payees.model import (
    AddressState,
    Payee,
    PayeeAddress,
    PayeeState,
    address_ends,
)
from treasurer.payees.names import first_word, name_key, name_skeleton

_PAYEE = """id, code, name, state, vat_id, iban, email, created_at, created_by,
    category, phone, cooling_off_until"""
_ADDRESS = """id, payee_id, chain_id, address, state, cooling_off_until, changed_by, verified_by,
    created_at"""

_INSERT_PAYEES = text("""
    INSERT INTO payees (organization_id, id, code, name, name_key, name_skeleton, state, vat_id,
                        iban, email, created_at, created_by, phone)
    SELECT :organization_id, p.id, p.code, p.name, p.name_key, p.name_skeleton, p.state, p.vat_id,
           p.iban, p.email, p.created_at, p.created_by, p.phone
    FROM unnest(CAST(:ids AS uuid[]), CAST(:codes AS text[]), CAST(:names AS text[]),
                CAST(:keys AS text[]), CAST(:skeletons AS text[]), CAST(:states AS text[]),
                CAST(:vat_ids AS text[]), CAST(:ibans AS text[]), CAST(:emails AS text[]),
                CAST(:created AS timestamptz[]), CAST(:creators AS uuid[]),
                CAST(:phones AS text[]))
         AS p (id, code, name, name_key, name_skeleton, state, vat_id, iban, email, created_at,
               created_by, phone)
""")
_INSERT_ADDRESSES = text("""
    INSERT INTO payee_addresses (organization_id, id, payee_id, chain_id, address, state,
                                 changed_by, created_at)
    SELECT :organization_id, a.id, a.payee_id, a.chain_id, a.address, a.state, a.changed_by,
           a.created_at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:payees AS uuid[]), CAST(:chains AS bigint[]),
                CAST(:addresses AS text[]), CAST(:states AS text[]), CAST(:changers AS uuid[]),
                CAST(:created AS timestamptz[]))
         AS a (id, payee_id, chain_id, address, state, changed_by, created_at)
""")
_GET = text(f"SELECT {_PAYEE} FROM payees WHERE organization_id = :organization_id AND id = :id")
_LOCK = text(f"""
    SELECT {_PAYEE} FROM payees WHERE organization_id = :organization_id AND id = :id
    FOR NO KEY UPDATE
""")
_CATEGORIZE = text("""
    UPDATE payees SET category = :category WHERE organization_id = :organization_id AND id = :id
""")
_BY_CODES = text(f"""
    SELECT {_PAYEE} FROM payees WHERE organization_id = :organization_id AND code = ANY(:codes)
""")
_PAGE = text(f"""
    SELECT {_PAYEE} FROM payees
    WHERE organization_id = :organization_id
      AND (CAST(:before AS uuid) IS NULL OR id < :before)
    ORDER BY id DESC LIMIT :most
""")
# Everyone whom a document might mean, by any of its marks; a handful of keyed lookups.
_CANDIDATES = text(f"""
    SELECT {_PAYEE} FROM payees
    WHERE organization_id = :organization_id AND id IN (
        SELECT id FROM payees
        WHERE organization_id = :organization_id AND name_key = ANY(:name_keys)
        UNION SELECT id FROM payees
        WHERE organization_id = :organization_id AND name_skeleton = ANY(:name_skeletons)
        UNION SELECT id FROM payees
        WHERE organization_id = :organization_id AND vat_id = CAST(:vat_id AS text)
        UNION SELECT id FROM payees
        WHERE organization_id = :organization_id AND iban = ANY(:ibans)
        UNION SELECT id FROM payees
        WHERE organization_id = :organization_id AND code = CAST(:code AS text)
        UNION SELECT payee_id FROM payee_addresses
        WHERE organization_id = :organization_id AND address = ANY(:addresses)
          AND state <> 'revoked'
        UNION (SELECT payee_id FROM payee_addresses
        WHERE organization_id = :organization_id AND state = 'verified'
          AND ends = ANY(:ends) LIMIT 10)
        UNION (SELECT id FROM payees
        WHERE organization_id = :organization_id
          AND mail_domain = CAST(:domain AS text) LIMIT 10)
        UNION (SELECT id FROM payees
        WHERE organization_id = :organization_id AND first_word = ANY(:first_words)
        ORDER BY id LIMIT 20))
    ORDER BY id LIMIT 100
""")
_ADDRESSES_OF = text(f"""
    SELECT {_ADDRESS} FROM payee_addresses
    WHERE organization_id = :organization_id AND payee_id = ANY(:payees) ORDER BY id
""")
_LIVE_ADDRESSES = text(f"""
    SELECT {_ADDRESS} FROM payee_addresses
    WHERE organization_id = :organization_id AND address = ANY(:addresses) AND state <> 'revoked'
""")
_VERIFIED_ADDRESS = text(f"""
    SELECT {_ADDRESS} FROM payee_addresses
    WHERE organization_id = :organization_id AND payee_id = :payee_id AND chain_id = :chain_id
      AND state = 'verified'
""")
_GET_ADDRESS = text(f"""
    SELECT {_ADDRESS} FROM payee_addresses WHERE organization_id = :organization_id AND id = :id
""")
_MOVE_ADDRESS = text("""
    UPDATE payee_addresses
    SET state = :state, verified_by = coalesce(:verified_by, verified_by),
        cooling_off_until = coalesce(:cooling_off_until, cooling_off_until),
        call_back = coalesce(CAST(:call_back AS jsonb), call_back)
    WHERE organization_id = :organization_id AND id = :id AND state = :before
""")


async def insert(
    connection: AsyncConnection, organization_id: OrganizationId, payees: Sequence[Payee]
) -> None:
    """Write new payees with their addresses. IntegrityError when a code or live address is taken."""
    await connection.execute(
        _INSERT_PAYEES,
        {
            "organization_id": organization_id,
            "ids": [payee.id for payee in payees],
            "codes": [payee.code for payee in payees],
            "names": [payee.name for payee in payees],
            "keys": [name_key(payee.name) for payee in payees],
            "skeletons": [name_skeleton(payee.name) for payee in payees],
            "states": [payee.state.value for payee in payees],
            "vat_ids": [payee.vat_id for payee in payees],
            "ibans": [payee.iban for payee in payees],
            "emails": [payee.email for payee in payees],
            "created": [payee.created_at for payee in payees],
            "creators": [payee.created_by for payee in payees],
            "phones": [payee.phone for payee in payees],
        },
    )
    addresses = [address for payee in payees for address in payee.addresses]
    if addresses:
        await insert_addresses(connection, organization_id, addresses)


async def insert_addresses(
    connection: AsyncConnection, organization_id: OrganizationId, addresses: Sequence[PayeeAddress]
) -> None:
    """Write new pending addresses. IntegrityError when one is live at any payee already."""
    await connection.execute(
        _INSERT_ADDRESSES,
        {
            "organization_id": organization_id,
            "ids": [address.id for address in addresses],
            "payees": [address.payee_id for address in addresses],
            "chains": [address.chain_id for address in addresses],
            "addresses": [address.address for address in addresses],
            "states": [address.state.value for address in addresses],
            "changers": [address.changed_by for address in addresses],
            "created": [address.created_at for address in addresses],
        },
    )


async def get_payee(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    payee_id: PayeeId,
    *,
    lock: bool = False,
) -> Payee | None:
    """One payee with its addresses; with `lock`, its row is locked until the commit."""
    rows = await connection.execute(
        _LOCK if lock else _GET, {"organization_id": organization_id, "id": payee_id}
    )
    found = await _with_addresses(connection, organization_id, list(rows.mappings()))
    return found[0] if found else None


async def by_codes(
    connection: AsyncConnection, organization_id: OrganizationId, codes: Sequence[str]
) -> dict[str, Payee]:
    """The payees of those codes, by code, with their addresses."""
    rows = await connection.execute(
        _BY_CODES, {"organization_id": organization_id, "codes": list(codes)}
    )
    found = await _with_addresses(connection, organization_id, list(rows.mappings()))
    return {payee.code: payee for payee in found}


async def page(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    *,
    before: PayeeId | None,
    most: int,
) -> list[Payee]:
    """Newest first, keyset by id, with their addresses."""
    rows = await connection.execute(
        _PAGE, {"organization_id": organization_id, "before": before, "most": most}
    )
    return await _with_addresses(connection, organization_id, list(rows.mappings()))


async def candidates(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    *,
    names: Sequence[str],
    vat_id: str | None,
    ibans: Sequence[str],
    addresses: Sequence[str],
    code: str | None,
    domain: str | None,
) -> list[Payee]:
    """Payees of that code, or that share a name, its skeleton or first word, a VAT id, an IBAN, a mail
    domain, a live address, or a verified address's ends.
    """
    rows = await connection.execute(
        _CANDIDATES,
        {
            "organization_id": organization_id,
            "name_keys": [name_key(name) for name in names],
            "name_skeletons": [name_skeleton(name) for name in names],
            "vat_id": vat_id,
            "ibans": list(ibans),
            "addresses": list(addresses),
            "ends": [address_ends(address) for address in addresses],
            "first_words": [first_word(name) for name in names if first_word(name)],
            "code": code,
            "domain": domain,
        },
    )
    return await _with_addresses(connection, organization_id, list(rows.mappings()))


async def live_addresses(
    connection: AsyncConnection, organization_id: OrganizationId, addresses: Sequence[str]
) -> list[PayeeAddress]:
    """Pending and verified entries of those lower-case addresses, at any payee and chain."""
    rows = await connection.execute(
        _LIVE_ADDRESSES, {"organization_id": organization_id, "addresses": list(addresses)}
    )
    return [_address(row) for row in rows.mappings()]


async def verified_address(
    connection: AsyncConnection, organization_id: OrganizationId, payee_id: PayeeId, chain_id: int
) -> PayeeAddress | None:
    """Where the payee is paid on that chain; at most one, cooling off or not. Addresses come from
    here alone, never from a document.
    """
    rows = await connection.execute(
        _VERIFIED_ADDRESS,
        {"organization_id": organization_id, "payee_id": payee_id, "chain_id": chain_id},
    )
    row = rows.mappings().one_or_none()
    return _address(row) if row else None


async def get_address(
    connection: AsyncConnection, organization_id: OrganizationId, address_id: PayeeAddressId
) -> PayeeAddress | None:
    """One address in whatever state: what a recheck before signing asks."""
    rows = await connection.execute(
        _GET_ADDRESS, {"organization_id": organization_id, "id": address_id}
    )
    row = rows.mappings().one_or_none()
    return _address(row) if row else None


async def categorize(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    payee_id: PayeeId,
    category: str | None,
) -> None:
    """Give a payee its category, or none."""
    await connection.execute(
        _CATEGORIZE,
        {"organization_id": organization_id, "id": payee_id, "category": category},
    )


async def move_address(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    address: PayeeAddress,
    state: AddressState,
    *,
    verified_by: UserId | None = None,
    cooling_off_until: datetime | None = None,
    call_back: Mapping[str, str | bool] | None = None,
) -> bool:
    """Set the state if it is still `address.state`; False when another transaction was first."""
    result = await connection.execute(
        _MOVE_ADDRESS,
        {
            "organization_id": organization_id,
            "id": address.id,
            "before": address.state.value,
            "state": state.value,
            "verified_by": verified_by,
            "cooling_off_until": cooling_off_until,
            "call_back": None if call_back is None else orjson.dumps(dict(call_back)).decode(),
        },
    )
    return result.rowcount == 1


async def _with_addresses(
    connection: AsyncConnection, organization_id: OrganizationId, rows: Sequence[RowMapping]
) -> list[Payee]:
    if not rows:
        return []
    found = await connection.execute(
        _ADDRESSES_OF,
        {"organization_id": organization_id, "payees": [row["id"] for row in rows]},
    )
    addresses = [_address(row) for row in found.mappings()]
    return [
        Payee(
            id=PayeeId(row["id"]),
            code=row["code"],
            name=row["name"],
            state=PayeeState(row["state"]),
            vat_id=row["vat_id"],
            iban=row["iban"],
            email=row["email"],
            created_at=row["created_at"],
            created_by=UserId(row["created_by"]),
            category=row["category"],
            addresses=tuple(item for item in addresses if item.payee_id == row["id"]),
            phone=row["phone"],
            cooling_off_until=row["cooling_off_until"],
        )
        for row in rows
    ]


def _address(row: RowMapping) -> PayeeAddress:
    return PayeeAddress(
        id=PayeeAddressId(row["id"]),
        payee_id=PayeeId(row["payee_id"]),
        chain_id=row["chain_id"],
        address=row["address"],
        state=AddressState(row["state"]),
        cooling_off_until=row["cooling_off_until"],
        changed_by=UserId(row["changed_by"]),
        verified_by=None if row["verified_by"] is None else UserId(row["verified_by"]),
        created_at=row["created_at"],
    )
