"""Owns the making of artifacts: each `*.vy` below it becomes a `*.json`. Must never run in production.

A `*.layout.json` beside a source says in which storage slots its variables lie.

Run by `make contracts` with an interpreter that has the `contracts` extra. The output depends on the
source and the compiler only, so a second run changes nothing.
"""

import hashlib
import json
from pathlib import Path

import vyper  # type: ignore[import-not-found,unused-ignore]
from vyper.compiler import compile_code  # type: ignore[import-not-found,unused-ignore]
from vyper.compiler.input_bundle import (  # type: ignore[import-not-found,unused-ignore]
    FilesystemInputBundle,
    JSONInput,
)
from vyper.utils import keccak256  # type: ignore[import-not-found,unused-ignore]

FOLDER = Path(__file__).resolve().parent


def compile_source(source: Path) -> dict[str, object]:
    """What `contracts.artifacts.Artifact` reads: ABI, creation code, hash of the deployed code."""
    text = source.read_text(encoding="utf-8")
    layout = source.with_suffix(".layout.json")
    made = compile_code(
        text,
        output_formats=["abi", "bytecode", "bytecode_runtime"],
        storage_layout_override=_layout(layout) if layout.exists() else None,
    )
    runtime = bytes.fromhex(made["bytecode_runtime"].removeprefix("0x"))
    return {
        "name": source.stem,
        "compiler": f"vyper {vyper.__version__}",
        "source_sha256": hashlib.sha256(text.encode("utf-8")).hexdigest(),
        "bytecode": made["bytecode"],
        "runtime_code_hash": "0x" + keccak256(runtime).hex(),
        "abi": made["abi"],
    }


def _layout(path: Path) -> JSONInput:
    """As the compiler's own command reads it."""
    bundle = FilesystemInputBundle([path.parent])
    return bundle.load_json_file(path.name)


def main() -> None:
    for source in sorted(FOLDER.rglob("*.vy")):
        target = source.with_suffix(".json")
        target.write_text(json.dumps(compile_source(source), indent=1) + "\n", encoding="utf-8")
        print(f"{target.name} written")


if __name__ == "__main__":
    main()
