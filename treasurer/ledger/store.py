"""Owns the SQL of accounts, holds, entries and postings; the only place that inserts them.

Must never sum history: balances are kept in the commit that changes them.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.errors import InvariantViolated
from treasurer.kernel.ids import AccountId, HoldId, NewId, OrganizationId, TransferId
from treasurer.kernel.money import Asset
from treasurer.ledger.model import AccountCode, Balance, Hold, JournalEntry

# One that is there is not locked: accounts are locked by id, and these come in any order.
_OPEN_ACCOUNT = text("""
    WITH opened AS (
        INSERT INTO ledger_accounts (organization_id, id, code, kind, asset, decimals)
        VALUES (:organization_id, :id, :code, :kind, :asset, :decimals)
        ON CONFLICT (organization_id, code) DO NOTHING
        RETURNING id)
    SELECT id FROM opened
    UNION ALL
    SELECT id FROM ledger_accounts WHERE organization_id = :organization_id AND code = :code
""")
_BALANCES = """
    SELECT id, code, asset, decimals, posted_minor, held_minor FROM ledger_accounts
    WHERE organization_id = :organization_id AND code = ANY(:codes) ORDER BY id
"""
_READ_BALANCES = text(_BALANCES)
_LOCK_BALANCES = text(_BALANCES + " FOR NO KEY UPDATE")
_ALL_BALANCES = text("""
    SELECT id, code, asset, decimals, posted_minor, held_minor FROM ledger_accounts
    WHERE organization_id = :organization_id ORDER BY code
""")
_PLACE_HOLDS = text("""
    INSERT INTO holds (organization_id, id, account_id, transfer_id, payment_id, amount_minor,
                       state, placed_at)
    SELECT :organization_id, h.id, h.account_id, h.transfer_id, h.payment_id, h.amount_minor,
           'placed', :now
    FROM unnest(CAST(:ids AS uuid[]), CAST(:accounts AS uuid[]), CAST(:transfers AS uuid[]),
                CAST(:payments AS uuid[]), CAST(:amounts AS numeric[]))
         AS h (id, account_id, transfer_id, payment_id, amount_minor)
""")
_CLOSE_HOLDS = text("""
    UPDATE holds SET state = :state
    WHERE organization_id = :organization_id AND transfer_id = ANY(:transfers)
      AND state = 'placed'
    RETURNING id, account_id, transfer_id, payment_id, amount_minor
""")
_MOVE_BALANCES = text("""
    UPDATE ledger_accounts a
    SET posted_minor = a.posted_minor + m.posted, held_minor = a.held_minor + m.held
    FROM unnest(CAST(:accounts AS uuid[]), CAST(:posted AS numeric[]), CAST(:held AS numeric[]))
         AS m (id, posted, held)
    WHERE a.organization_id = :organization_id AND a.id = m.id
""")
_INSERT_ENTRIES = text("""
    INSERT INTO journal_entries (organization_id, id, kind, reference_id, posted_at)
    SELECT :organization_id, e.id, e.kind, e.reference_id, :now
    FROM unnest(CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:references AS uuid[]))
         AS e (id, kind, reference_id)
""")
_INSERT_POSTINGS = text("""
    INSERT INTO postings (organization_id, entry_id, line, account_id, asset, amount_minor)
    SELECT :organization_id, p.entry_id, p.line, p.account_id, p.asset, p.amount_minor
    FROM unnest(CAST(:entries AS uuid[]), CAST(:lines AS smallint[]), CAST(:accounts AS uuid[]),
                CAST(:assets AS text[]), CAST(:amounts AS numeric[]))
         AS p (entry_id, line, account_id, asset, amount_minor)
""")


async def open_account(
    connection: AsyncConnection, organization_id: OrganizationId, code: AccountCode, new_id: NewId
) -> AccountId:
    """The account of that code, opened when it does not exist yet."""
    parameters = {
        "organization_id": organization_id,
        "id": new_id(),
        "code": code.code,
        "kind": code.kind.value,
        "asset": code.asset.symbol,
        "decimals": code.asset.decimals,
    }
    id_ = (await connection.execute(_OPEN_ACCOUNT, parameters)).scalar_one_or_none()
    if id_ is None:
        # Somebody else's insert was waited for, and is seen by a statement that begins after it.
        id_ = (await connection.execute(_OPEN_ACCOUNT, parameters)).scalar_one()
    return AccountId(id_)


async def balances(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    codes: Sequence[AccountCode],
    *,
    lock: bool = False,
) -> dict[str, Balance]:
    """Balances by code; with `lock`, rows are locked in the order of their ids until the commit."""
    rows = await connection.execute(
        _LOCK_BALANCES if lock else _READ_BALANCES,
        {"organization_id": organization_id, "codes": [code.code for code in codes]},
    )
    return {row["code"]: _balance(row) for row in rows.mappings()}


async def all_balances(
    connection: AsyncConnection, organization_id: OrganizationId
) -> list[Balance]:
    """Every account of the organization, by code. As many rows as accounts, never as postings."""
    rows = await connection.execute(_ALL_BALANCES, {"organization_id": organization_id})
    return [_balance(row) for row in rows.mappings()]


async def place_holds(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    holds: Sequence[Hold],
    now: datetime,
) -> None:
    """Set money aside. The caller has checked `available` under the balances' locks (I8)."""
    await connection.execute(
        _PLACE_HOLDS,
        {
            "organization_id": organization_id,
            "now": now,
            "ids": [hold.id for hold in holds],
            "accounts": [hold.account_id for hold in holds],
            "transfers": [hold.transfer_id for hold in holds],
            "payments": [hold.payment_id for hold in holds],
            "amounts": [hold.amount_minor for hold in holds],
        },
    )
    moves: dict[AccountId, int] = defaultdict(int)
    for hold in holds:
        moves[hold.account_id] += hold.amount_minor
    await _move(connection, organization_id, {}, moves)


async def close_holds(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    transfers: Sequence[TransferId],
    *,
    posted: bool,
) -> list[Hold]:
    """Post or void the placed holds of `transfers`, once; a closed hold is not touched again."""
    rows = await connection.execute(
        _CLOSE_HOLDS,
        {
            "organization_id": organization_id,
            "transfers": list(transfers),
            "state": "posted" if posted else "voided",
        },
    )
    closed = [
        Hold(
            HoldId(row["id"]),
            AccountId(row["account_id"]),
            TransferId(row["transfer_id"]),
            row["payment_id"],
            int(row["amount_minor"]),
        )
        for row in rows.mappings()
    ]
    moves: dict[AccountId, int] = defaultdict(int)
    for hold in closed:
        moves[hold.account_id] -= hold.amount_minor
    await _move(connection, organization_id, {}, moves)
    return closed


async def post(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    entries: Sequence[JournalEntry],
    *,
    now: datetime,
    new_id: NewId,
) -> None:
    """Write balanced entries and move the balances, in the caller's transaction.

    The same (kind, reference) twice is a database error: a fact is booked once.
    """
    if not entries:
        return
    ids: list[UUID] = [new_id() for _ in entries]
    await connection.execute(
        _INSERT_ENTRIES,
        {
            "organization_id": organization_id,
            "now": now,
            "ids": ids,
            "kinds": [entry.kind for entry in entries],
            "references": [entry.reference_id for entry in entries],
        },
    )
    legs = [
        (entry_id, line, posting)
        for entry_id, entry in zip(ids, entries, strict=True)
        for line, posting in enumerate(entry.postings)
    ]
    await connection.execute(
        _INSERT_POSTINGS,
        {
            "organization_id": organization_id,
            "entries": [entry_id for entry_id, _, _ in legs],
            "lines": [line for _, line, _ in legs],
            "accounts": [posting.account_id for _, _, posting in legs],
            "assets": [posting.asset for _, _, posting in legs],
            "amounts": [posting.amount_minor for _, _, posting in legs],
        },
    )
    moves: dict[AccountId, int] = defaultdict(int)
    for _, _, posting in legs:
        moves[posting.account_id] += posting.amount_minor
    await _move(connection, organization_id, moves, {})


async def _move(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    posted: dict[AccountId, int],
    held: dict[AccountId, int],
) -> None:
    accounts = sorted(posted.keys() | held.keys())
    if not accounts:
        return
    result = await connection.execute(
        _MOVE_BALANCES,
        {
            "organization_id": organization_id,
            "accounts": accounts,
            "posted": [posted.get(account, 0) for account in accounts],
            "held": [held.get(account, 0) for account in accounts],
        },
    )
    if result.rowcount != len(accounts):
        raise InvariantViolated("ACCOUNT_MISSING", "a posting names an account that does not exist")


def _balance(row: RowMapping) -> Balance:
    return Balance(
        account_id=AccountId(row["id"]),
        code=row["code"],
        asset=Asset(row["asset"], row["decimals"]),
        posted_minor=int(row["posted_minor"]),
        held_minor=int(row["held_minor"]),
    )
