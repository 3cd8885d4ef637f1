"""Orders, homes and running processes of the signer. The keys are the public development keys."""

import asyncio
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from signer.desk import SigningDesk
from signer.freeze import FreezeSwitch
from signer.home import create_home
from signer.journal import Journal
from signer.key_ring import KeyRing
from signer.keys import DEVELOPMENT_SCRYPT_N, load_keys
from signer.limits import Destination, Limits, Spender, TokenLimit, TopUpLimit
from signer.limits_file import LimitsFile
from signer.nonce_watch import NonceWatch
from signer.protocol import Answer, Refusal
from signer.records import SignedRecords
from signer.settings import Home, read_passphrase
from treasurer.chain.signer_client import SignerClient
from treasurer.kernel.allowance_order import AllowanceOrder
from treasurer.kernel.clock import Clock
from treasurer.kernel.errors import Transient
from treasurer.kernel.ids import OrganizationId, PaymentId
from treasurer.kernel.order import ExecutionOrder, OrderItem, Quote
from treasurer.kernel.signing import (
    SignAllowance,
    SignCancel,
    SignPayment,
    SignRequest,
    SignTopUp,
)
from treasurer.kernel.top_up_order import TopUpOrder
from treasurer.kernel.transaction import CANCEL_GAS, FeeTerms

# Account 0 of the usual test mnemonic; its key is printed by every Ethereum development node.
TREASURY = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
TREASURY_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
SECOND_KEY = bytes.fromhex("47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a")
HALDEN = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
QORVANE = "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc"
STRANGER = "0x90f79bf6eb2c4f870365e785982e1f101e93b906"
TOKEN = "0x5fbdb2315678afecb367f032d93f642f64180aa3"
SECOND_WALLET = "0x15d34aaf54267db7d7c367839aaf71a00a2c6a65"
DISPERSE = "0x" + "d1" * 20
CHAIN_ID = 31337
ORDER_END = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GWEI = 10**9
FEES = FeeTerms(gas_limit=70_000, max_fee_per_gas_wei=20 * GWEI, max_priority_fee_per_gas_wei=GWEI)
LIMITS = Limits(
    chain_ids=(CHAIN_ID,),
    wallets=(TREASURY,),
    max_fee_per_gas_wei=100 * GWEI,
    max_gas_limit=200_000,
    tokens=(
        TokenLimit(
            chain_id=CHAIN_ID,
            address=TOKEN,
            symbol="USDC",
            decimals=6,
            per_transaction_minor=10_000_000_000,
            rolling_24h_minor=25_000_000_000,
            allowance_minor=1_000_000_000,
        ),
    ),
    destinations=(
        Destination(CHAIN_ID, HALDEN, "Halden Freight AS"),
        Destination(CHAIN_ID, QORVANE, "Qorvane Logistics GmbH"),
    ),
    spenders=(Spender(CHAIN_ID, DISPERSE, "Disperse"),),
    top_ups=(TopUpLimit(CHAIN_ID, per_top_up_wei=10**17, rolling_24h_wei=2 * 10**17),),
)

POOL = replace(LIMITS, wallets=(TREASURY, SECOND_WALLET))
"""With a second wallet of our own."""


def order(
    *,
    payment: int = 1,
    recipient: str = HALDEN,
    amount_minor: int = 450_000_000,
    not_after: datetime | None = None,
    chain_id: int = CHAIN_ID,
    token: str = TOKEN,
    token_decimals: int = 6,
    wallets: Sequence[str] = (TREASURY,),
) -> ExecutionOrder:
    """An order for payment number `payment`; without `not_after` it is good for an hour from now."""
    as_of = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
    return ExecutionOrder(
        organization_id=OrganizationId(UUID(int=7)),
        chain_id=chain_id,
        token=token,
        token_decimals=token_decimals,
        items=(OrderItem(PaymentId(UUID(int=payment)), recipient, amount_minor),),
        permitted_wallets=tuple(sorted(wallets)),
        quote=Quote("USD", 45_000, 2, 1, 1, ("par",), as_of, as_of + timedelta(hours=1)),
        not_after=not_after or datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1),
    )


def sign_request(
    nonce: int, wanted: ExecutionOrder, *, attempt: int = 1, fees: FeeTerms = FEES
) -> SignPayment:
    """One payment."""
    return SignPayment((wanted.canonical_bytes(),), TREASURY, nonce, attempt, fees)


def batch_request(
    nonce: int,
    wanted: Sequence[ExecutionOrder],
    *,
    attempt: int = 1,
    fees: FeeTerms = FEES,
    disperse: str | None = DISPERSE,
) -> SignPayment:
    """Several payments in one transaction."""
    orders = tuple(each.canonical_bytes() for each in wanted)
    return SignPayment(orders, TREASURY, nonce, attempt, fees, disperse)


def cancel_request(nonce: int, *, attempt: int = 1, fees: FeeTerms = FEES) -> SignCancel:
    """A cancel; of `fees` only the prices count."""
    terms = replace(fees, gas_limit=CANCEL_GAS)
    return SignCancel(CHAIN_ID, TREASURY, nonce, attempt, terms)


def allowance_request(
    nonce: int, *, attempt: int = 1, fees: FeeTerms = FEES, **terms: Any
) -> SignAllowance:
    """An allowance by `allowance_order`'s terms."""
    return SignAllowance(allowance_order(**terms).canonical_bytes(), nonce, attempt, fees)


def top_up_request(
    nonce: int, *, attempt: int = 1, fees: FeeTerms = FEES, **terms: Any
) -> SignTopUp:
    """A top-up by `top_up_order`'s terms."""
    return SignTopUp(top_up_order(**terms).canonical_bytes(), nonce, attempt, fees)


def allowance_order(**terms: Any) -> AllowanceOrder:
    """900 USDC for the disperse contract, unless `terms` say otherwise."""
    given = {
        "allowance_id": UUID(int=1),
        "organization_id": UUID(int=7),
        "chain_id": CHAIN_ID,
        "wallet": TREASURY,
        "token": TOKEN,
        "token_decimals": 6,
        "spender": DISPERSE,
        "amount_minor": 900_000_000,
        "not_after": ORDER_END,
    }
    return AllowanceOrder(**{**given, **terms})


def top_up_order(**terms: Any) -> TopUpOrder:
    """A hundredth of the native asset for the second wallet, unless `terms` say otherwise."""
    given = {
        "top_up_id": UUID(int=1),
        "organization_id": UUID(int=7),
        "chain_id": CHAIN_ID,
        "wallet": TREASURY,
        "recipient": SECOND_WALLET,
        "amount_wei": 10**16,
        "not_after": ORDER_END,
    }
    return TopUpOrder(**{**given, **terms})


def bumped(fees: FeeTerms, numerator: int = 9, denominator: int = 8) -> FeeTerms:
    """Both fees times `numerator / denominator`."""
    return replace(
        fees,
        max_fee_per_gas_wei=fees.max_fee_per_gas_wei * numerator // denominator,
        max_priority_fee_per_gas_wei=fees.max_priority_fee_per_gas_wei * numerator // denominator,
    )


def code(answer: Answer) -> str:
    """Of a refusal."""
    assert isinstance(answer, Refusal), answer
    return answer.code


def make_home(directory: Path, limits: Limits = LIMITS, **options: Any) -> Home:
    """A signer's folder with the treasury's key, and the second wallet's if the limits name it."""
    create_home(
        directory,
        private_keys=[TREASURY_KEY, *([SECOND_KEY] if SECOND_WALLET in limits.wallets else [])],
        limits=limits,
        scrypt_n=DEVELOPMENT_SCRYPT_N,
        **options,
    )
    return Home(directory)


class OpenDesk:
    """A desk in this process over real files, with a clock that the test moves."""

    def __init__(self, home: Home, clock: Clock, keys: KeyRing | None = None) -> None:
        self.home = home
        self.journal = Journal.open(home.journal)
        self.freeze = FreezeSwitch(home.frozen, clock)
        records = SignedRecords(self.journal)
        self.desk = SigningDesk(
            keys=keys or load_keys(home.keys, read_passphrase(home)),
            limits=LimitsFile(home.limits),
            records=records,
            freeze=self.freeze,
            watch=NonceWatch({}, records),
            clock=clock,
            own_uid=1000,
        )

    def answer(self, *requests: SignRequest, caller_uid: int = 1000) -> list[Answer]:
        """One batch by one caller."""
        (answers,) = self.desk.answer([(caller_uid, requests)])
        return answers


@contextmanager
def open_desk(home: Home, clock: Clock, keys: KeyRing | None = None) -> Iterator[OpenDesk]:
    """Close the journal afterwards, so that another desk can open it."""
    opened = OpenDesk(home, clock, keys)
    try:
        yield opened
    finally:
        opened.journal.close()


class SignerProcess:
    """`python -m signer` as a child."""

    def __init__(self, home: Home, *arguments: str) -> None:
        self.home = home
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the signer was not started"
        return self._process

    def spawn(self) -> None:
        """Start without waiting."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "signer", "--home", str(self.home.path), *self._arguments],
            stderr=subprocess.PIPE,
        )

    async def start(self) -> None:
        """Start and wait until it answers."""
        self.spawn()
        client = self.client()
        deadline = time.monotonic() + 15
        while True:
            try:
                await client.status()
                break
            except Transient:
                assert self.running.poll() is None, self.errors()
                assert time.monotonic() < deadline, "the signer does not answer"
                await asyncio.sleep(0.01)
        await client.close()

    def client(self) -> SignerClient:
        return SignerClient(self.home.socket)

    def limit_file_size(self, limit_bytes: int) -> None:
        """From now on its files cannot grow beyond this: what a full disk does to a write."""
        resource.prlimit(self.running.pid, resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, closed or removed."""
        self.running.send_signal(signal.SIGKILL)
        self.running.wait(10)

    def stop(self) -> int:
        """SIGTERM; return the exit status."""
        self.running.terminate()
        return self.running.wait(10)

    def errors(self) -> str:
        """All that an ended process wrote to its standard error."""
        assert self.running.stderr is not None
        return self.running.stderr.read().decode()

    def close(self) -> None:
        """End it however it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            assert self._process.stderr is not None
            self._process.stderr.close()


@contextmanager
def signer_process(home: Home, *arguments: str) -> Iterator[SignerProcess]:
    """A signer that is not yet started, and is gone afterwards."""
    process = SignerProcess(home, *arguments)
    try:
        yield process
    finally:
        process.close()
