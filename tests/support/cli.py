"""The command line as people use it: a process of its own, in a folder of its own, with a clean
environment. `running_up` is a `treasurer up` that tests talk to."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from click.testing import CliRunner

from signer.keys import DEVELOPMENT_SCRYPT_N, encrypt_key, secret_address
from signer.settings import PASSPHRASE, PASSPHRASE_FILE, RPC_URLS, Home
from treasurer.cli.main import main
from treasurer.embedded.devchain.accounts import CHAIN_ID, development_account
from treasurer.settings import Settings

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
TIMEOUT_S = 60
PASSPHRASE_TEXT = "correct horse battery staple"
WALLET = development_account(0)
"""Its key is public; the chain gave it coins for fees."""
CANARY = secrets.token_bytes(32)
"""A second key of the signer's, which signs nothing: wherever it is found, keys are found."""

_NOT_INHERITED = {name.upper() for name in Settings.model_fields} | {
    PASSPHRASE,
    PASSPHRASE_FILE,
    RPC_URLS,
}


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    status: int
    out: str
    err: str


@dataclass
class Place:
    """A folder to run commands in. `home` is the installation's; `variables` are all that is set."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if key not in _NOT_INHERITED}
        return {
            **inherited,
            "TREASURER_HOME": str(self.home),
            **self.variables,
            **(more or {}),
        }

    def run(self, *arguments: str, given: str = "", **variables: str) -> Ended:
        """Run `treasurer …` to its end; `given` is typed, `variables` are set besides."""
        process = subprocess.run(
            [sys.executable, "-m", "treasurer.cli", *arguments],
            cwd=self.folder,
            env=self.environment(variables),
            input=given,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        return Ended(process.returncode, process.stdout, process.stderr)

    def invoke(self, *arguments: str, given: str = "", **variables: str) -> Ended:
        """As `run`, within this process, which has its libraries loaded already."""
        environment = self.environment(variables)
        absent: dict[str, str | None] = dict.fromkeys(os.environ.keys() - environment.keys())
        runner = CliRunner(env={**absent, **environment})
        with contextlib.chdir(self.folder):
            result = runner.invoke(main, arguments, input=given)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path


def add_key(place: Place, secret: bytes) -> None:
    """One more key file in the signer's folder, under the passphrase of `init_arguments`."""
    content = encrypt_key(secret, PASSPHRASE_TEXT.encode(), scrypt_n=DEVELOPMENT_SCRYPT_N)
    (Home(place.home / "signer").keys / f"{secret_address(secret)}.json").write_bytes(content)


@dataclass
class Up:
    """A running `treasurer up`."""

    place: Place
    process: subprocess.Popen[str]
    output: str

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(TIMEOUT_S)


@contextmanager
def running_up(place: Place, *arguments: str) -> Iterator[Up]:
    """Start it, wait until it says that it is ready, stop it in the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "treasurer.cli", "up", *arguments],
        cwd=place.folder,
        env=place.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    # Ends a start that hangs, so that the loop below ends too.
    patience = threading.Timer(TIMEOUT_S, process.kill)
    patience.start()
    try:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C"):
                break
        patience.cancel()
        assert process.poll() is None, "".join(lines)
        yield Up(place, process, "".join(lines))
    finally:
        patience.cancel()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TIMEOUT_S)


PEOPLE = (
    "ada@acme.example:Ada Admin:administrator",
    "carl@acme.example:Carl Chief:cfo",
    "ann@acme.example:Ann Approver:approver",
    "cleo@acme.example:Cleo Clerk:clerk",
)
PAYEES_CSV = f"""code,name,vat_id,iban,email,chain_id,address
V-001,Halden Freight AS,,,accounts@halden-freight.example,{CHAIN_ID},{development_account(1).address}
V-002,Qorvane Logistics GmbH,,,,{CHAIN_ID},{development_account(2).address}
"""


def policy_yaml(**changes: str) -> str:
    """The sample policy, addresses payable a second after they are verified."""
    text = (SAMPLES / "policies" / "norwick.yaml").read_text(encoding="utf-8")
    for old, new in {"cooling_off: 24 h": "cooling_off: 1 s", **changes}.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def init_arguments(place: Place, **changes: tuple[str, ...] | None) -> list[str]:
    """A complete `treasurer init --non-interactive`, its files written; None leaves a flag out."""
    flags: dict[str, tuple[str, ...] | None] = {
        "organization": ("Acme Ltd",),
        "currency": ("USD",),
        "monthly-burn": ("40000.00",),
        "person": PEOPLE,
        "network": ("development",),
        "policy": (str(place.write("policy.yaml", policy_yaml())),),
        "payees": (str(place.write("payees.csv", PAYEES_CSV)),),
        "import-key": (str(place.write("key.hex", WALLET.key.hex() + "\n")),),
        "passphrase-file": (str(place.write("passphrase", PASSPHRASE_TEXT + "\n")),),
        "cap": ("USDC:10000:25000",),
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    named = [(f"--{name}", value) for name, values in flags.items() for value in values or ()]
    return ["init", "--non-interactive", *(part for pair in named for part in pair)]
