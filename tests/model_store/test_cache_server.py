import contextlib
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from model_store import cache_server
from model_store.cache_server import EmbeddedServer, EmbeddedServerError
from tests.disks import DISK_BYTES, fill


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(folder)
    server.start()
    yield server
    server.stop()


def put(server: EmbeddedServer, key: str, value: str) -> None:
    with Redis.from_url(server.url) as redis:
        redis.set(key, value, ex=1000)


def read(server: EmbeddedServer, key: str) -> object:
    with Redis.from_url(server.url) as redis:
        return redis.get(key)


def process_of(server: EmbeddedServer) -> int:
    with Redis.from_url(server.url) as redis:
        info = redis.info("server")
        assert isinstance(info, dict)
        return int(info["process_id"])


def loads(server: EmbeddedServer) -> bool:
    """Whether the server is there and still reads what was saved."""
    with Redis.from_url(server.url) as redis, contextlib.suppress(RedisConnectionError):
        info = redis.info("persistence")
        assert isinstance(info, dict)
        return bool(info["loading"])
    return False


def kill(server: EmbeddedServer) -> None:
    """Kills the server as a crash would, and waits until nobody answers."""
    os.kill(process_of(server), signal.SIGKILL)
    with Redis.from_url(server.url) as redis, contextlib.suppress(RedisConnectionError):
        while redis.ping():
            pass


@contextlib.contextmanager
def paused(server: EmbeddedServer) -> Iterator[int]:
    """Stops the server's process for a while: it is there and does not answer."""
    process = process_of(server)
    os.kill(process, signal.SIGSTOP)
    try:
        yield process
    finally:
        os.kill(process, signal.SIGCONT)


def test_only_its_user_can_connect_and_only_through_the_socket(server: EmbeddedServer) -> None:
    assert server.socket_path.stat().st_mode & 0o077 == 0
    assert server.folder.stat().st_mode & 0o077 == 0
    with Redis.from_url(server.url) as redis:
        assert redis.config_get("port") == {"port": "0"}


def test_the_last_user_stops_it_and_its_entries_are_there_again(server: EmbeddedServer) -> None:
    other = EmbeddedServer(server.folder)
    other.start()
    put(server, "key", "value")
    server.stop()
    assert read(other, "key") == b"value"
    other.stop()
    with pytest.raises(RedisConnectionError):
        read(other, "key")
    server.start()
    assert read(server, "key") == b"value"


def test_a_server_that_died_is_started_again_by_any_user(server: EmbeddedServer) -> None:
    other = EmbeddedServer(server.folder)
    other.start()
    kill(server)
    other.ensure()
    put(server, "key", "value")
    assert read(other, "key") == b"value"
    other.stop()


def test_a_server_left_behind_by_a_crash_is_used_again(server: EmbeddedServer) -> None:
    put(server, "key", "value")
    assert server._users is not None
    server._users.close()  # what the operating system does when a process is killed
    server._users = None
    again = EmbeddedServer(server.folder)
    again.start()
    assert read(again, "key") == b"value"
    again.stop()
    with pytest.raises(RedisConnectionError):
        read(again, "key")


def test_a_stale_socket_is_no_obstacle(server: EmbeddedServer) -> None:
    kill(server)
    assert server.socket_path.exists()
    server.stop()
    server.start()
    put(server, "key", "value")


def test_saved_entries_that_cannot_be_read_are_dropped(folder: Path) -> None:
    folder.mkdir()
    (folder / "dump.rdb").write_bytes(b"REDIS0011 this is not a dump")
    server = EmbeddedServer(folder)
    server.start()
    put(server, "key", "value")
    server.stop()


def test_a_server_that_reads_for_long_what_was_saved_keeps_it_and_is_found_later(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in range(1000):
        put(server, str(key), random.Random(key).randbytes(1024).hex())
    server.stop()
    usual = EmbeddedServer._config
    slow = "key-load-delay 100000\nloading-process-events-interval-bytes 1024\n"  # 100 s
    monkeypatch.setattr(EmbeddedServer, "_config", lambda *given: usual(*given) + slow)
    monkeypatch.setattr(cache_server, "_START_S", 0.0)
    with pytest.raises(EmbeddedServerError, match="does not answer yet"):
        server.start()
    while not loads(server):
        pass
    monkeypatch.setattr(cache_server, "_ANSWER_S", 60.0)
    with pytest.raises(EmbeddedServerError, match="still reads what was saved"):
        server.ensure()
    process = process_of(server)
    with Redis.from_url(server.url) as redis:
        redis.config_set("key-load-delay", 0)
    while loads(server):
        pass
    server.ensure()
    assert process_of(server) == process
    assert read(server, "999") == random.Random(999).randbytes(1024).hex().encode()


def test_a_folder_with_a_long_name_has_its_socket_elsewhere(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / ("long" * 30))
    server.start()
    put(server, "key", "value")
    assert len(os.fsencode(server.socket_path)) <= 104
    server.stop()
    assert not server.socket_path.exists()


def test_a_server_that_hangs_is_named_and_gets_no_second_one_beside_it(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_server, "_ANSWER_S", 0.1)
    put(server, "key", "value")
    with (
        paused(server) as process,
        pytest.raises(EmbeddedServerError, match=f"process {process}\\) hangs"),
    ):
        server.ensure()
    server.ensure()
    assert process_of(server) == process
    assert read(server, "key") == b"value"


def test_a_server_that_hangs_at_the_end_stops_as_soon_as_it_goes_on(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cache_server, "_STOP_S", 0.1)
    put(server, "key", "value")
    with paused(server) as process:
        server.stop()
        assert f"process {process}) does not stop" in caplog.text
    with Redis.from_url(server.url) as redis, contextlib.suppress(RedisConnectionError):
        while redis.ping():
            pass
    server.start()
    assert process_of(server) != process
    assert read(server, "key") == b"value"


def test_a_server_stops_though_there_is_no_room_to_save_its_entries(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = EmbeddedServer(small_disk / "data")
    server.start()
    put(server, "key", random.Random(0).randbytes(2 * DISK_BYTES).hex())
    server.stop()
    assert "cannot save its entries" in caplog.text
    with pytest.raises(RedisConnectionError):
        read(server, "key")
    server.start()
    assert read(server, "key") is None
    server.stop()


def test_on_a_full_disk_there_is_a_server_or_a_reason(small_disk: Path) -> None:
    fill(small_disk)
    server = EmbeddedServer(small_disk / "data")
    with pytest.raises((EmbeddedServerError, OSError), match="space"):
        server.start()
    (small_disk / "filler").unlink()
    server.ensure()
    put(server, "key", "value")
    server.stop()
