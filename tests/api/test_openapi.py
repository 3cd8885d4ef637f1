"""The API's description as a golden file, and what importing the API must not load."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.api import ApiWorld

GOLDEN = Path(__file__).parent / "golden/openapi.json"
HEAVY = ("agents", "langchain", "langgraph", "eth_tester", "eth_account", "openai", "saga", "web3")


async def test_the_description_is_the_golden_one(world: ApiWorld) -> None:
    """Renew it on purpose: TREASURER_RENEW_GOLDEN=1 writes what the application says now."""
    served = (await world.client.get("/openapi.json")).json()
    if os.environ.get("TREASURER_RENEW_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(served, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert served == json.loads(GOLDEN.read_text(encoding="utf-8"))


async def test_every_operation_tells_its_permission_and_its_problems(world: ApiWorld) -> None:
    description = world.app.openapi()
    assert set(description["components"]["securitySchemes"]) == {"bearer", "cookie"}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            assert operation["x-permission"], (method, path)
            public = operation["x-permission"] == "public"
            assert ("security" in operation) != public, (method, path)
            problem = operation["responses"]["default"]["content"]
            assert list(problem) == ["application/problem+json"], (method, path)


def test_importing_the_api_loads_no_model_and_no_chain_library() -> None:
    program = (
        "import sys, api.main; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert set(HEAVY) & set(loaded.stdout.split()) == set()
