"""NVIDIA's load generator against the service in a process of its own.

It comes with an old wheel of its client, so it is installed apart from the client that is tested
here. Needs a package index, and Debian's ``libb64-0d``.
"""

import csv
import ctypes.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

WHEELS = ("tritonclient==2.41.0", "nvidia-cuda-runtime-cu12==12.9.79")
REQUESTS = 20


@pytest.fixture(scope="module")
def perf_analyzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that it is installed in."""
    if ctypes.util.find_library("b64") is None:
        pytest.fail("perf_analyzer needs a library that is not there: `apt-get install libb64-0d`")
    folder = tmp_path_factory.mktemp("perf_analyzer")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-compile", "--target", folder, *WHEELS], check=True)
    return folder


def measured(installed: Path, url: str, report: Path, *more: str) -> dict[str, float]:
    """What it reports of some requests to ``tiny``, two at a time."""
    command = [str(installed / "bin" / "perf_analyzer"), "-m", "tiny", "-i", "http"]
    address = ["-u", url.removeprefix("http://")]
    shape = ["--shape", "image:3,32,32", "--concurrency-range", "2"]
    # Three windows of so many requests, however different they are: that it works is wanted here.
    windows = ["--measurement-mode", "count_windows", "--measurement-request-count", str(REQUESTS)]
    libraries = str(installed / "nvidia" / "cuda_runtime" / "lib")
    done = subprocess.run(
        [*command, *address, *shape, *windows, "-s", "999", "-f", str(report), *more],
        env={**os.environ, "LD_LIBRARY_PATH": libraries},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with report.open(newline="") as file:
        (row,) = csv.DictReader(file)
    return {name: float(value) for name, value in row.items()}


def test_it_measures_the_full_network_and_a_sub_network_by_its_number(
    perf_analyzer: Path, url: str, tmp_path: Path
) -> None:
    def loaded(**parameters: float) -> dict[str, Any]:
        body = {"parameters": parameters}
        found = httpx.post(f"{url}/v2/repository/models/tiny/load", json=body).json()
        assert found["state"] == "READY"
        return dict(found)

    def count(version: str) -> int:
        stats = httpx.get(f"{url}/v2/models/tiny/versions/{version}/stats").json()
        (found,) = stats["model_stats"]
        assert found["inference_stats"]["fail"]["count"] == 0
        return int(found["inference_count"])

    for network, choice in (
        (full := loaded(), []),
        (small := loaded(gmacs=0.004), ["-x", small["number"]]),
    ):
        before = count(network["version"])
        row = measured(perf_analyzer, url, tmp_path / "report.csv", *choice)
        assert row["Concurrency"] == 2
        assert row["Inferences/Second"] > 0
        assert row["Server Compute Infer"] > 0
        assert count(network["version"]) >= before + REQUESTS
    assert full["version"] != small["version"]
