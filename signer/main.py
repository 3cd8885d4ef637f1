"""Owns the process and its commands. Must never print a secret.

`python -m signer --home DIR` serves; `enroll`, `adopt`, `freeze`, `unfreeze` are for a person on the
signer's host.
"""

import argparse
import asyncio
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from signer import logs
from signer.desk import SigningDesk
from signer.freeze import FreezeSwitch, FrozenBy
from signer.heads import HeadRegister
from signer.home import adopt_wallet, enroll_destination, open_heads
from signer.journal import Journal
from signer.key_ring import JoinedKeys, KeyRing
from signer.keys import load_keys
from signer.limits_file import LimitsFile
from signer.nonce_watch import NonceWatch
from signer.records import SignedRecords, WalletKey
from signer.server import SignerServer
from signer.settings import Home, parse_rpc_urls, read_kms, read_passphrase
from treasurer.kernel.errors import TreasurerError

_PR_SET_DUMPABLE = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code. Errors are one line that says what to do."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0].startswith("--home"):
        given.insert(0, "serve")
    options = _parser().parse_args(given)
    try:
        _run(options)
    except TreasurerError as error:
        print(f"signer: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m signer", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, explanation: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=explanation)
        added.add_argument("--home", type=Path, required=True, help="the signer's folder")
        return added

    serve = command("serve", "serve the socket (the default)")
    serve.add_argument("--socket", type=Path, help="elsewhere than HOME/signer.sock")
    serve.add_argument(
        "--rpc", action="append", default=[], metavar="CHAIN_ID=URL", help="for the nonce check"
    )
    enroll = command("enroll", "permit a destination")
    enroll.add_argument("--destination", required=True)
    enroll.add_argument("--label", required=True)
    enroll.add_argument("--chain-id", type=int)
    adopt = command("adopt", "state a wallet's first free nonce (signer stopped)")
    adopt.add_argument("--wallet", required=True)
    adopt.add_argument("--chain-id", type=int, required=True)
    adopt.add_argument("--next-nonce", type=int, required=True)
    command("freeze", "sign no new payment").add_argument("--reason", required=True)
    command("unfreeze", "sign again")
    return parser


def _run(options: argparse.Namespace) -> None:
    home = Home(options.home)
    switch = FreezeSwitch(home.frozen, _now)
    match options.command:
        case "enroll":
            entry = enroll_destination(
                home.path,
                address=options.destination,
                label=options.label,
                chain_id=options.chain_id,
            )
            print(f"enrolled {entry.address} on chain {entry.chain_id}: {entry.label}")
        case "adopt":
            adopt_wallet(
                home.path,
                chain_id=options.chain_id,
                wallet=options.wallet,
                next_nonce=options.next_nonce,
            )
            print(f"adopted {options.wallet}: next nonce {options.next_nonce}")
        case "freeze":
            switch.freeze(FrozenBy.HOST, options.reason)
            print("frozen")
        case "unfreeze":
            switch.unfreeze(FrozenBy.HOST)
            print("not frozen")
        case _:
            _serve(home, options.socket or home.socket, tuple(options.rpc))


def _serve(home: Home, socket_path: Path, rpc: tuple[str, ...]) -> None:
    _forbid_dumps()
    logs.configure()
    passphrase = read_passphrase(home)
    keys = _open_keys(home, passphrase)
    if not home.journal.exists():
        # Starts all the same, so that the reason can be asked for; no wallet is known, none signs.
        logs.warning("signer.journal_missing", path=str(home.journal))
        Journal.create(home.journal)
    journal = Journal.open(home.journal)
    try:
        records = SignedRecords(journal)
        # Behind the journal's lock, so that one process at a time makes or reads these.
        with closing(open_heads(home, passphrase)) as heads:
            asyncio.run(_serve_socket(home, socket_path, keys, records, heads, parse_rpc_urls(rpc)))
    finally:
        journal.close()


def _open_keys(home: Home, passphrase: bytes) -> KeyRing:
    """The keys of the folder, and those of KMS if any are pinned."""
    stored = load_keys(home.keys, passphrase)
    pinned = read_kms()
    if pinned is None:
        return stored
    # Imported here: whoever has no such key starts without it.
    from signer.kms import KmsKeys, KmsPlace

    place = KmsPlace(pinned.region, pinned.endpoint, pinned.credentials)
    return JoinedKeys([stored, KmsKeys(place, pinned.key_ids, _now)])


async def _serve_socket(
    home: Home,
    socket_path: Path,
    keys: KeyRing,
    records: SignedRecords,
    heads: HeadRegister,
    rpc_urls: Mapping[int, str],
) -> None:
    limits = LimitsFile(home.limits)
    switch = FreezeSwitch(home.frozen, _now)
    watch = NonceWatch(rpc_urls, records)
    wallets = frozenset(
        (chain_id, wallet)
        for chain_id in limits.current().chain_ids
        for wallet in limits.current().wallets
    )

    def status() -> dict[str, object]:
        return {
            **_status(switch, records, watch, wallets),
            "head_public_key": heads.public_key.hex(),
        }

    server = SignerServer(
        desk=SigningDesk(
            keys=keys,
            limits=limits,
            records=records,
            freeze=switch,
            watch=watch,
            clock=_now,
            own_uid=os.getuid(),
        ),
        heads=heads,
        freeze=switch,
        limits=limits,
        status=status,
        own_uid=os.getuid(),
    )
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    checking = asyncio.create_task(watch.run(wallets))
    try:
        await server.serve(socket_path, stop)
    finally:
        checking.cancel()
        with suppress(asyncio.CancelledError):
            await checking


def _status(
    switch: FreezeSwitch,
    records: SignedRecords,
    watch: NonceWatch,
    wallets: frozenset[WalletKey],
) -> dict[str, object]:
    frozen = switch.state()
    return {
        "frozen": frozen
        and {"by": frozen.by.value, "since": frozen.since, "reason": frozen.reason},
        "wallets": [
            {
                "chain_id": chain_id,
                "wallet": wallet,
                "next_nonce": records.next_nonce((chain_id, wallet)),
                "nonce_check": watch.result((chain_id, wallet)).value,
            }
            for chain_id, wallet in sorted(wallets)
        ],
    }


def _forbid_dumps() -> None:
    """No core files, and no reading of this process's memory by others of the same user."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _now() -> datetime:
    return datetime.now(UTC)
