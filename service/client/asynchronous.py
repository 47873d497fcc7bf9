"""The client for asyncio."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Self, TypeVar

import httpx

from service.client import operations
from service.client.answers import Health, Model, Prediction, Subnet, Summary
from service.client.base import Base, dial_of, failure_of, longest_s, reply_of, wanted_of
from service.client.exchange import Clock, Operation, Pause, Reply, Send
from service.client.images import Image, encoded
from service.client.operations import Dial

T = TypeVar("T")


class AsyncClient(Base):
    """The service, for asyncio: as :class:`Client`, to be awaited."""

    def __init__(
        self,
        url: str,
        timeout_s: float = 60.0,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        http: httpx.AsyncClient | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """As :class:`Client`."""
        super().__init__(url, timeout_s, api_key, headers)
        self._http = http or httpx.AsyncClient()
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes its connections."""
        await self._http.aclose()

    async def models(self, timeout_s: float | None = None) -> tuple[Summary, ...]:
        """All models served."""
        return await self._run(operations.models, timeout_s)

    async def model(self, name: str, timeout_s: float | None = None) -> Model:
        """One model: tasks, feasible budgets, and what it is worth."""
        return await self._run(lambda end, now: operations.model(name, end, now), timeout_s)

    async def health(self, timeout_s: float | None = None) -> Health:
        """How the service is."""
        return await self._run(operations.health, timeout_s)

    async def subnet(
        self,
        budget: float | Mapping[str, float],
        preference: Mapping[str, float] | None = None,
        model: str | None = None,
        tasks: Sequence[str] | None = None,
        search: str | None = None,
        timeout_s: float | None = None,
    ) -> Subnet:
        """As :meth:`Client.subnet`."""
        dial = Dial(budget, preference or {}, model, tasks, search)
        return await self._run(lambda end, now: operations.dialled(dial, end, now), timeout_s)

    async def described(self, subnet_id: str, timeout_s: float | None = None) -> Subnet:
        """A sub-network that was dialled before."""
        return await self._run(
            lambda end, now: operations.described(subnet_id, end, now), timeout_s
        )

    async def onnx(self, subnet: Subnet | str, timeout_s: float | None = None) -> bytes:
        """As :meth:`Client.onnx`."""
        return await self._run(lambda end, now: operations.onnx(subnet, end, now), timeout_s)

    async def predict(
        self,
        image: Image,
        subnet: Subnet | str | None = None,
        budget: float | Mapping[str, float] | None = None,
        preference: Mapping[str, float] | None = None,
        model: str | None = None,
        tasks: Sequence[str] | None = None,
        adaptive: bool = False,
        timeout_s: float | None = None,
    ) -> Prediction:
        """As :meth:`Client.predict`; files are read and arrays encoded in a thread."""
        wanted = wanted_of(subnet, dial_of(budget, preference, model, tasks, adaptive))
        content = await asyncio.to_thread(encoded, image)
        return await self._run(
            lambda end, now: operations.predicted(content, wanted, end, now), timeout_s
        )

    async def _run(
        self, start: Callable[[float, Clock], Operation[T]], timeout_s: float | None
    ) -> T:
        operation = start(self.deadline(timeout_s), time.monotonic)
        reply: Reply | None = None
        try:
            while True:
                step = operation.send(reply)
                reply = None
                if isinstance(step, Pause):
                    await self._sleep(step.seconds)
                else:
                    reply = await self._reply(step)
        except StopIteration as end:
            result: T = end.value
            return result
        except (httpx.HTTPError, TimeoutError) as error:
            raise failure_of(error) from error

    async def _reply(self, send: Send) -> Reply:
        # The time that httpx takes is that of a single read or write.
        async with asyncio.timeout(longest_s(send)):
            response = await self._http.request(**self.request(send))
            return reply_of(response, response.content)
