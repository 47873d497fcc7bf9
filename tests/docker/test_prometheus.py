import re
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml

from tests.docker.daemons import DOCKER, ROOT, make_secrets
from tests.docker.debian import program
from tests.docker.stack import Stack

RULES = DOCKER / "prometheus/rules"
TESTS = DOCKER / "prometheus/tests/alerts_test.yml"
ALERTS = [
    rule
    for group in yaml.safe_load((RULES / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]


def promtool(*arguments: str | Path) -> str:
    command = [program("promtool", "prometheus"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_configuration_and_its_rules_are_sound(tmp_path: Path) -> None:
    (tmp_path / "rules").symlink_to(RULES)
    text = (DOCKER / "prometheus/prometheus.yml").read_text()
    config = tmp_path / "prometheus.yml"
    config.write_text(text.replace("/run/secrets", str(make_secrets(tmp_path))))
    assert "SUCCESS" in promtool("check", "config", config)


def test_each_alert_is_fired_by_its_fault_and_by_nothing_else() -> None:
    assert "SUCCESS" in promtool("test", "rules", TESTS)


def test_no_alert_is_left_out_of_that_test() -> None:
    checks = [
        check
        for case in yaml.safe_load(TESTS.read_text())["tests"]
        for check in case["alert_rule_test"]
    ]
    names = {rule["alert"] for rule in ALERTS}
    assert {c["alertname"] for c in checks if c.get("exp_alerts")} == names
    assert {c["alertname"] for c in checks if not c.get("exp_alerts")} == names


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_each_alert_has_a_runbook(rule: dict[str, dict[str, str]]) -> None:
    document, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^###? (\w+)$", (ROOT / document).read_text(), re.MULTILINE)
    assert anchor in {heading.lower() for heading in headings}
    assert anchor == str(rule["alert"]).lower()


def test_what_the_service_counts_arrives(observed: Stack) -> None:
    (up,) = observed.query('up{job="slimdial"}')
    assert up["value"][1] == "1"
    assert up["metric"]["accelerator"] == "cpu"
    (served,) = observed.query('sum(slimdial_http_requests_total{route="/predict",status="200"})')
    key = {"x-api-key": observed.metrics_key}
    text = httpx.get(f"{observed.service}/metrics", headers=key).text
    (counted,) = re.findall(r'^slimdial_http_requests_total{.*"/predict".*} (\S+)', text, re.M)
    assert float(served["value"][1]) == float(counted) == 2
    (reached,) = observed.query("redis_up")
    assert reached["value"][1] == "1"


def test_nothing_is_wrong_with_a_service_that_works(observed: Stack) -> None:
    assert observed.query("ALERTS") == []
