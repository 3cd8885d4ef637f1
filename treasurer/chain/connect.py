"""Owns which chain is opened for which addresses. Must never show an address: it may hold a key."""

from collections.abc import Sequence

from treasurer.chain.evm import EvmChain
from treasurer.chain.networks import NetworkProfile
from treasurer.chain.port import OpenChain
from treasurer.chain.provider import Identity, provider_name
from treasurer.chain.providers import SeveralProviders
from treasurer.chain.voices import Voices


def open_network(rpc_urls: Sequence[str], profile: NetworkProfile) -> OpenChain:
    """The network through one provider, which nothing is checked against, or through several. Built
    within a running loop; close it when done.
    """
    chains: list[OpenChain] = [EvmChain(url, profile) for url in rpc_urls]
    if len(chains) == 1:
        return chains[0]
    names = [provider_name(url, place) for place, url in enumerate(rpc_urls, 1)]
    named = dict(zip(names, chains, strict=True))
    expected = Identity(profile.chain_id, profile.genesis_hash)
    return SeveralProviders(Voices(named, expected), profile)
