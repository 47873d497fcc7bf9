"""HTTPS, with real certificates and real clients."""

import asyncio
import os
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import typer
from pydantic import SecretStr, ValidationError
from typer.testing import CliRunner

from service.cli import app
from service.cli_serve import run
from service.client import AsyncClient, TransportError
from service.healthcheck import main as healthcheck
from service.security.tls import TlsError, tls_options
from service.settings import Settings
from tests.service.certificates import (
    PASSWORD,
    Authority,
    Certificate,
    encrypted,
    needs_openssl,
)
from tests.service.listening import listening
from tests.service.process import ROOT

pytestmark = [pytest.mark.anyio, needs_openssl]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Certificate:
    return authority.signed("server")


def trusting(authority: Authority, own: Certificate | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.certificate)
    if own is not None:
        context.load_cert_chain(own.certificate, own.key)
    return context


async def test_clients_of_all_kinds_talk_tls(
    settings: Settings, authority: Authority, server: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = {"tls_certificate": server.certificate, "tls_key": server.key}
    async with listening(settings.model_copy(update=tls)) as served:
        assert served.url.startswith("https://")
        trusted = httpx.AsyncClient(verify=trusting(authority))
        async with AsyncClient(served.url, http=trusted) as client:
            assert (await client.models())[0].name == "tiny"
            answer = await trusted.get(f"{served.url}/livez")
            assert answer.headers["strict-transport-security"].startswith("max-age=")
        async with AsyncClient(served.url) as client:
            with pytest.raises(TransportError):  # who signed this?
                await client.models()
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
        arguments = ["warm", "--url", served.url, "--steps", "1", "--tasks", "depth"]
        warmed = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        assert warmed.exit_code == 0, warmed.output
        assert await check(served.port, {"SLIMDIAL_TLS_CERTIFICATE": server.certificate}) == 0
        assert await check(served.port, {}) == 1  # that would be plain HTTP


async def test_clients_without_a_certificate_are_not_let_in_where_one_is_wanted(
    settings: Settings, authority: Authority, server: Certificate, tmp_path: Path
) -> None:
    tls = {
        "tls_certificate": server.certificate,
        "tls_key": encrypted(server.key),
        "tls_key_password": SecretStr(PASSWORD),
        "tls_client_ca": authority.certificate,
    }
    async with listening(settings.model_copy(update=tls)) as served:
        camera = trusting(authority, authority.signed("camera"))
        async with httpx.AsyncClient(verify=camera, base_url=served.url) as known:
            assert (await known.get("/livez")).status_code == 200
        async with httpx.AsyncClient(verify=trusting(authority), base_url=served.url) as unknown:
            with pytest.raises(httpx.TransportError):
                await unknown.get("/livez")
        told = {f"SLIMDIAL_{name.upper()}": value for name, value in tls.items()}
        assert await check(served.port, told | {"SLIMDIAL_TLS_KEY_PASSWORD": PASSWORD}) == 0
        # In a container settings are files, above all those that are secret.
        for name, value in {**tls, "tls_key_password": PASSWORD, "port": served.port}.items():
            (tmp_path / f"slimdial_{name}").write_text(f"{value}\n")
        assert await asyncio.to_thread(healthcheck, tmp_path) == 0


async def check(port: int, settings: dict[str, object]) -> int:
    """What a container's health check says."""
    command = [sys.executable, "-m", "service.healthcheck"]
    told = {name: str(value) for name, value in settings.items()}
    environ = {**os.environ, "SLIMDIAL_PORT": str(port), **told}
    process = await asyncio.create_subprocess_exec(
        *command, env=environ, cwd=ROOT, stderr=subprocess.DEVNULL
    )
    return await process.wait()


async def test_what_cannot_be_used_is_refused_with_its_reason(
    settings: Settings, authority: Authority, server: Certificate, tmp_path: Path
) -> None:
    junk, other = tmp_path / "junk.pem", authority.signed("other")
    junk.write_text("junk")
    locked = encrypted(server.key)
    good = {"tls_certificate": server.certificate, "tls_key": server.key}
    assert tls_options(settings.model_copy(update=good))["ssl_cert_reqs"] == ssl.CERT_NONE
    assert tls_options(settings) == {}
    wrong: list[tuple[dict[str, object], str]] = [
        ({"tls_certificate": tmp_path / "none"}, "tls_certificate: .*none cannot be read: No such"),
        ({"tls_certificate": tmp_path}, "tls_certificate: .* cannot be read"),
        ({"tls_certificate": junk}, "tls_certificate: .* holds no certificate"),
        ({"tls_key": tmp_path / "none"}, "tls_key: .*none cannot be read"),
        ({"tls_key": junk}, "tls_key: .* holds no private key"),
        ({"tls_key": None}, "tls_key: .*server.pem holds no private key"),
        ({"tls_key": other.key}, "tls_key: .*other.key is not the key of the certificate"),
        ({"tls_key": locked}, "tls_key: .* is encrypted"),
        ({"tls_key": locked, "tls_key_password": SecretStr("guess")}, "is not its password"),
        ({"tls_client_ca": tmp_path / "none"}, "tls_client_ca: .* cannot be read"),
        ({"tls_client_ca": junk}, "tls_client_ca: .* holds no certificate"),
    ]
    for changed, says in wrong:
        with pytest.raises(TlsError, match=says) as error:
            tls_options(settings.model_copy(update={**good, **changed}))
        assert "guess" not in str(error.value)
    with pytest.raises(ValidationError, match="tls_certificate"):
        Settings(tls_key=server.key)


@pytest.mark.parametrize("name", ["tls_certificate", "api_keys_file"])
def test_a_service_does_not_start_with_what_it_cannot_use(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as end:
        run({"data_dir": tmp_path, name: tmp_path / "none"})
    assert end.value.exit_code == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "none cannot be read: No such file" in said
