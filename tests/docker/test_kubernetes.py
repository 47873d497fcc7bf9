"""What kustomize renders is what Kubernetes accepts, and its parts fit each other."""

import os
import re
import shutil
import subprocess
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import kubernetes_validate  # type: ignore[import-untyped]

from tests.docker.daemons import DOCKER, ROOT, files_in, make_secrets
from tests.service.security.test_access import OPEN

pytestmark = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl, which has kustomize in it, is not installed"
)

Document = dict[str, Any]


@cache
def rendered(name: str) -> list[Document]:
    command = ["kubectl", "kustomize", str(DOCKER / "kubernetes" / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def one(kind: str, name: str, overlay: str = "base") -> Document:
    (found,) = (d for d in rendered(overlay) if d["kind"] == kind and d["metadata"]["name"] == name)
    return found


def pod(name: str, overlay: str = "base") -> Document:
    spec: Document = one("Deployment", name, overlay)["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("overlay", ["base", "gpu"])
def test_every_document_is_valid(overlay: str) -> None:
    for document in rendered(overlay):
        kubernetes_validate.validate(document, "1.32", strict=True)
    kinds = {document["kind"] for document in rendered(overlay)}
    assert {"HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"} <= kinds


@pytest.mark.parametrize("name", ["slimdial", "valkey"])
def test_containers_meet_the_restricted_standard(name: str) -> None:
    security = pod(name)["securityContext"]
    assert security["runAsNonRoot"]
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod(name)["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


def test_secrets_are_those_that_the_script_makes(tmp_path: Path) -> None:
    made = files_in(make_secrets(tmp_path))
    items = [
        item["key"]
        for name in ("slimdial", "valkey")
        for volume in pod(name)["volumes"]
        if "secret" in volume
        for item in volume["secret"]["items"]
    ]
    monitors = {d["metadata"]["name"]: d["spec"] for d in rendered("monitoring")}
    (endpoint,) = monitors["slimdial"]["podMetricsEndpoints"]
    credentials = endpoint["authorization"]["credentials"]
    assert credentials["name"] == "slimdial"
    assert {*items, credentials["key"]} == made - {"grafana_admin_password"}


def test_valkey_has_the_configuration_of_the_compose_file() -> None:
    (config,) = (v["configMap"]["name"] for v in pod("valkey")["volumes"] if "configMap" in v)
    data = one("ConfigMap", config)["data"]
    assert data == {"valkey.conf": (DOCKER / "valkey/valkey.conf").read_text()}


def test_selectors_find_the_pods_and_ports_have_their_names() -> None:
    for name in ("slimdial", "valkey"):
        labels = one("Deployment", name)["spec"]["template"]["metadata"]["labels"]
        service = one("Service", name)["spec"]
        assert service["selector"].items() <= labels.items()
        policy = one("NetworkPolicy", name)["spec"]
        assert policy["podSelector"]["matchLabels"].items() <= labels.items()
        ports = {p["name"] for c in pod(name)["containers"] for p in c["ports"]}
        assert {port["targetPort"] for port in service["ports"]} <= ports
        assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} <= ports
    budget = one("PodDisruptionBudget", "slimdial")["spec"]["selector"]["matchLabels"]
    assert budget == one("Service", "slimdial")["spec"]["selector"]
    monitors = {d["metadata"]["name"]: d["spec"] for d in rendered("monitoring")}
    for name, monitor in monitors.items():
        labels = one("Deployment", name)["spec"]["template"]["metadata"]["labels"]
        assert monitor["selector"]["matchLabels"].items() <= labels.items()
        ports = {p["name"] for c in pod(name)["containers"] for p in c["ports"]}
        assert {endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]} <= ports
        assert set(monitor.get("podTargetLabels", [])) <= set(labels)


def test_a_pod_that_leaves_has_the_time_that_it_takes() -> None:
    spec = pod("slimdial")
    (container,) = spec["containers"]
    environ = {e["name"]: e["value"] for e in container["env"]}
    assert spec["terminationGracePeriodSeconds"] >= float(environ["SLIMDIAL_DRAIN_S"]) + 60
    probe = container["readinessProbe"]
    noticed = probe["periodSeconds"] * probe["failureThreshold"]
    assert noticed < float(environ["SLIMDIAL_DRAIN_S"])
    # A Service of this name would otherwise set SLIMDIAL_PORT to tcp://...
    assert spec["enableServiceLinks"] is False


def test_the_autoscaler_asks_for_what_the_adapter_gives() -> None:
    metrics = one("HorizontalPodAutoscaler", "slimdial")["spec"]["metrics"]
    (asked,) = (m["pods"]["metric"]["name"] for m in metrics if m["type"] == "Pods")
    values = yaml.safe_load((DOCKER / "kubernetes/monitoring/prometheus-adapter.yaml").read_text())
    (rule,) = values["rules"]["custom"]
    assert rule["name"]["as"] == asked
    assert rule["seriesQuery"].partition("{")[0] == asked


def test_the_gpu_overlay_asks_for_a_gpu_and_insists_on_it() -> None:
    (container,) = pod("slimdial", "gpu")["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert {"name": "SLIMDIAL_REQUIRE_GPU", "value": "1"} in container["env"]
    assert container["image"].endswith("-cuda")
    labels = one("Deployment", "slimdial", "gpu")["spec"]["template"]["metadata"]["labels"]
    assert labels["accelerator"] == "gpu"
    environ = {e["name"] for e in container["env"]}
    assert environ > {e["name"] for e in pod("slimdial")["containers"][0]["env"]}


def test_with_keys_and_tls_it_finds_its_files_and_is_probed_as_it_answers(tmp_path: Path) -> None:
    shown = re.findall(
        r"```yaml\n(.*?)```", (ROOT / "docs/deploy.md").read_text(), re.MULTILINE | re.DOTALL
    )
    (overlay,) = (block for block in shown if "components:" in block)
    here = os.path.relpath(DOCKER, tmp_path.resolve())
    text = overlay.replace("../../slimdial/docker", here)
    (tmp_path / "kustomization.yaml").write_text(text)
    (found,) = (
        document
        for document in rendered(str(tmp_path))
        if (document["kind"], document["metadata"]["name"]) == ("Deployment", "slimdial")
    )
    kubernetes_validate.validate(found, "1.32", strict=True)
    spec = found["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    environ = {e["name"]: e["value"] for e in container["env"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    secrets = {v["name"]: v["secret"]["secretName"] for v in spec["volumes"] if "secret" in v}
    for name, secret in (
        ("SLIMDIAL_API_KEYS_FILE", "slimdial"),
        ("SLIMDIAL_TLS_CERTIFICATE", "slimdial-tls"),
        ("SLIMDIAL_TLS_KEY", "slimdial-tls"),
    ):
        assert secrets[mounts[str(Path(environ[name]).parent)]] == secret
    keys = make_secrets(tmp_path) / "keys"
    assert Path(environ["SLIMDIAL_API_KEYS_FILE"]).name in files_in(keys)
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["scheme"] == "HTTPS"
        assert container[probe]["httpGet"]["path"] in OPEN


def test_the_rules_become_prometheus_rules_as_the_document_shows() -> None:
    (loop,) = re.findall(
        r"^for name in .*?^done$", (ROOT / "docs/deploy.md").read_text(), re.M | re.S
    )
    shown = loop.replace("kubectl apply -f -", "cat; echo ---")
    done = subprocess.run(["bash", "-ec", shown], cwd=ROOT, capture_output=True, check=True)
    documents = [d for d in yaml.safe_load_all(done.stdout) if d]
    assert [d["metadata"]["name"] for d in documents] == ["slimdial-recording", "slimdial-alerts"]
    for document, name in zip(documents, ("recording", "alerts"), strict=True):
        assert document["kind"] == "PrometheusRule"
        rules = (DOCKER / f"prometheus/rules/{name}.yml").read_text()
        assert document["spec"] == yaml.safe_load(rules)
