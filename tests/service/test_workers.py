"""``slimdial serve --workers N``, as a user runs it."""

import os
import re
import signal
import sys
from pathlib import Path

import httpx
import pytest

from tests.service.process import Process, serving
from tests.service.running import encoded, picture

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc")

REQUESTS = 'slimdial_http_requests_total{method="GET",route="/models",status="200"}'


@pytest.fixture
def environ() -> dict[str, str]:
    return {**os.environ, "SLIMDIAL_DRAIN_S": "0", "TMPDIR": os.environ.get("TMPDIR", "/tmp")}


def workers_of(process: Process) -> set[int]:
    """The processes that serve, found as the supervisor's children."""
    pid = process.popen.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(c) for c in children if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes()}


def sample(url: str, name: str) -> float:
    """One line of /metrics, over a connection of its own: any worker may answer."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return float(next((x.rpartition(" ")[2] for x in lines if x.startswith(name)), "0"))


def test_workers_share_port_cache_and_metrics_and_are_replaced(
    models_root: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    metrics = tmp_path / "tmp"
    metrics.mkdir()
    arguments = ["--models-root", str(models_root), "--workers", "2"]
    with serving(arguments, tmp_path, environ={**environ, "TMPDIR": str(metrics)}) as process:
        url = process.url
        before = workers_of(process)
        assert len(before) == 2

        # Whoever answers: one sub-network, built once, in one Redis.
        body = {"budget": {"gmacs": 0.005}}
        answers = [httpx.post(f"{url}/subnet", json=body).json() for _ in range(6)]
        assert [a["cache"] for a in answers] == ["miss"] + 5 * ["hit"]
        assert len({a["subnet_id"] for a in answers}) == 1
        assert sample(url, "slimdial_extract_duration_seconds_count") == 1
        predicted = httpx.post(
            url + answers[0]["links"]["predict"],
            content=encoded(picture()),
            headers={"content-type": "image/png"},
        )
        assert predicted.status_code == 200

        # Whoever is asked: the numbers of all.
        for _ in range(8):
            assert httpx.get(f"{url}/models").status_code == 200
        assert [sample(url, REQUESTS) for _ in range(6)] == 6 * [8]
        assert sample(url, "slimdial_redis_up") == 1
        assert sample(url, 'slimdial_execution_provider_info{provider="CPU') == 1
        assert sample(url, "slimdial_sessions ") == 1

        # A worker that dies is replaced; what it counted stays, what it held is gone.
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        while len(after := workers_of(process) - {victim}) < 2 or not gone(metrics, victim):
            pass
        assert after & before
        assert sample(url, REQUESTS) == 8
        assert httpx.get(f"{url}/healthz").json()["status"] == "ok"

        process.popen.send_signal(signal.SIGTERM)
        assert process.popen.wait(60) == 0
    assert "Traceback" not in process.text
    assert not list(metrics.glob("slimdial-metrics-*"))
    assert not (tmp_path / "valkey.sock").exists()


def gone(metrics: Path, pid: int) -> bool:
    """Whether a worker's gauges no longer count."""
    (folder,) = metrics.glob("slimdial-metrics-*")
    return not [f for f in folder.iterdir() if re.fullmatch(rf"gauge_live.*_{pid}\.db", f.name)]
