"""Owns the comparison of a provider with what is pinned. Must never repair: a finding stops signing."""

from dataclasses import dataclass

from eth_hash.auto import keccak

from treasurer.chain.errors import NetworkMismatch, NotAToken
from treasurer.chain.networks import NetworkProfile, PinnedToken
from treasurer.chain.port import Chain


@dataclass(frozen=True, slots=True)
class NetworkFinding:
    """Something pinned that does not hold; `token` is set if it concerns one token only."""

    code: str
    message: str
    token: str | None = None


async def verify_network(chain: Chain, profile: NetworkProfile) -> tuple[NetworkFinding, ...]:
    """Everything about the provider that contradicts `profile`; empty if it is the right network.

    Tokens are not asked about on a wrong chain. Raises Transient if the provider does not answer.
    """
    found_id = await chain.chain_id()
    if found_id != profile.chain_id:
        return (
            NetworkFinding(
                "CHAIN_ID_MISMATCH",
                f"the node serves chain {found_id}, not {profile.chain_id} ({profile.name}): check"
                " RPC_URL",
            ),
        )
    if profile.genesis_hash is not None:
        genesis = await chain.genesis_hash()
        if genesis != profile.genesis_hash:
            return (
                NetworkFinding(
                    "CHAIN_GENESIS_MISMATCH",
                    f"the node's block 0 is 0x{genesis.hex()}: another chain with the same id",
                ),
            )
    findings: list[NetworkFinding] = []
    for token in profile.tokens:
        findings += await _verify_token(chain, token)
    return tuple(findings)


async def require_network(chain: Chain, profile: NetworkProfile) -> None:
    """Raise NetworkMismatch with the first finding of `verify_network`, if there is one."""
    findings = await verify_network(chain, profile)
    if findings:
        raise NetworkMismatch(findings[0].code, findings[0].message)


async def _verify_token(chain: Chain, token: PinnedToken) -> list[NetworkFinding]:
    code = await chain.code(token.address)
    if not code:
        return [
            NetworkFinding(
                "TOKEN_CODE_MISSING",
                f"{token.symbol}: no contract at {token.address}; a transfer would move nothing",
                token.address,
            )
        ]
    findings: list[NetworkFinding] = []
    if token.code_hash is not None and keccak(code) != token.code_hash:
        findings.append(
            NetworkFinding(
                "TOKEN_CODE_CHANGED",
                f"{token.symbol}: the code at {token.address} is not the pinned one",
                token.address,
            )
        )
    try:
        decimals: int | None = await chain.token_decimals(token.address)
    except NotAToken:
        decimals = None
    if decimals != token.decimals:
        findings.append(
            NetworkFinding(
                "TOKEN_DECIMALS_MISMATCH",
                f"{token.symbol}: the contract says {decimals} decimals, pinned are"
                f" {token.decimals}; amounts would be wrong by powers of ten",
                token.address,
            )
        )
    return findings
