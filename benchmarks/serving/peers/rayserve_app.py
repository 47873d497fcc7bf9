"""Ray Serve: ``python -m benchmarks.serving.peers.rayserve_app``."""

import asyncio
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.serving.peers.work import Work


class Network:
    """The network in each replica."""

    def __init__(self, threads: int) -> None:
        """Loads the network."""
        self.work = Work.from_environment()
        self.executor = ThreadPoolExecutor(threads) if threads else None

    async def __call__(self, request: Request) -> Response:
        """An image as the raw body; or nothing, which is the no-op."""
        if request.url.path == "/noop":
            return Response()
        image = await request.body()
        if self.executor is None:
            content = self.work(image)
        else:
            loop = asyncio.get_running_loop()
            content = await loop.run_in_executor(self.executor, self.work, image)
        return Response(content, media_type="application/json")


if __name__ == "__main__":
    replicas, threads = int(os.environ["PEER_WORKERS"]), int(os.environ["PEER_THREADS"])
    ray.init(include_dashboard=False, num_cpus=2, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PEER_PORT"])})
    network = serve.deployment(
        Network,
        num_replicas=replicas,
        max_ongoing_requests=int(os.environ["PEER_ONGOING"]),
        ray_actor_options={"num_cpus": 0.5},
    )
    serve.run(network.bind(threads), route_prefix="/")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()
    serve.shutdown()
