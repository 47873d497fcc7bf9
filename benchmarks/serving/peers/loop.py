"""The loop that servers are measured against: ``python -m ...peers.loop SECONDS PICTURE [encode]``.

Waits for a line on its standard input, then decodes and runs the picture again and again, and
prints what came of it as JSON.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.serving.peers.work import Work


def main(seconds: float, content: bytes, encode: bool) -> None:
    """Works for some seconds."""
    work = Work.from_environment()

    def once() -> None:
        image, width, height = work.decode(content)
        outputs = work.run(image)
        if encode:
            work.encode(outputs, width, height)

    for _ in range(20):
        once()
    print("ready", flush=True)
    sys.stdin.readline()
    times: list[float] = []
    start, cpu = time.perf_counter(), time.process_time()
    while (before := time.perf_counter()) < start + seconds:
        once()
        times.append(1e3 * (time.perf_counter() - before))
    p50, p99 = np.percentile(times, [50, 99]).tolist()
    found = {
        "per_s": len(times) / (time.perf_counter() - start),
        "p50_ms": p50,
        "p99_ms": p99,
        "failed": 0,
        "client_share": 0.0,
        "server_ms": 1e3 * (time.process_time() - cpu) / len(times),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]).read_bytes(), "encode" in sys.argv[3:])
