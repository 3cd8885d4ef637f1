"""`python -m treasurer.embedded.devchain`: reads the command line, takes the folder's lock, serves."""

import argparse
import asyncio
import gc
import sys
from datetime import UTC, datetime
from pathlib import Path

from treasurer.embedded.directory import lock_folder
from treasurer.kernel.errors import TreasurerError


def main() -> int:
    parser = argparse.ArgumentParser(prog="treasurer.embedded.devchain", description=__doc__)
    parser.add_argument("--port", type=int, default=8545, help="0 takes any free port")
    parser.add_argument("--data", type=Path, required=True, help="folder of the chain")
    parser.add_argument("--block-time-s", type=float, default=1.0, help="0: only on evm_mine")
    # A killed supervisor's chain may still be on its way out when the next one starts.
    parser.add_argument("--lock-patience-s", type=float, default=10.0)
    options = parser.parse_args()
    # The EVM's modules live as long as the process: looking for garbage in them slows the start.
    gc.disable()
    from treasurer.embedded.devchain.node import Node
    from treasurer.embedded.devchain.server import serve

    gc.freeze()
    gc.enable()
    options.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with lock_folder(options.data, patience_s=options.lock_patience_s):
            node = Node(options.data, lambda: datetime.now(UTC))
            try:
                asyncio.run(
                    serve(node, options.data, port=options.port, block_time_s=options.block_time_s)
                )
            finally:
                node.close()
    except TreasurerError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
