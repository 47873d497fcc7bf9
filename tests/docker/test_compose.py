"""The parts of the compose file fit each other, and the files that it names."""

import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.security.key_file import read_keys
from tests.docker.daemons import DOCKER, ROOT, files_in, make_secrets

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {"service", "service-gpu"}


def argument(name: str, dockerfile: str = "serve.Dockerfile") -> str:
    found = re.search(rf"^ARG {name}=(\S+)", (DOCKER / dockerfile).read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_secrets_are_those_that_the_script_makes(tmp_path: Path) -> None:
    made = files_in(make_secrets(tmp_path))
    files = {s["file"] for s in COMPOSE["secrets"].values()}
    assert files == {f"docker/secrets/{name}" for name in made}
    used = {name for service in SERVICES.values() for name in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])


def test_secrets_are_for_their_owner_and_are_not_overwritten(tmp_path: Path) -> None:
    made = make_secrets(tmp_path)
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    before = (made / "valkey_auth.conf").read_text()
    with pytest.raises(subprocess.CalledProcessError):
        make_secrets(tmp_path)
    assert (made / "valkey_auth.conf").read_text() == before
    other = tmp_path / "other"
    other.mkdir()
    assert (make_secrets(other) / "valkey_auth.conf").read_text() != before


def test_the_keys_that_services_may_want_are_where_they_are_looked_for(tmp_path: Path) -> None:
    made = make_secrets(tmp_path)
    services = yaml.safe_load((DOCKER / "compose.keys.yml").read_text())["services"]
    assert set(services) == OURS
    for service in services.values():
        (mount,) = service["volumes"]
        source, target, mode = mount.split(":")
        assert mode == "ro"
        file = Path(service["environment"]["SLIMDIAL_API_KEYS_FILE"])
        assert str(file.parent) == target
        found = made / Path(source).relative_to("docker/secrets") / file.name
        key = read_keys(found).find((made / "slimdial_metrics_key").read_text())
        assert key is not None
        assert key.scopes == ("metrics",)
    jobs = yaml.safe_load((DOCKER / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    (sent,) = (job["authorization"] for job in jobs if job["job_name"] == "slimdial")
    assert sent == {"credentials_file": "/run/secrets/slimdial_metrics_key"}
    assert SERVICES["prometheus"]["secrets"] == ["slimdial_metrics_key"]


def test_secrets_are_neither_committed_nor_part_of_an_image() -> None:
    command = ["git", "check-ignore", "docker/secrets/slimdial_redis_url"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0
    allowed = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert all((ROOT / name).exists() for name in allowed)
    assert "docker" not in allowed


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_and_containers_hardened(name: str) -> None:
    service = SERVICES[name]
    if name not in OURS:
        assert re.search(r":v?\d+\.\d+\.\d+", service["image"])
    if name == "dcgm-exporter":  # reads the hardware
        return
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_ports_are_open_to_this_machine_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_what_is_mounted_is_there() -> None:
    mounts = [v for s in SERVICES.values() for v in s.get("volumes", [])]
    folders = [v.partition(":")[0] for v in mounts]
    assert all((ROOT / f).exists() for f in folders if f.startswith("./"))
    assert {f for f in folders if not f.startswith("./")} == set(COMPOSE["volumes"])


def test_names_in_configurations_are_names_of_services() -> None:
    aliases = {a for s in OURS for a in SERVICES[s]["networks"]["default"]["aliases"]}
    nginx = (DOCKER / "nginx/nginx.conf").read_text()
    upstream = re.findall(r"^\s*server (\w+):(\d+) resolve", nginx, re.MULTILINE)
    assert upstream == [(*aliases, "8000")]
    jobs = yaml.safe_load((DOCKER / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    names = {n for job in jobs for sd in job.get("dns_sd_configs", []) for n in sd["names"]}
    targets = {t for job in jobs for sd in job.get("static_configs", []) for t in sd["targets"]}
    hosts = {target.partition(":")[0] for target in targets} - {"localhost"}
    assert names | hosts <= set(SERVICES)
    assert names >= OURS


def test_a_gpu_is_used_only_where_the_profile_asks_for_it() -> None:
    with_gpu = {n for n, s in SERVICES.items() if "deploy" in s}
    assert with_gpu == {n for n, s in SERVICES.items() if s.get("profiles") == ["gpu"]}
    assert SERVICES["service-gpu"]["build"]["args"]["BASE"].startswith("docker.io/nvidia/cuda:13.")
    assert argument("BASE") == "docker.io/library/python:3.11-slim-bookworm"
    assert argument("ONNXRUNTIME") == "onnxruntime"


def test_both_images_are_built_with_the_same_tools() -> None:
    for name in ("BASE", "UV"):
        assert argument(name) == argument(name, "train.Dockerfile")
