"""Owns the comparison of journal and chain at start: a journal behind the chain is not ours.

Must never trust a caller for it. It asks a node of its own; until the node answers, the wallet stays
unchecked and signs nothing new.
"""

import asyncio
import http.client
import json
from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import urlsplit

from signer.records import SignedRecords, WalletKey

_TIMEOUT_S = 5
_RETRY_S = 1.0


class NonceCheck(StrEnum):
    NOT_CONFIGURED = "not_configured"
    """No node was named for the chain, so only the journal speaks."""
    PENDING = "pending"
    CURRENT = "current"
    BEHIND = "behind"
    """The chain has a nonce that this journal never signed: it was lost or restored from a copy."""


class NonceWatch:
    """Checks each wallet once after start, as soon as its chain's node answers."""

    def __init__(self, rpc_urls: Mapping[int, str], records: SignedRecords) -> None:
        self._rpc_urls = rpc_urls
        self._records = records
        self._results: dict[WalletKey, NonceCheck] = {}

    def result(self, wallet: WalletKey) -> NonceCheck:
        """What is known of `wallet` now."""
        if wallet[0] not in self._rpc_urls:
            return NonceCheck.NOT_CONFIGURED
        return self._results.get(wallet, NonceCheck.PENDING)

    async def run(self, wallets: frozenset[WalletKey]) -> None:
        """Check all `wallets` whose chain has a node; return when each has an answer."""
        pending = {wallet for wallet in wallets if wallet[0] in self._rpc_urls}
        while pending:
            for wallet in sorted(pending):
                mined = await asyncio.to_thread(
                    _transaction_count, self._rpc_urls[wallet[0]], wallet[1]
                )
                if mined is not None:
                    signed = self._records.next_nonce(wallet) or 0
                    self._results[wallet] = (
                        NonceCheck.BEHIND if mined > signed else NonceCheck.CURRENT
                    )
                    pending.discard(wallet)
            if pending:
                await asyncio.sleep(_RETRY_S)


def _transaction_count(url: str, address: str) -> int | None:
    """`eth_getTransactionCount(address, latest)`; None if the node gave no usable answer."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    body = json.dumps(
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "eth_getTransactionCount",
            "params": [address, "latest"],
        }
    )
    try:
        connection.request("POST", target, body, {"Content-Type": "application/json"})
        return int(json.loads(connection.getresponse().read())["result"], 16)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
