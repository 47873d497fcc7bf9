"""Everything that can be sent to a service, at once: ``python -m tests.service.storm``.

Thousands of broken bodies over connections that stay open, then every case that schemathesis makes
of the OpenAPI document. No answer may be an undocumented one, none a 5xx but 503 and 504, none may
be missing; and afterwards the service answers as before, to the bit.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import httpx
import typer

from service.security.key_file import change_keys
from service.security.keys import SCOPES
from tests.service.malformed import Sent, broken
from tests.service.process import serving
from tests.service.running import encoded, picture
from tests.tiny import publish_tiny
from tests.tiny_network import SIZE

DIAL = "budget=0.005"
OPEN: Mapping[str, str] = MappingProxyType({})
"""The headers of requests to a service without API keys."""

_UNLOAD = "/v2/repository/models/{name}/unload"


@dataclass
class Storm:
    """Requests from several clients, and what came of them."""

    address: str
    document: dict[str, Any]
    version: str
    """Of the sub-network that inferences are sent to."""
    subnet_id: str
    key: Mapping[str, str]
    """The header with an API key, where one is needed."""
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
        headers = {k: v.encode("latin-1") for k, v in {**sent.headers, **self.key}.items()}
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


def locked(file: Path) -> Mapping[str, str]:
    """A file with an API key that may do everything, and the header that brings it."""
    key = change_keys(file, lambda keys: keys.with_new("storm", SCOPES, "2026-01-01"))
    return {"Authorization": f"Bearer {key}"}


def answers(url: str, key: Mapping[str, str] = OPEN) -> Iterator[bytes]:
    """What a service answers to known requests, but for times and what is cached."""
    with httpx.Client(base_url=url, timeout=60, headers=key) as http:
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


def storm_over(url: str, key: Mapping[str, str] = OPEN) -> Storm:
    """A storm that has not begun yet."""
    with httpx.Client(base_url=url, timeout=60, headers=key) as http:
        document = http.get("/openapi.json").json()
        version = http.post("/v2/repository/models/tiny/load").json()["version"]
        dialled = http.post("/subnet", json={"budget": {"gmacs": 0.005}}).json()
    return Storm(url.removeprefix("http://"), document, version, dialled["subnet_id"], key)


def schemathesis(
    url: str, phases: str, examples: int, seed: int = 0, key: Mapping[str, str] = OPEN
) -> str:
    """Every case that it makes of the document; returns what was wrong.

    Unloading comes last and on its own: after it all else would only be refused.
    """
    found = ""
    headers = [f"--header={name}:{value}" for name, value in key.items()]
    for selected in (("--exclude-path", _UNLOAD), ("--include-path", _UNLOAD)):
        options = ("--phases", phases, "--max-examples", str(examples), "--seed", str(seed))
        run = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file"),
                *(str(Path(__file__).with_name("schemathesis.toml")), "run"),
                *(f"{url}/openapi.json", *options, *selected, *headers),
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
    keys: Annotated[bool, typer.Option(help="To a service that wants API keys.")] = False,
) -> None:
    """Send everything to a service of the tiny test model."""
    with tempfile.TemporaryDirectory() as folder:
        publish_tiny(Path(folder) / "models")
        arguments = ["--models-root", f"{folder}/models", "--log-level", "warning"]
        environ, key = dict(os.environ), OPEN
        if keys:
            environ["SLIMDIAL_API_KEYS_FILE"] = f"{folder}/keys.json"
            key = locked(Path(folder) / "keys.json")
        with serving(arguments, Path(folder) / "data", environ=environ) as process:
            before = list(answers(process.url, key))
            storm = storm_over(process.url, key)
            start = time.monotonic()
            storm.run(requests, seed=seed)
            print(f"{requests} broken bodies in {time.monotonic() - start:.0f} s: ", end="")
            print(", ".join(f"{n} times {s}" for s, n in sorted(storm.statuses.items())))
            phases = "examples,coverage,fuzzing,stateful"
            failures = schemathesis(process.url, phases, examples, seed, key)
            same = list(answers(process.url, key)) == before
    wrong = [*storm.wrong, *filter(None, [failures])]
    if "Traceback" in process.text:
        wrong.append(process.text)
    print("\n".join(wrong) or "schemathesis: nothing wrong")
    print(f"afterwards, known requests are answered {'as before' if same else 'DIFFERENTLY'}")
    raise typer.Exit(bool(wrong) or not same)


if __name__ == "__main__":
    typer.run(main)
