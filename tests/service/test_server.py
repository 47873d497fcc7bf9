"""The service as a process, with a real HTTP client."""

import os
import shlex
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

from tests.service.process import MODULE, ROOT, serving
from tests.service.running import encoded, picture


def test_the_first_example_works_when_pasted(models_root: Path, tmp_path: Path) -> None:
    with serving(["--models-root", str(models_root)], tmp_path) as process:
        (line,) = [line for line in process.lines if "curl" in line]
        command = shlex.split(line)
        assert command[:2] == ["curl", "-s"]
        url, body = command[2], command[-1]
        answer = httpx.post(url, content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 200, answer.text
        subnet = answer.json()
        predicted = httpx.post(
            process.url + subnet["links"]["predict"],
            content=encoded(picture()),
            headers={"content-type": "image/png"},
        )
        assert predicted.status_code == 200
        assert set(predicted.json()["outputs"]) == set(subnet["tasks"])


def test_a_container_can_ask_whether_it_is_ready(models_root: Path, tmp_path: Path) -> None:
    def check(url: str) -> int:
        port = url.rpartition(":")[2]
        command = [sys.executable, "-m", "service.healthcheck"]
        environ = {**os.environ, "SLIMDIAL_PORT": port}
        return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True).returncode

    with serving(["--models-root", str(models_root)], tmp_path) as process:
        assert check(process.url) == 0
        # The port is taken now.
        again = ["serve", "--models-root", str(models_root), "--data-dir", str(tmp_path)]
        port = process.url.rpartition(":")[2]
        second = subprocess.run(
            [*MODULE, *again, "--port", port], cwd=ROOT, capture_output=True, text=True
        )
        assert second.returncode == 1
        assert "--port 0" in second.stderr
        assert "Traceback" not in second.stderr
    assert check(process.url) == 1


def test_on_sigterm_it_stops_being_ready_before_it_stops_answering(
    models_root: Path, tmp_path: Path
) -> None:
    with (
        serving(["--models-root", str(models_root)], tmp_path) as process,
        httpx.Client(base_url=process.url) as http,
    ):
        assert http.get("/readyz").status_code == 200
        process.popen.send_signal(signal.SIGTERM)
        while (ready := http.get("/readyz")).status_code == 200:
            pass
        assert ready.status_code == 503
        assert http.get("/livez").status_code == 200
        assert process.popen.wait(30) == 0
    assert "Traceback" not in process.text


def test_ctrl_c_ends_it_at_once_and_cleanly(models_root: Path, tmp_path: Path) -> None:
    with serving(["--models-root", str(models_root)], tmp_path) as process:
        process.popen.send_signal(signal.SIGINT)
        assert process.popen.wait(30) == 0
    assert "Traceback" not in process.text
    assert not (tmp_path / "valkey.sock").exists()


def test_it_starts_again_after_it_was_killed(models_root: Path, tmp_path: Path) -> None:
    arguments = ["--models-root", str(models_root)]
    budget = {"budget": {"gmacs": 0.005}}
    with serving(arguments, tmp_path) as process:
        assert httpx.post(f"{process.url}/subnet", json=budget).json()["cache"] == "miss"
        process.popen.kill()
        process.popen.wait()
    with serving(arguments, tmp_path) as process:
        # The embedded server outlived the process; so did what it held.
        assert httpx.post(f"{process.url}/subnet", json=budget).json()["cache"] == "hit"


def test_liveness_is_answered_while_subnetworks_are_built(
    models_root: Path, tmp_path: Path
) -> None:
    with (
        serving(["--models-root", str(models_root)], tmp_path) as process,
        httpx.Client(base_url=process.url) as http,
    ):
        done = threading.Event()
        seconds: list[float] = []

        def dial() -> None:
            start = time.perf_counter()
            with httpx.Client(base_url=process.url, timeout=60) as other:
                for i in range(12):
                    body = {"budget": {"gmacs": 0.001 + 0.0006 * i}}
                    assert other.post("/subnet", json=body).status_code == 200
            seconds.append(time.perf_counter() - start)
            done.set()

        builder = threading.Thread(target=dial)
        builder.start()
        waits = []
        while not done.is_set():
            start = time.perf_counter()
            assert http.get("/livez").status_code == 200
            waits.append(time.perf_counter() - start)
        builder.join()
        # A blocked event loop would answer once a stage; a slow machine slows down both alike.
        assert statistics.median(waits) < max(0.05, seconds[0] / 12 / 4)
        assert len(waits) > 3 * 12


def test_two_processes_share_a_data_folder(models_root: Path, tmp_path: Path) -> None:
    arguments = ["--models-root", str(models_root)]
    budget = {"budget": {"gmacs": 0.005}}
    with serving(arguments, tmp_path) as one, serving(arguments, tmp_path) as two:
        first = httpx.post(f"{one.url}/subnet", json=budget).json()
        second = httpx.post(f"{two.url}/subnet", json=budget).json()
        assert (first["cache"], second["cache"]) == ("miss", "hit")
        assert first["subnet_id"] == second["subnet_id"]


_WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "training"):
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, NoTorch())
from service.cli import app
app()
"""


def test_it_serves_where_torch_cannot_be_imported(models_root: Path, tmp_path: Path) -> None:
    command = (sys.executable, "-c", _WITHOUT_TORCH)
    blocked = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TORCH.replace("from service.cli", "import torch\nfrom x")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "not installed here" in blocked.stderr
    with serving(["--models-root", str(models_root)], tmp_path, command) as process:
        response = httpx.post(
            f"{process.url}/predict?budget=0.005",
            content=encoded(picture()),
            headers={"content-type": "image/png"},
            timeout=60,
        )
        assert response.status_code == 200, response.text
