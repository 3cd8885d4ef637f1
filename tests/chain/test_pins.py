"""What is pinned about network and token, at start and before each signature."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from eth_hash.auto import keccak

from tests.support.anvil import anvil
from tests.support.chain import FaultyNode, block_answer, development_profile, needs_anvil
from tests.support.embedded import JsonRpc, address
from treasurer.chain.errors import NetworkMismatch
from treasurer.chain.evm import EvmChain
from treasurer.chain.finality import Depth
from treasurer.chain.networks import (
    NetworkProfile,
    PinnedContract,
    load_profile,
    shipped_profile,
)
from treasurer.chain.pinning import TokenWatch, require_network, verify_network, verify_token
from treasurer.chain.proxies import BEACON_SLOT, IMPLEMENTATION_SLOTS, Implementation, observe
from treasurer.embedded.devchain.seed import deploy_test_usd

# As the standards print them.
EIP_1967 = "360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
EIP_1822 = "c5f16f0fcc639fa48a6947836d9850f504798523bf8c9a3a87d5876cf622bcf7"
EIP_1967_BEACON = "a3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50"
CODE = "0x6001"
LOGIC = "0x" + "1c" * 20
LOGIC_CODE = "0x6002"
NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)


class Contracts:
    """A node on which one proxy and its logic stand; tests change what it answers."""

    def __init__(self, node: FaultyNode, profile: NetworkProfile) -> None:
        self.node = node
        self.token = profile.tokens[0].address
        self.code = {self.token: CODE, LOGIC: LOGIC_CODE}
        self.storage: dict[str, str] = {}
        node.answers = {
            "eth_chainId": "0x7a69",
            "eth_getBlockByNumber": lambda tag, full: block_answer(0),
            "eth_getCode": lambda account, tag: self.code.get(account, "0x"),
            "eth_getStorageAt": lambda account, slot, tag: self.storage.get(slot, "0x0"),
            "eth_call": "0x" + "6".rjust(64, "0"),
        }

    def runs(self, slot: str, target: str) -> None:
        self.storage = {"0x" + slot: "0x" + target[2:].rjust(64, "0")}


@pytest.fixture
def node() -> Iterator[FaultyNode]:
    with FaultyNode() as faulty:
        yield faulty


def pinned(**fields: object) -> NetworkProfile:
    profile = development_profile()
    token = replace(profile.tokens[0], code_hash=keccak(bytes.fromhex(CODE[2:])), **fields)  # type: ignore[arg-type]
    return replace(profile, genesis_hash=bytes(32), tokens=(token,), rpc_timeout_s=1)


PLAIN = pinned()
PROXY = pinned(implementation=Implementation(LOGIC, keccak(bytes.fromhex(LOGIC_CODE[2:]))))


@pytest.fixture
def contracts(node: FaultyNode) -> Contracts:
    return Contracts(node, PLAIN)


@pytest_asyncio.fixture
async def chain(node: FaultyNode) -> AsyncIterator[EvmChain]:
    async with EvmChain(node.url, PLAIN) as opened:
        yield opened


async def codes(chain: EvmChain, profile: NetworkProfile) -> list[str]:
    found = await verify_network(chain, profile)
    token = await verify_token(chain, profile, profile.tokens[0].address, now=NOW)
    assert token.findings == found, "a signature asks the same questions as the start"
    assert token.as_of == NOW
    assert token.sound == (found == ())
    return [finding.code for finding in found]


def test_the_slots_are_those_of_the_standards() -> None:
    def before(name: bytes) -> bytes:
        return (int.from_bytes(keccak(name)) - 1).to_bytes(32)

    assert (
        before(b"eip1967.proxy.implementation"),
        keccak(b"PROXIABLE"),
        keccak(b"org.zeppelinos.proxy.implementation"),
    ) == IMPLEMENTATION_SLOTS
    assert before(b"eip1967.proxy.beacon") == BEACON_SLOT


async def test_code_and_decimals(contracts: Contracts, chain: EvmChain) -> None:
    assert await codes(chain, PLAIN) == []
    contracts.code[contracts.token] = "0x6003"
    contracts.node.answers["eth_call"] = "0x" + "12".rjust(64, "0")
    assert await codes(chain, PLAIN) == ["TOKEN_CODE_CHANGED", "TOKEN_DECIMALS_MISMATCH"]
    contracts.code.clear()
    assert await codes(chain, PLAIN) == ["TOKEN_CODE_MISSING"]


async def test_another_chain_is_asked_nothing_more(contracts: Contracts, chain: EvmChain) -> None:
    other_genesis = replace(PLAIN, genesis_hash=b"\1" * 32)
    assert await codes(chain, other_genesis) == ["CHAIN_GENESIS_MISMATCH"]
    contracts.node.answers["eth_chainId"] = "0x1"
    assert await codes(chain, PLAIN) == ["CHAIN_ID_MISMATCH"]
    with pytest.raises(NetworkMismatch, match="CHAIN_ID_MISMATCH"):
        await require_network(chain, PLAIN)


async def test_a_network_without_a_final_tag_needs_a_depth(
    contracts: Contracts, chain: EvmChain
) -> None:
    def untagged(tag: str, full: bool) -> Any:
        return None if tag == "finalized" else block_answer(60_000 if tag == "latest" else 0)

    contracts.node.answers["eth_getBlockByNumber"] = untagged
    found = await verify_network(chain, PLAIN)
    assert [finding.code for finding in found] == ["FINALITY_TAG_MISSING"]
    assert await verify_network(chain, replace(PLAIN, finality=Depth(12))) == ()
    contracts.node.errors["eth_getBlockByNumber"] = {"code": -32602, "message": "invalid tag"}
    with pytest.raises(NetworkMismatch, match="FINALITY_TAG_MISSING"):
        await chain.finalized()
    asked = [request["params"][0] for request in contracts.node.requests if request["params"]]
    assert "safe" not in asked


@pytest.mark.parametrize(
    "slot", [EIP_1967, EIP_1822, keccak(b"org.zeppelinos.proxy.implementation").hex()]
)
async def test_a_proxy_runs_what_is_pinned(
    contracts: Contracts, chain: EvmChain, slot: str
) -> None:
    assert await codes(chain, PROXY) == ["TOKEN_IMPLEMENTATION_CHANGED"], "it is no proxy at all"
    contracts.runs(slot, LOGIC)
    assert await codes(chain, PROXY) == []
    assert await codes(chain, PLAIN) == ["TOKEN_IMPLEMENTATION_UNPINNED"]
    contracts.code[LOGIC] = "0x6004"
    assert await codes(chain, PROXY) == ["TOKEN_IMPLEMENTATION_CHANGED"]
    contracts.runs(slot, "0x" + "2d" * 20)
    assert await codes(chain, PROXY) == ["TOKEN_IMPLEMENTATION_CHANGED"]


async def test_a_beacon_cannot_be_pinned(contracts: Contracts, chain: EvmChain) -> None:
    contracts.runs(EIP_1967_BEACON, LOGIC)
    assert await codes(chain, PLAIN) == ["TOKEN_BEACON_PROXY"]


async def test_a_token_that_is_not_pinned_is_not_signed_for(
    contracts: Contracts, chain: EvmChain
) -> None:
    check = await verify_token(chain, PLAIN, LOGIC, now=NOW)
    assert [finding.code for finding in check.findings] == ["TOKEN_UNPINNED"]


async def test_a_sound_check_serves_a_while_a_finding_does_not(
    contracts: Contracts, chain: EvmChain
) -> None:
    now = NOW
    watch = TokenWatch(chain, PLAIN, lambda: now, timedelta(seconds=10))
    assert (await watch.check(contracts.token)).sound
    contracts.code[contracts.token] = "0x6003"
    now = NOW + timedelta(seconds=9)
    assert (await watch.check(contracts.token)).as_of == NOW
    now = NOW - timedelta(hours=1)
    assert not (await watch.check(contracts.token)).sound, "a clock set back makes nothing younger"
    now = NOW + timedelta(seconds=10)
    assert not (await watch.check(contracts.token)).sound
    contracts.code[contracts.token] = CODE
    assert (await watch.check(contracts.token)).sound


@needs_anvil
async def test_an_upgrade_on_a_real_node_is_seen() -> None:
    profile = development_profile()
    with anvil() as url, JsonRpc(url) as rpc:
        token = deploy_test_usd(url, mint_to=address(0))
        async with EvmChain(url, profile) as chain:
            assert (await verify_token(chain, profile, token, now=NOW)).sound
            rpc("anvil_setCode", LOGIC, LOGIC_CODE)
            rpc("anvil_setStorageAt", token, "0x" + EIP_1967, "0x" + LOGIC[2:].rjust(64, "0"))
            check = await verify_token(chain, profile, token, now=NOW)
            assert [entry.code for entry in check.findings] == ["TOKEN_IMPLEMENTATION_UNPINNED"]
            seen = await observe(chain, token)
            assert seen is not None
            assert seen.implementation == Implementation(LOGIC, keccak(b"\x60\x02"))


def test_an_implementation_is_pinned_in_the_profile() -> None:
    text = shipped_profile("development").replace(
        "    address: null",
        f'    address: null\n    implementation: {{address: "{LOGIC}", code_hash: "0x{"ab" * 32}"}}',
    )
    profile = load_profile(text, token_addresses={"USDC": "0x" + "ab" * 20})
    assert profile.tokens[0].implementation == Implementation(LOGIC, b"\xab" * 32)


def test_the_contract_that_pays_batches_is_pinned_in_the_profile() -> None:
    text = shipped_profile("development")
    token = {"USDC": "0x" + "ab" * 20}
    assert load_profile(text, token_addresses=token).disperse is None
    text += f'disperse: {{address: "{LOGIC.upper().replace("0X", "0x")}", code_hash: "0x{"cd" * 32}"}}\n'
    pinned = load_profile(text, token_addresses=token).disperse
    assert pinned == PinnedContract(LOGIC, b"\xcd" * 32)


async def test_another_contract_than_the_pinned_one_pays_no_batch(
    contracts: Contracts, chain: EvmChain
) -> None:
    sound = PinnedContract(contracts.token, keccak(bytes.fromhex(CODE[2:])))
    watch = TokenWatch(chain, replace(PLAIN, tokens=(), disperse=sound), lambda: NOW)
    assert (await watch.check(contracts.token)).sound
    other = replace(PLAIN, tokens=(), disperse=replace(sound, code_hash=bytes(32)))
    check = await TokenWatch(chain, other, lambda: NOW).check(contracts.token)
    assert [finding.code for finding in check.findings] == ["DISPERSE_CODE_CHANGED"]
    assert [finding.code for finding in await verify_network(chain, other)] == [
        "DISPERSE_CODE_CHANGED"
    ]
