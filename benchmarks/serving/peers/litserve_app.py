"""LitServe: ``python -m benchmarks.serving.peers.litserve_app``."""

import os
from typing import Annotated

import litserve
from fastapi import Body, Response

from benchmarks.serving.peers.work import Work


class Api(litserve.LitAPI):
    """One worker process."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Loads the network."""
        self.work = Work.from_environment()

    def decode_request(
        self, request: Annotated[bytes, Body(media_type="image/jpeg")], **_: object
    ) -> bytes:
        """An image as the raw body."""
        return request

    def predict(self, x: bytes, **_: object) -> bytes:
        """From an image file to JSON."""
        return self.work(x)

    def encode_response(self, output: bytes, **_: object) -> Response:
        """JSON as it is."""
        return Response(output, media_type="application/json")


if __name__ == "__main__":
    server = litserve.LitServer(
        Api(),
        accelerator="cpu",
        workers_per_device=int(os.environ["PEER_WORKERS"]),
        fast_queue=os.environ["PEER_FAST_QUEUE"] == "1",
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PEER_PORT"]),
        num_api_servers=int(os.environ["PEER_API_SERVERS"]),
        generate_client_file=False,
        log_level="warning",
    )
