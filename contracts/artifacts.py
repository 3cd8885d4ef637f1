"""Owns the reading of compiled contracts. Must never compile: artifacts lie beside sources."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compiled contract. `runtime_code_hash` is keccak-256 of the code that `eth_getCode` returns."""

    name: str
    compiler: str
    source_sha256: str
    abi: Sequence[Mapping[str, Any]]
    bytecode: bytes
    runtime_code_hash: bytes


def load_artifact(name: str) -> Artifact:
    """Read `contracts/<name>.json`. Raises FileNotFoundError for a contract that is not ours."""
    stored = json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))
    return Artifact(
        name=stored["name"],
        compiler=stored["compiler"],
        source_sha256=stored["source_sha256"],
        abi=stored["abi"],
        bytecode=bytes.fromhex(stored["bytecode"].removeprefix("0x")),
        runtime_code_hash=bytes.fromhex(stored["runtime_code_hash"].removeprefix("0x")),
    )
