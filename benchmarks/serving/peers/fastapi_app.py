"""Plain FastAPI: ``uvicorn benchmarks.serving.peers.fastapi_app:app``.

``PEER_THREADS`` is how many predictions run at a time in a process; with 0 they run on the event
loop, one after the other, and hold up everything else meanwhile.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI, Request, Response

from benchmarks.serving.peers.work import Work

work = Work.from_environment()
threads = int(os.environ["PEER_THREADS"])
executor = ThreadPoolExecutor(threads or 1)
app = FastAPI()


@app.get("/livez")
async def livez() -> dict[str, str]:
    """The no-op."""
    return {"status": "alive"}


@app.post("/predict")
async def predict(request: Request) -> Response:
    """An image as the raw body."""
    image = await request.body()
    if threads:
        content = await asyncio.get_running_loop().run_in_executor(executor, work, image)
    else:
        content = work(image)
    return Response(content, media_type="application/json")
