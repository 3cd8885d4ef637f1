"""Owns which tokens may be paid on which networks."""

from dataclasses import dataclass

from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.verdict import Verdict, allows, denies
from treasurer.kernel.money import Asset

_NAME = "asset_and_network"
_NAMES = ("asset", "chain_id")
_LISTED = allows(_NAME, "ASSET_ALLOWED", "{asset} may be paid on network {chain_id}.", *_NAMES)
_OTHER_NETWORK = denies(
    _NAME, "NETWORK_NOT_ALLOWED", "Nothing may be paid on network {chain_id}.", "chain_id"
)
_OTHER_ASSET = denies(
    _NAME, "ASSET_NOT_ALLOWED", "{asset} may not be paid on network {chain_id}.", *_NAMES
)


@dataclass(frozen=True, slots=True)
class AssetAndNetwork(Rule):
    """`listed` holds (asset, chain id). Token addresses are pinned by the network's profile."""

    listed: frozenset[tuple[str, int]]
    chain_ids: frozenset[int]

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        pair = (request.asset, request.chain_id)
        if pair in self.listed:
            return _LISTED, pair
        if request.chain_id not in self.chain_ids:
            return _OTHER_NETWORK, (request.chain_id,)
        return _OTHER_ASSET, pair

    def describe(self, reporting: Asset) -> str:
        pairs = ", ".join(f"{asset} on network {chain}" for asset, chain in sorted(self.listed))
        return f"Paid is only in: {pairs}."


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    listed = frozenset((entry.asset, entry.chain) for entry in document.pay_in)
    return (AssetAndNetwork(_NAME, listed, frozenset(chain for _, chain in listed)),)
