"""Owns asking node and signer whether they answer, agree with what is pinned, and are kept apart."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from urllib.parse import urlsplit

from signer.limits import DEVELOPMENT_CHAIN_ID
from treasurer.chain.networks import NetworkProfile
from treasurer.cli.checkup import Finding, bad, good, looked_at, note
from treasurer.cli.checkup_services import NOT_RUNNING, where_from
from treasurer.settings import Settings

_SKEW_S = 15
"""A block may be stamped this far ahead of an honest clock."""


async def look_at_chain(
    given: Settings, found: Settings, network: NetworkProfile
) -> Sequence[Finding]:
    """The node, what is pinned about its network, and the two clocks."""
    subject, where = "chain", where_from(given.rpc_url, "development chain", "RPC_URL")
    if found.rpc_url is None:
        return [bad(subject, NOT_RUNNING)]
    from treasurer.chain.evm import EvmChain
    from treasurer.chain.pinning import verify_network

    # What a chain loads when it is built, which `ask` does.
    import_module("treasurer.chain.node")

    async def ask(url: str, where: str) -> Sequence[Finding]:
        async with EvmChain(url, network) as chain:
            contradictions = await verify_network(chain, network)
            if contradictions:
                return [bad("chain", f"{where}: {entry.message}") for entry in contradictions]
            head = await chain.head()
        names = ", ".join(token.symbol for token in network.tokens)
        return [
            good(
                "chain",
                f"{where}, answers at block {head.number} of {network.name};"
                f" chain id, genesis and {names} are as pinned",
            ),
            clock_finding(network, head.timestamp, datetime.now(UTC)),
        ]

    urls = found.rpc_urls
    places = [
        f"{where}, provider {place}" if len(urls) > 1 else where
        for place in range(1, len(urls) + 1)
    ]
    each = await asyncio.gather(
        *(
            looked_at(subject, place, partial(ask, url, place))
            for url, place in zip(urls, places, strict=True)
        )
    )
    return [
        *(finding for findings in each for finding in findings),
        *providers_finding(urls, network),
    ]


def providers_finding(urls: Sequence[str], network: NetworkProfile) -> list[Finding]:
    """Whether anything that one provider says is held against another's word."""
    if len(urls) == 1:
        if network.chain_id == DEVELOPMENT_CHAIN_ID:
            return []
        return [
            note(
                "providers",
                "one provider: nothing it says is cross-checked; add another to RPC_URL",
            )
        ]
    hosts = {urlsplit(url).hostname for url in urls}
    if len(hosts) == 1:
        return [note("providers", "all of RPC_URL is one host: its voices are hardly independent")]
    return [good("providers", f"{len(urls)}; irreversible steps wait for two that agree")]


def clock_finding(network: NetworkProfile, head_s: int, now: datetime) -> Finding:
    """This clock against the newest block's. An idle development chain may be old."""
    age_s = int(now.timestamp()) - head_s
    if age_s < -_SKEW_S:
        return bad(
            "clock",
            f"this clock is {-age_s} s behind the chain: deadlines would be missed; set it by NTP",
        )
    if network.chain_id != DEVELOPMENT_CHAIN_ID and age_s > 60 + 10 * network.block_time_s:
        return bad(
            "clock",
            f"the newest block is {age_s} s old: either this clock is ahead or the node is behind",
        )
    return good("clock", f"in step with the chain, whose newest block is {max(0, age_s)} s old")


async def look_at_signer(found: Settings, network: NetworkProfile) -> Sequence[Finding]:
    """Whether the signer answers, would sign, and is kept from the other processes."""
    subject = "signer"
    path = found.signer_socket or found.home.signer / "signer.sock"
    if found.signer_socket is None and not path.exists():
        return [bad(subject, NOT_RUNNING)]
    where = f"at SIGNER_SOCKET {path}" if found.signer_socket else "embedded"
    from treasurer.chain.signer_client import SignerClient

    async def look() -> Sequence[Finding]:
        client = SignerClient(path)
        try:
            status = await client.status()
        finally:
            await client.close()
        findings = [good(subject, f"{where}, answers")]
        if status.frozen_reason:
            findings = [bad(subject, f"frozen by the {status.frozen_by}: {status.frozen_reason}")]
        findings += [
            bad(
                subject,
                f"the journal is behind the chain for {wallet.wallet}: find out who sent, then run"
                " `python -m signer adopt`",
            )
            for wallet in status.wallets
            if wallet.nonce_check == "behind" or wallet.next_nonce is None
        ]
        return [*findings, _isolation(status.isolated, network)]

    return await looked_at(subject, where, look)


def _isolation(isolated: bool, network: NetworkProfile) -> Finding:
    if isolated:
        return good("isolation", "the signer is kept from the other processes")
    sentence = "one user runs everything here, which is no isolation"
    if network.chain_id == DEVELOPMENT_CHAIN_ID:
        return note("isolation", f"{sentence}: the signer signs for the development chain only")
    return bad(
        "isolation",
        f"{sentence}: the signer will not sign for {network.name}; run it as a user of its own",
    )
