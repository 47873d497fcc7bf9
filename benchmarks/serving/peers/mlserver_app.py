"""MLServer: a runtime with a route of its own, which spares it JSON tensors.

``mlserver start FOLDER``, where the folder's ``model-settings.json`` names ``Runtime``.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

from fastapi import Body, Response
from mlserver import MLModel
from mlserver.handlers import custom_handler

from benchmarks.serving.peers.work import Work


class Runtime(MLModel):
    """The network, in the server's process or in each of its parallel workers."""

    async def load(self) -> bool:
        """Loads the network."""
        threads = int(os.environ["PEER_THREADS"])
        self.work = Work.from_environment()
        self.executor = ThreadPoolExecutor(threads) if threads else None
        return True

    @custom_handler(rest_path="/predict")
    async def image(self, image: Annotated[bytes, Body(media_type="image/jpeg")]) -> Response:
        """An image as the raw body."""
        if self.executor is None:
            content = self.work(image)
        else:
            loop = asyncio.get_running_loop()
            content = await loop.run_in_executor(self.executor, self.work, image)
        return Response(content, media_type="application/json")
