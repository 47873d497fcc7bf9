"""How long a moved dial takes on the page: ``python -m benchmarks.page``.

From the key that moves the budget's dial to the outputs that are drawn, in headless Chromium,
against ``slimdial serve`` with the models that ship: down with nothing in the cache, then up over
the same sub-networks.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from playwright.sync_api import Page, sync_playwright

from benchmarks.output import show

_STEPS = 10

# A dial says that it is awaited in the frame after it was moved.
_MOVE = """(up) => new Promise((done) => {
    const dial = document.querySelector("input[aria-label=Budget]");
    const outputs = document.querySelector(".outputs");
    const start = performance.now();
    let asked = false;
    const look = () => {
        const busy = outputs.getAttribute("aria-busy") === "true";
        if (asked && !busy) done(performance.now() - start);
        else { asked ||= busy; requestAnimationFrame(look); }
    };
    up ? dial.stepUp() : dial.stepDown();
    dial.dispatchEvent(new Event("input", { bubbles: true }));
    requestAnimationFrame(look);
})"""


@dataclass(frozen=True)
class Row:
    """Moved dials of one model."""

    model: str
    cache: str
    moves: int
    median_ms: float
    slowest_ms: float


def moves(page: Page, url: str, model: str) -> list[Row]:
    """Down over new sub-networks, and up over the same."""
    page.goto(f"{url}/?model={model}")
    page.wait_for_selector(".outputs[aria-busy=false] .tile[data-task]", timeout=60_000)
    rows = []
    for cache, up in (("miss", False), ("hit", True)):
        page.wait_for_selector(".chart svg")
        found = [float(page.evaluate(_MOVE, up)) for _ in range(_STEPS)]
        rows.append(Row(model, cache, _STEPS, statistics.median(found), max(found)))
    return rows


def main(
    browser: Annotated[str, typer.Option(envvar="SLIMDIAL_CHROMIUM")] = "chromium",
    json: Annotated[Path | None, typer.Option(help="Also write the rows here.")] = None,
) -> None:
    """Measures and prints."""
    executable = shutil.which(browser)
    if executable is None:
        raise typer.BadParameter(f"there is no {browser}: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        command = [
            sys.executable,
            "-m",
            "service.cli",
            "serve",
            "--port",
            "0",
            "--data-dir",
            folder,
        ]
        serving = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            url = _url(serving)
            chromium = playwright.chromium.launch(
                executable_path=executable, chromium_sandbox=os.getuid() != 0
            )
            page = chromium.new_page()
            rows = [row for model in ("rooms", "caltech100") for row in moves(page, url, model)]
            chromium.close()
        finally:
            serving.terminate()
            serving.wait()
    show("from a moved dial to drawn outputs", rows, json)


def _url(serving: "subprocess.Popen[str]") -> str:
    assert serving.stdout is not None
    for line in serving.stdout:
        if found := re.search(r"serves .* on (http://\S+)", line):
            return found[1]
    raise RuntimeError("the service did not start")


if __name__ == "__main__":
    typer.run(main)
