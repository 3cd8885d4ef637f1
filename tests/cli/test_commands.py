"""The list of commands: complete, and quick because nothing is loaded before it is needed."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from dotenv import dotenv_values

from signer.settings import PASSPHRASE, PASSPHRASE_FILE, RPC_URLS
from tests.support.cli import ROOT
from treasurer.cli.main import COMMANDS, main
from treasurer.settings import Settings


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    *_, listed = result.stdout.partition("Commands:\n")
    lines = [line.split(maxsplit=1) for line in listed.splitlines()]
    assert lines == [[name, sentence] for name, (_, sentence) in COMMANDS.items()]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"Usage: main {name} ")


def test_an_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(main, ["pay"])
    assert (result.exit_code, "No such command 'pay'" in result.output) == (2, True)


def _loaded_by(statement: str) -> set[str]:
    """Packages that are neither ours nor Python's after `statement`; of ours the dashboard."""
    program = f"{statement}; import sys; print(*{{m.partition('.')[0] for m in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    ours = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"dashboard"}
    return set(done.stdout.split()) - ours - sys.stdlib_module_names - {"__main__"}


def test_help_loads_click_and_nothing_else() -> None:
    loaded = _loaded_by("import treasurer.cli.main")
    # What `site` loads of an environment's own .pth files is not ours to choose.
    assert {name for name in loaded if not name.startswith("_")} == {"click"}


MODELS = {"langgraph", "langchain_core", "langchain_openai", "openai", "tiktoken"}
CHAINS = {"web3", "eth_account", "eth_utils", "eth_tester", "py_ecc", "rlp", "Crypto", "coincurve"}
READERS = {"lxml", "pypdfium2", "pypdfium2_raw", "babel"}
DATABASE = {"sqlalchemy", "psycopg", "alembic", "redis", "procrastinate"}
SERVERS = {"fastapi", "uvicorn", "starlette", "jinja2", "httpx", "aiohttp"}


def test_up_starts_its_first_part_before_it_loads_a_library_of_its_others() -> None:
    heavy = MODELS | CHAINS | READERS | DATABASE | SERVERS | {"cryptography", "structlog", "yaml"}
    assert _loaded_by("import treasurer.cli.up") & heavy == set()


def test_the_api_serves_before_it_loads_what_only_pages_or_other_processes_use() -> None:
    """The whole process: `serve` with its composition, up to where it builds its services."""
    heavy = MODELS | CHAINS | READERS | {"alembic", "procrastinate", "jinja2", "httpx", "aiohttp"}
    loaded = _loaded_by("import treasurer.cli.serve, treasurer.cli.web, uvicorn")
    assert "fastapi" in loaded
    assert loaded & (heavy | {"dashboard"}) == set()


def test_the_worker_is_ready_before_it_loads_what_reads_or_mails() -> None:
    heavy = MODELS | READERS | {"alembic", "fastapi", "uvicorn", "jinja2", "httpx"}
    loaded = _loaded_by("import treasurer.cli.worker, worker.main, treasurer.chain.node")
    assert {"procrastinate", "web3"} <= loaded
    assert loaded & heavy == set()


def test_the_worker_computes_no_tables_for_key_files_of_validators() -> None:
    program = "import sys, treasurer.chain.node; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    assert {"eth_keyfile.keyfile", "py_ecc.bls"} <= set(loaded)
    assert [name for name in loaded if "bls" in name and name.startswith("py_ecc.")] == [
        "py_ecc.bls",
        "py_ecc.bls12_381",
    ]


def test_the_chain_computes_no_tables_of_a_fork_that_it_does_not_run() -> None:
    program = (
        "import sys, treasurer.embedded.devchain.node, treasurer.embedded.devchain.server;"
        "print(*[name for name in sys.modules if name.startswith(('py_ecc.', 'structlog', 'rich'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    assert "py_ecc.optimized_bn128" in loaded, "which Cancun has"
    assert [name for name in loaded if not name.startswith("py_ecc.")] == []
    assert [name for name in loaded if "bls" in name.partition(".")[2].partition(".")[0]] == []


def test_the_example_names_every_setting_once() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    commented = [
        line[2:].partition("=")[0] for line in lines if line.startswith("# ") and "=" in line
    ]
    named = [name for name in commented if name.isupper() and " " not in name]
    expected = {name.upper() for name in Settings.model_fields}
    assert sorted(named) == sorted(expected | {PASSPHRASE, PASSPHRASE_FILE, RPC_URLS})


def test_the_example_sets_nothing(tmp_path: Path) -> None:
    """Whoever copies it to .env as it stands gets the defaults."""
    assert dotenv_values(ROOT / ".env.example") == {}
    copy = tmp_path / ".env"
    copy.write_text("RPC_URL=\nOPENAI_API_KEY=\nTREASURER_PORT=\n")
    assert Settings(_env_file=copy) == Settings(_env_file=None)


def test_the_defaults_in_the_example_are_the_defaults() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    written = dict(
        line[2:].split("=", 1) for line in lines if line.startswith("# ") and "=" in line
    )
    for name, field in Settings.model_fields.items():
        default = field.default
        if default not in (None, ""):
            assert written[name.upper()] == str(default), name
