"""Owns network.yaml: the profile that an installation pays on, every token's address pinned.

Must never replace one that says something else: balances and nonces belong to the old network.
"""

from collections.abc import Mapping
from pathlib import Path

import yaml

from treasurer.chain.networks import SHIPPED, PinnedContract, load_profile, shipped_profile
from treasurer.chain.proxies import Observed
from treasurer.kernel.errors import Conflict, NotFound
from treasurer.settings import Settings


def profile_text(name_or_file: str) -> str:
    """The YAML of a shipped profile, or of a file. Raises NotFound."""
    if name_or_file in SHIPPED:
        return shipped_profile(name_or_file)
    try:
        return Path(name_or_file).read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError):
        raise NotFound(
            "NETWORK_UNKNOWN",
            f"{name_or_file!r} is neither a file nor one of {', '.join(SHIPPED)}",
        ) from None


def pinned(text: str, addresses: Mapping[str, str], disperse: PinnedContract | None = None) -> str:
    """The profile's YAML with `addresses` (by symbol) filled in where it leaves them open, and with the
    contract that pays batches.
    """
    load_profile(text, token_addresses=addresses)
    profile = yaml.safe_load(text)
    for entry in profile["tokens"]:
        entry["address"] = entry.get("address") or addresses[entry["symbol"]]
    if disperse is not None:
        profile["disperse"] = {
            "address": disperse.address,
            "code_hash": f"0x{disperse.code_hash.hex()}",
        }
    return yaml.safe_dump(profile, sort_keys=False)


def pinned_as_observed(text: str, observed: Mapping[str, Observed | None]) -> str:
    """The profile's YAML with the code that stands at each token's address (by symbol) pinned, where
    whoever wrote it left that open. Where nothing stands nothing is pinned.
    """
    profile = yaml.safe_load(text)
    for entry in profile["tokens"]:
        seen = observed[entry["symbol"]]
        if seen is None:
            continue
        entry["code_hash"] = entry.get("code_hash") or f"0x{seen.code_hash.hex()}"
        if seen.implementation is not None and not entry.get("implementation"):
            entry["implementation"] = {
                "address": seen.implementation.address,
                "code_hash": f"0x{seen.implementation.code_hash.hex()}",
            }
    return yaml.safe_dump(profile, sort_keys=False)


def write_network(settings: Settings, text: str) -> None:
    """Write network.yaml; the same content again changes nothing. Raises Conflict."""
    path = settings.home.network
    if path.exists():
        if load_profile(path.read_text(encoding="utf-8")) != load_profile(text):
            raise Conflict(
                "NETWORK_ALREADY_SET",
                f"{path} pins another network or other addresses; an installation pays on one"
                " network: set TREASURER_HOME to another folder",
            )
        return
    # A reader sees no file or the whole one.
    draft = path.with_suffix(".new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
