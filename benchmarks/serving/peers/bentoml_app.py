"""BentoML: ``bentoml serve benchmarks.serving.peers.bentoml_app:Network``."""

import os
from pathlib import Path
from typing import Annotated

import bentoml
from bentoml.validators import ContentType

from benchmarks.serving.peers.work import Work


@bentoml.service(
    workers=int(os.environ["PEER_WORKERS"]),
    threads=int(os.environ["PEER_THREADS"]),
    traffic={"timeout": 60},
    logging={"access": {"enabled": False}},
    metrics={"enabled": True},
)
class Network:
    """The network in each worker."""

    def __init__(self) -> None:
        """Loads the network."""
        self.work = Work.from_environment()

    @bentoml.api
    def predict(
        self, image: Annotated[Path, ContentType("image/jpeg")], /
    ) -> Annotated[bytes, ContentType("application/json")]:
        """An image as the raw body."""
        return self.work(image.read_bytes())
