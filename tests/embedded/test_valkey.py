"""The private Valkey: its door, and that it keeps nothing."""

import stat
from pathlib import Path

import redis

from tests.support.embedded import embedded_valkey
from treasurer.embedded.valkey import ValkeyServer


def connect(server: ValkeyServer) -> redis.Redis:
    return redis.Redis.from_url(server.url, decode_responses=True)


def test_serves_by_socket_only_and_forgets(tmp_path: Path) -> None:
    with embedded_valkey(tmp_path) as server, connect(server) as client:
        assert client.set("rate:1", "7")
        assert client.get("rate:1") == "7"
        assert client.config_get("port", "save", "appendonly", "maxmemory-policy") == {
            "port": "0",
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "allkeys-lru",
        }
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
    assert not server.child.running
    with embedded_valkey(tmp_path) as server, connect(server) as client:
        assert client.get("rate:1") is None


def test_deep_folder_gets_a_socket_that_works(tmp_path: Path) -> None:
    with embedded_valkey(tmp_path / ("deep" * 25)) as server, connect(server) as client:
        assert client.ping()
        assert len(str(server.socket)) < 100
