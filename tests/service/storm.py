"""Everything that can be sent to a service, at once: ``python -m tests.service.storm``.

Thousands of broken bodies over connections that stay open, then every case that schemathesis makes
of the OpenAPI document. No answer may be an undocumented one, none a 5xx but 503 and 504, none may
be missing; and afterwards the service answers as before, to the bit.
"""

import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from tests.service.malformed import Sent, broken
from tests.service.process import serving
from tests.service.running import encoded, picture
from tests.tiny import publish_tiny
from tests.tiny_network import SIZE

DIAL = "budget=0.005"
_UNLOAD = "/v2/repository/models/{name}/unload"


@dataclass
class Storm:
    """Requests from several clients, and what came of them."""

    address: str
    document: dict[str, Any]
    version: str
    """Of the sub-network that inferences are sent to."""
    subnet_id: str
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def run(self, requests: int, clients: int = 4, seed: int = 0) -> None:
        """Sends so many broken requests."""
        sending = itertools.islice(broken(self.document, seed, DIAL), requests)
        lock = threading.Lock()

        def client() -> None:
            connection = HTTPConnection(self.address, timeout=60)
            while True:
                with lock:
                    sent = next(sending, None)
                if sent is None:
                    break
                try:
                    self._check(sent, *self._ask(connection, sent))
                except (OSError, HTTPException) as error:
                    self.wrong.append(f"{error!r} to {sent}")
                    connection.close()
            connection.close()

        threads = [threading.Thread(target=client) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _ask(self, connection: HTTPConnection, sent: Sent) -> tuple[HTTPResponse, bytes]:
        path = sent.path.format(name="tiny", version=self.version, subnet_id=self.subnet_id)
        headers = {k: v.encode("latin-1") for k, v in sent.headers.items()}
        connection.request("POST", f"{path}?{sent.query}", sent.body, headers)
        response = connection.getresponse()
        return response, response.read()

    def _check(self, sent: Sent, response: HTTPResponse, content: bytes) -> None:
        self.statuses[response.status] += 1
        documented = self.document["paths"][sent.path]["post"]["responses"]
        problem = response.status >= 400
        if (
            str(response.status) not in documented
            or (response.status >= 500 and response.status not in (503, 504))
            or (problem and json.loads(content)["status"] != response.status)
            or (problem and response.getheader("content-type") != "application/problem+json")
        ):
            self.wrong.append(f"{response.status} {content[:300]!r} to {sent}")


def answers(url: str) -> Iterator[bytes]:
    """What a service answers to known requests, but for times and what is cached."""
    with httpx.Client(base_url=url, timeout=60) as http:
        http.post("/v2/repository/models/tiny/load").raise_for_status()
        for body in (
            {"budget": {"gmacs": 0.005}},
            {"budget": {"fraction": 0.5}, "preference": {"depth": 1.0}},
            {"budget": {"gmacs": 0.004}, "tasks": ["semseg", "edges"]},
        ):
            dialled = http.post("/subnet", json=body).raise_for_status().json()
            yield f"{dialled['subnet_id']} {dialled['sha256']}".encode()
            yield http.get(dialled["links"]["onnx"]).raise_for_status().content
            yield (
                http.post(
                    dialled["links"]["predict"],
                    content=encoded(picture()),
                    headers={"content-type": "image/png", "accept": "application/x-npz"},
                )
                .raise_for_status()
                .content
            )
        shape = [1, 3, SIZE, SIZE]
        tensor = {"name": "image", "shape": shape, "datatype": "FP32", "data": 3 * SIZE**2 * [0.5]}
        inferred = http.post("/v2/models/tiny/infer", json={"inputs": [tensor]})
        yield inferred.raise_for_status().content


def storm_over(url: str) -> Storm:
    """A storm that has not begun yet."""
    with httpx.Client(base_url=url, timeout=60) as http:
        document = http.get("/openapi.json").json()
        version = http.post("/v2/repository/models/tiny/load").json()["version"]
        dialled = http.post("/subnet", json={"budget": {"gmacs": 0.005}}).json()
    return Storm(url.removeprefix("http://"), document, version, dialled["subnet_id"])


def schemathesis(url: str, phases: str, examples: int, seed: int = 0) -> str:
    """Every case that it makes of the document; returns what was wrong.

    Unloading comes last and on its own: after it all else would only be refused.
    """
    found = ""
    for selected in (("--exclude-path", _UNLOAD), ("--include-path", _UNLOAD)):
        options = ("--phases", phases, "--max-examples", str(examples), "--seed", str(seed))
        run = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file"),
                *(str(Path(__file__).with_name("schemathesis.toml")), "run"),
                *(f"{url}/openapi.json", *options, *selected),
                *("--continue-on-failure", "--request-timeout", "60", "--no-color"),
            ],
            capture_output=True,
            text=True,
            cwd=tempfile.gettempdir(),
            check=False,
        )
        if run.returncode:
            found += run.stdout + run.stderr
    return found


def main(
    requests: Annotated[int, typer.Option(help="Broken bodies.")] = 10_000,
    examples: Annotated[int, typer.Option(help="Of schemathesis, for each operation.")] = 100,
    seed: int = 0,
) -> None:
    """Send everything to a service of the tiny test model."""
    with tempfile.TemporaryDirectory() as folder:
        publish_tiny(Path(folder) / "models")
        arguments = ["--models-root", f"{folder}/models", "--log-level", "warning"]
        with serving(arguments, Path(folder) / "data") as process:
            before = list(answers(process.url))
            storm = storm_over(process.url)
            start = time.monotonic()
            storm.run(requests, seed=seed)
            print(f"{requests} broken bodies in {time.monotonic() - start:.0f} s: ", end="")
            print(", ".join(f"{n} times {s}" for s, n in sorted(storm.statuses.items())))
            phases = "examples,coverage,fuzzing,stateful"
            failures = schemathesis(process.url, phases, examples, seed)
            same = list(answers(process.url)) == before
    wrong = [*storm.wrong, *filter(None, [failures])]
    if "Traceback" in process.text:
        wrong.append(process.text)
    print("\n".join(wrong) or "schemathesis: nothing wrong")
    print(f"afterwards, known requests are answered {'as before' if same else 'DIFFERENTLY'}")
    raise typer.Exit(bool(wrong) or not same)


if __name__ == "__main__":
    typer.run(main)
