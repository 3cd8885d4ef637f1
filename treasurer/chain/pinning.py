"""Owns the comparison of a provider with what is pinned. Must never repair: a finding stops signing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from eth_hash.auto import keccak

from treasurer.chain.errors import FinalityTagMissing, NetworkMismatch, NotAToken
from treasurer.chain.finality import FinalizedTag
from treasurer.chain.networks import NetworkProfile, PinnedContract, PinnedToken
from treasurer.chain.port import Chain
from treasurer.chain.proxies import Observed, observe
from treasurer.kernel.clock import Clock

MOST_UNFINAL_BLOCKS = 50_000
"""A chain of that length whose node has no final block has no such tag; rollups lag by some thousand."""


@dataclass(frozen=True, slots=True)
class NetworkFinding:
    """Something pinned that does not hold; `token` is set if it concerns one token only."""

    code: str
    message: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class TokenCheck:
    """What was found about a token and its network at `as_of`. Only a `sound` one may be signed for."""

    token: str
    as_of: datetime
    findings: tuple[NetworkFinding, ...]

    @property
    def sound(self) -> bool:
        return not self.findings


async def verify_network(chain: Chain, profile: NetworkProfile) -> tuple[NetworkFinding, ...]:
    """Everything about the provider that contradicts `profile`; empty if it is the right network.

    Tokens are not asked about on a wrong chain. Raises Transient if the provider does not answer.
    """
    findings = await _verify_identity(chain, profile) or await _verify_finality(chain, profile)
    if findings:
        return findings
    each = await asyncio.gather(
        *(_verify_token(chain, token) for token in profile.tokens),
        *(_verify_contract(chain, contract) for contract in (profile.disperse,) if contract),
    )
    return tuple(finding for findings in each for finding in findings)


async def require_network(chain: Chain, profile: NetworkProfile) -> None:
    """Raise NetworkMismatch with the first finding of `verify_network`, if there is one."""
    findings = await verify_network(chain, profile)
    if findings:
        raise NetworkMismatch(findings[0].code, findings[0].message)


async def verify_token(
    chain: Chain, profile: NetworkProfile, address: str, *, now: datetime
) -> TokenCheck:
    """Chain id, genesis, and the code, implementation and decimals of the token at `address`.

    About eight small calls, most of them beside each other. Raises Transient, and ProvidersDisagree
    where two providers see other code.
    """
    token = profile.token(address)
    if token is None:
        unpinned = NetworkFinding(
            "TOKEN_UNPINNED",
            f"{address} is not pinned in network.yaml: nothing is sent by it",
            address,
        )
        return TokenCheck(address, now, (unpinned,))
    identity, own = await asyncio.gather(
        _verify_identity(chain, profile), _verify_token(chain, token)
    )
    return TokenCheck(address, now, identity or tuple(own))


async def verify_disperse(
    chain: Chain, profile: NetworkProfile, contract: PinnedContract, *, now: datetime
) -> TokenCheck:
    """Chain id, genesis and the code of the contract that pays batches. Raises as `verify_token`."""
    identity, own = await asyncio.gather(
        _verify_identity(chain, profile), _verify_contract(chain, contract)
    )
    return TokenCheck(contract.address, now, identity or tuple(own))


class TokenWatch:
    """Checks tokens, and the contract that pays batches, before signatures. A sound result serves for
    `lasts`; a finding is asked anew.

    An upgrade within that time is not seen before a signature, but at settlement: the logs and balances
    of the block decide what was paid.
    """

    def __init__(
        self,
        chain: Chain,
        profile: NetworkProfile,
        clock: Clock,
        lasts: timedelta = timedelta(seconds=10),
    ) -> None:
        self._chain = chain
        self._profile = profile
        self._clock = clock
        self._lasts = lasts
        self._sound: dict[str, TokenCheck] = {}

    async def check(self, token: str) -> TokenCheck:
        """The newest check of that address, at most `lasts` old. Raises as `verify_token`."""
        now = self._clock()
        known = self._sound.get(token)
        if known is not None and timedelta(0) <= now - known.as_of < self._lasts:
            return known
        self._sound.pop(token, None)
        disperse = self._profile.disperse
        if disperse is not None and token == disperse.address:
            made = await verify_disperse(self._chain, self._profile, disperse, now=now)
        else:
            made = await verify_token(self._chain, self._profile, token, now=now)
        if made.sound:
            self._sound[token] = made
        return made


async def _verify_identity(chain: Chain, profile: NetworkProfile) -> tuple[NetworkFinding, ...]:
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
    return ()


async def _verify_finality(chain: Chain, profile: NetworkProfile) -> tuple[NetworkFinding, ...]:
    """A tag that names nothing on an old chain will never name anything: then nothing would settle."""
    if not isinstance(profile.finality, FinalizedTag):
        return ()
    try:
        final = await chain.finalized()
        if final.number == 0 and (await chain.head()).number > MOST_UNFINAL_BLOCKS:
            raise FinalityTagMissing()
    except FinalityTagMissing as missing:
        return (NetworkFinding(missing.code, missing.message),)
    return ()


async def _verify_contract(chain: Chain, contract: PinnedContract) -> list[NetworkFinding]:
    if keccak(await chain.code(contract.address)) == contract.code_hash:
        return []
    return [
        NetworkFinding(
            "DISPERSE_CODE_CHANGED",
            f"the code at {contract.address} is not the pinned disperse contract: no batch is signed",
            contract.address,
        )
    ]


async def _verify_token(chain: Chain, token: PinnedToken) -> list[NetworkFinding]:
    observed = await observe(chain, token.address)
    if observed is None:
        return [
            NetworkFinding(
                "TOKEN_CODE_MISSING",
                f"{token.symbol}: no contract at {token.address}; a transfer would move nothing",
                token.address,
            )
        ]
    try:
        decimals: int | None = await chain.token_decimals(token.address)
    except NotAToken:
        decimals = None
    findings = [
        NetworkFinding(code, f"{token.symbol}: {message}", token.address)
        for code, message in _code_findings(token, observed)
    ]
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


def _code_findings(token: PinnedToken, observed: Observed) -> Sequence[tuple[str, str]]:
    """What is wrong with the code that runs at the token's address, as code and words."""
    findings: list[tuple[str, str]] = []
    if token.code_hash is not None and observed.code_hash != token.code_hash:
        findings.append(
            ("TOKEN_CODE_CHANGED", f"the code at {token.address} is not the pinned one")
        )
    if observed.has_beacon:
        findings.append(
            (
                "TOKEN_BEACON_PROXY",
                "its code is chosen by a beacon, which cannot be pinned; pay by another token",
            )
        )
    found, pinned = observed.implementation, token.implementation
    if found is not None and pinned is None:
        findings.append(
            (
                "TOKEN_IMPLEMENTATION_UNPINNED",
                f"it is a proxy; check that it shall run {found.address}, and pin that in network.yaml:"
                f' implementation: {{address: "{found.address}", code_hash: "0x{found.code_hash.hex()}"}}',
            )
        )
    elif found != pinned:
        runs = "no implementation" if found is None else f"{found.address}"
        findings.append(
            (
                "TOKEN_IMPLEMENTATION_CHANGED",
                f"the proxy now runs {runs}, or other code there than was pinned; find out what it does,"
                " then pin it",
            )
        )
    return findings
