"""``slimdial serve --workers N``, as a user runs it."""

import os
import signal
from pathlib import Path

import httpx

from tests.service.process import serving
from tests.service.running import encoded, picture

REQUESTS = 'slimdial_http_requests_total{method="GET",route="/models",status="200"}'


def workers_in(folder: Path) -> set[int]:
    """The processes whose gauges count: those that serve."""
    files = folder.glob("slimdial-metrics-*/gauge_livesum_*.db")
    return {int(f.stem.rpartition("_")[2]) for f in files}


def sample(url: str, name: str) -> float:
    """One line of /metrics, over a connection of its own: any worker may answer."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return float(next((x.rpartition(" ")[2] for x in lines if x.startswith(name)), "0"))


def test_workers_share_port_cache_and_metrics_and_are_replaced(
    models_root: Path, tmp_path: Path
) -> None:
    metrics = tmp_path / "tmp"
    metrics.mkdir()
    arguments = ["--models-root", str(models_root), "--workers", "2"]
    environ = {**os.environ, "SLIMDIAL_DRAIN_S": "0", "TMPDIR": str(metrics)}
    with serving(arguments, tmp_path, environ=environ) as process:
        url = process.url
        before = workers_in(metrics)
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
        while sample(url, REQUESTS) < 8:  # a request is counted after its last byte
            pass
        assert [sample(url, REQUESTS) for _ in range(6)] == 6 * [8]
        assert sample(url, "slimdial_redis_up") == 1
        assert sample(url, 'slimdial_execution_provider_info{provider="CPU') == 1
        assert sample(url, "slimdial_sessions ") == 1

        # A worker that dies is replaced; what it counted stays, what it held is gone.
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        while victim in (after := workers_in(metrics)) or len(after) < 2:
            pass
        assert after & before
        assert sample(url, REQUESTS) == 8
        assert httpx.get(f"{url}/healthz").json()["status"] == "ok"

        process.popen.send_signal(signal.SIGTERM)
        assert process.popen.wait(60) == 0
    assert "Traceback" not in process.text
    assert not list(metrics.glob("slimdial-metrics-*"))
    assert not (tmp_path / "valkey.sock").exists()
