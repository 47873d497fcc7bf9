"""The client for threads: carries operations out by blocking."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Self, TypeVar

import httpx

from service.client import operations
from service.client.answers import Health, Model, Prediction, Subnet, Summary
from service.client.base import Base, dial_of, failure_of, longest_s, reply_of, wanted_of
from service.client.exchange import Clock, Operation, Pause, Reply, Send
from service.client.images import Image, encoded
from service.client.operations import Dial

T = TypeVar("T")


class Client(Base):
    """The service, for threads: every method blocks. May be shared by threads.

    All methods raise :class:`ClientError`: :class:`ProblemError` where the service says no (it has
    a kind for each reason), :class:`TransportError` without an answer. What is refused with 429 or
    503 is sent again when the service says, as long as there is time.
    """

    def __init__(
        self,
        url: str,
        timeout_s: float = 60.0,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        http: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Connects when it is first used.

        Args:
            url: of the service, such as http://localhost:8000.
            timeout_s: the longest that a call may take, repetitions included; the service is given
                a second more to say itself that it is over. The clock is looked at with every piece
                of an answer's body; before that, this bounds each read and write.
            api_key: where the service wants one; that of SLIMDIAL_API_KEY if None.
            headers: sent with every request; an ``Authorization`` instead of the key's.
            http: what sends requests; closed with the client. Certificates of one's own go there:
                ``httpx.Client(verify=ssl.create_default_context(cafile=...))``.
            sleep: what waits between repetitions.

        Raises:
            ValueError: the URL is none, the time is longer than a day, or the key is nothing that a
                header can carry.
        """
        super().__init__(url, timeout_s, api_key, headers)
        self._http = http or httpx.Client()
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def models(self, timeout_s: float | None = None) -> tuple[Summary, ...]:
        """All models served."""
        return self._run(operations.models, timeout_s)

    def model(self, name: str, timeout_s: float | None = None) -> Model:
        """One model: tasks, feasible budgets, and what it is worth."""
        return self._run(lambda end, now: operations.model(name, end, now), timeout_s)

    def health(self, timeout_s: float | None = None) -> Health:
        """How the service is."""
        return self._run(operations.health, timeout_s)

    def subnet(
        self,
        budget: float | Mapping[str, float],
        preference: Mapping[str, float] | None = None,
        model: str | None = None,
        tasks: Sequence[str] | None = None,
        search: str | None = None,
        timeout_s: float | None = None,
    ) -> Subnet:
        """The sub-network for a budget (GMACs, or a kind by name) and a preference per task.

        Raises:
            InfeasibleBudgetError: no sub-network is that small; it has the feasible range.
        """
        dial = Dial(budget, preference or {}, model, tasks, search)
        return self._run(lambda end, now: operations.dialled(dial, end, now), timeout_s)

    def described(self, subnet_id: str, timeout_s: float | None = None) -> Subnet:
        """A sub-network that was dialled before."""
        return self._run(lambda end, now: operations.described(subnet_id, end, now), timeout_s)

    def onnx(self, subnet: Subnet | str, timeout_s: float | None = None) -> bytes:
        """A sub-network's ONNX file, by its id or description; checked against its digest.

        Raises:
            IntegrityError: what came is another file.
        """
        return self._run(lambda end, now: operations.onnx(subnet, end, now), timeout_s)

    def predict(
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
        """What a sub-network, named or dialled, says about an image; as arrays.

        With ``adaptive``, under load the service's autopilot may answer with a smaller sub-network
        of the same preference; the answer says which, and its GMACs.

        Raises:
            ValueError: both a subnet and a budget, or none; or an array that is no image.
        """
        wanted = wanted_of(subnet, dial_of(budget, preference, model, tasks, adaptive))
        content = encoded(image)
        return self._run(
            lambda end, now: operations.predicted(content, wanted, end, now), timeout_s
        )

    def _run(self, start: Callable[[float, Clock], Operation[T]], timeout_s: float | None) -> T:
        operation = start(self.deadline(timeout_s), time.monotonic)
        reply: Reply | None = None
        try:
            while True:
                step = operation.send(reply)
                reply = None
                if isinstance(step, Pause):
                    self._sleep(step.seconds)
                else:
                    reply = self._reply(step)
        except StopIteration as end:
            result: T = end.value
            return result
        except (httpx.HTTPError, TimeoutError) as error:
            raise failure_of(error) from error

    def _reply(self, send: Send) -> Reply:
        # The time that httpx takes is that of a single read or write.
        end = time.monotonic() + longest_s(send)
        with self._http.stream(**self.request(send)) as response:
            content = bytearray()
            for part in response.iter_bytes():
                if time.monotonic() > end:
                    raise TimeoutError
                content += part
            return reply_of(response, bytes(content))
