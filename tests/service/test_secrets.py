"""What is planted where secrets are is nowhere in what the service says, whatever happens to it."""

import json
import os
import signal
import socket
from pathlib import Path

import httpx

from service.security.key_file import change_keys
from service.security.keys import SCOPES
from tests.service.process import ROOT, serving
from tests.service.running import encoded, picture
from tests.tiny import publish_tiny


def test_no_secret_path_or_stack_is_answered_or_logged(tmp_path: Path) -> None:
    models, file = tmp_path / "models", tmp_path / "keys" / "keys.json"
    publish_tiny(models)
    (publish_tiny(models, "bad") / "supernet.onnx").write_bytes(b"damage")
    file.parent.mkdir()
    key = change_keys(file, lambda keys: keys.with_new("prober", SCOPES, "2026-01-01"))
    environ = {
        **os.environ,
        "SLIMDIAL_API_KEYS_FILE": str(file),
        "SLIMDIAL_REDIS_URL": "redis://user:planted-redis@127.0.0.1:1/0",
        "SLIMDIAL_TLS_KEY_PASSWORD": "planted-tls",
        "SLIMDIAL_DRAIN_S": "0",
        "SLIMDIAL_LOG_FORMAT": "json",
        "SLIMDIAL_MAX_PIXELS": "1000000",
    }
    arguments = ["--models-root", str(models), "--workers", "2"]
    with serving(arguments, tmp_path / "data", environ=environ) as process:
        answers = provoked(process.url, key)
        broken = file.read_text().replace("prober", "planted name").encode()
        file.write_bytes(broken)
        while process.text.count("stay in force") < 2:  # in both workers
            pass
        answers.append(httpx.get(f"{process.url}/healthz", headers={"x-api-key": key}))
        # Another key, which every worker lets in soon.
        file.unlink()
        other = change_keys(file, lambda keys: keys.with_new("second", SCOPES, "2026-01-01"))
        while process.text.count("let in are: second") < 2:
            pass
        for _ in range(6):
            headers = {"authorization": f"Bearer {other}"}
            assert httpx.get(f"{process.url}/models", headers=headers).status_code == 200
            assert httpx.get(f"{process.url}/models", headers={"x-api-key": key}).status_code == 401
        process.popen.send_signal(signal.SIGTERM)
        assert process.popen.wait(60) == 0
    statuses = {answer.status_code for answer in answers}
    assert {200, 401, 404, 405, 413, 415, 422, 431} <= statuses
    said = process.text + "".join(f"{a.headers}{a.text}" for a in answers)
    for secret in (key, other, "planted", str(tmp_path), str(ROOT), "Traceback", 'File "'):
        assert secret not in said, secret
    lines = [json.loads(line) for line in process.lines]  # every one of them
    assert {"listening", "request"} <= {line["message"] for line in lines}
    assert "prober" in {line.get("key") for line in lines}
    assert any("bad is not served: supernet.onnx" in line["message"] for line in lines)


def provoked(url: str, key: str) -> list[httpx.Response]:
    """Answers to what a service should not be asked."""
    planted = {"cookie": "s=planted-cookie", "x-secret": "planted-header"}
    allowed = {"authorization": f"Bearer {key}", **planted}
    png, json_ = {"content-type": "image/png"}, {"content-type": "application/json"}
    image = encoded(picture())
    with httpx.Client(base_url=url, headers=planted, timeout=60) as stranger:
        found = [
            stranger.get("/models", headers={"authorization": "Bearer planted-key"}),
            stranger.get("/models", headers={"authorization": "Basic planted-basic"}),
            stranger.get("/planted/../../etc/passwd?api_key=planted-query"),
            stranger.request("PLANTED", "/models"),
            stranger.get("/livez", headers={"x-padding": "planted" * 3000}),
            stranger.get("/models", headers={"x-request-id": "planted id"}),
        ]
    with httpx.Client(base_url=url, headers=allowed, timeout=60) as friend:
        found += [
            friend.get(path)
            for path in ("/healthz", "/metrics", "/models", "/models/bad", "/subnet/x", "/v2")
        ]
        found += [
            friend.delete("/models?token=planted-query"),
            friend.post("/subnet", json={"budget": {"gmacs": 0.005}}),
            friend.post("/subnet", json={"budget": {"gmacs": 1e-9}}),
            friend.post("/subnet", content=b"planted", headers=json_),
            friend.post("/predict?budget=0.005", content=image, headers=png),
            friend.post("/predict?budget=0.005", content=b"planted", headers=png),
            friend.post("/predict?budget=0.005", content=image[:60], headers=png),
            friend.post("/subnet", content=b"0" * 70_000, headers=json_),
            friend.post("/v2/models/tiny/infer", content=b"{}"),
            friend.post("/v2/repository/models/tiny/load", json={"parameters": {"file:a": "x"}}),
        ]
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as bare:
        bare.sendall(b"planted planted planted\r\n\r\n")
        assert bare.recv(1 << 16).startswith(b"HTTP/1.1 400")
    return found
