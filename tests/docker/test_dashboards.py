import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations

import httpx
import pytest
import yaml
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.docker.daemons import DOCKER
from tests.docker.stack import Stack

FOLDER = DOCKER / "grafana/dashboards"
DASHBOARDS = {p.stem: json.loads(p.read_text()) for p in sorted(FOLDER.glob("*.json"))}
PANELS = {
    f"{name}: {panel['title']}": panel
    for name, board in DASHBOARDS.items()
    for panel in board["panels"]
    if panel["type"] != "row"
}

# Of the DCGM exporter's default counters: there is no GPU where tests run.
DCGM = {
    "DCGM_FI_DEV_FB_FREE",
    "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_GPU_TEMP",
    "DCGM_FI_DEV_GPU_UTIL",
    "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_SM_CLOCK",
    "DCGM_FI_DEV_XID_ERRORS",
}
WORDS = {"and", "by", "group_left", "ignoring", "le", "on", "or", "sum", "unless", "without"}


def rules() -> Iterator[dict[str, str]]:
    for path in (DOCKER / "prometheus/rules").glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    for panel in PANELS.values():
        yield from (target["expr"] for target in panel["targets"])


def metrics_of(expr: str) -> set[str]:
    """The metrics that an expression names: what is neither a label, a function nor a word."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|without|on)\s*\([^)]*\)', " ", expr)
    names = re.findall(r"(?<![\w.])([a-zA-Z_:][\w:]*)(?!\s*\(|[\w:])", bare)
    return set(names) - WORDS


def test_metrics_are_found_in_expressions() -> None:
    expr = 'sum by (job) (rate(a_total{x="b_total"}[5m])) / on (job) c:d:e or vector(0) > 1e6 * f'
    assert metrics_of(expr) == {"a_total", "c:d:e", "f"}


def test_dashboards_are_what_the_script_writes() -> None:
    script = DOCKER / "grafana/make_dashboards.py"
    subprocess.run([sys.executable, script, "--check"], check=True)


def test_dashboards_fit_grafana_s_schema_and_its_provisioning() -> None:
    source = yaml.safe_load(
        (DOCKER / "grafana/provisioning/datasources/prometheus.yml").read_text()
    )
    (uid,) = (s["uid"] for s in source["datasources"])
    assert len({board["uid"] for board in DASHBOARDS.values()}) == len(DASHBOARDS) == 5
    for board in DASHBOARDS.values():
        read = Dashboard.from_json(board)
        assert read.panels
        assert read.title == board["title"]
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
        for panel in board["panels"]:
            assert panel["type"] == "row" or panel["datasource"]["uid"] == uid


@pytest.mark.parametrize("board", DASHBOARDS.values(), ids=DASHBOARDS)
def test_panels_do_not_overlap(board: dict[str, list[dict[str, dict[str, int]]]]) -> None:
    for a, b in combinations([panel["gridPos"] for panel in board["panels"]], 2):
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]


def test_every_metric_that_is_named_exists(observed: Stack) -> None:
    names = httpx.get(f"{observed.prometheus}/api/v1/label/__name__/values").json()["data"]
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    known = {*names, *recorded, *DCGM, "ALERTS"}
    named = set().union(*map(metrics_of, expressions()))
    assert named - known == set()
    assert {n for n in named if n.startswith("slimdial_")} <= set(names)
    assert len(named) > 40


@pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
def test_every_panel_shows_something(
    panel: dict[str, list[dict[str, str]]], observed: Stack
) -> None:
    for target in panel["targets"]:
        expr = target["expr"].replace("$__rate_interval", "1m")
        expr = re.sub(r"\$(instance|model)", ".*", expr)
        found = observed.query(expr)
        assert found or metrics_of(expr) <= DCGM, expr
        for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
            assert all(label in series["metric"] for series in found), (label, found)
