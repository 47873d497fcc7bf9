"""A loop without HTTP around the network, in as many processes as there are cores."""

import json
import os
import subprocess
from pathlib import Path

from benchmarks.serving.load import Load
from benchmarks.serving.servers import ENVIRONMENTS, ROOT


def loop(job: Path, picture: Path, seconds: float, processes: int, encode: bool) -> Load:
    """Decodes and runs a picture again and again, in processes of one thread each.

    Args:
        job: folder of the network.
        picture: an image file.
        seconds: how long.
        processes: at a time.
        encode: whether answers are encoded, too.
    """
    python = str(ENVIRONMENTS / "fastapi" / "bin" / "python")
    command = [python, "-m", "benchmarks.serving.peers.loop", f"{seconds:g}", str(picture)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [*command, *(["encode"] if encode else [])],
            env={**environ, "PEER_FOLDER": str(job)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    for process in running:
        assert process.stdout is not None
        process.stdout.readline()  # it is ready
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    found = [Load(**json.loads(process.communicate()[0])) for process in running]
    return Load(
        per_s=sum(f.per_s for f in found),
        p50_ms=max(f.p50_ms for f in found),
        p99_ms=max(f.p99_ms for f in found),
        failed=0,
        client_share=0.0,
        server_ms=sum(f.server_ms for f in found) / processes,
    )
