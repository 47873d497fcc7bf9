"""Pages that are generated from the code: the HTTP API, the command lines, the metrics."""

import tempfile
from pathlib import Path

import typer.main
from prometheus_client import Counter, Gauge, Histogram
from typer.cli import get_docs_for_click

from service.app import create_app
from service.cli import app as serving
from service.metrics import Metrics
from service.settings import Settings
from training.cli import app as training
from website.openapi import http_page

_OWN = (Counter, Gauge, Histogram)


def generated() -> dict[str, str]:
    """Page of the site to its Markdown."""
    return {
        "reference/http.md": http_page(_openapi()),
        "reference/command-line.md": _command_lines(),
        "reference/metrics.md": _metrics_page(),
    }


def _openapi() -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        return create_app(Settings(data_dir=Path(folder))).openapi()


def _command_lines() -> str:
    pages = ["# Command line\n"]
    for app, name in ((serving, "slimdial"), (training, "slimdial-train")):
        command = typer.main.get_command(app)
        context = typer.Context(command, info_name=name)
        docs = get_docs_for_click(obj=command, ctx=context, name=name)
        # Its headings start at the first level, of which a page has one.
        pages.append(docs.replace("\n#", "\n##").replace("# ", "## ", 1))
    return "\n".join(pages)


def _metrics_page() -> str:
    """A table of the service's own metrics, in the order of their names."""
    # The registry tells label names only through samples, which most metrics do not have yet.
    collectors = [c for c in Metrics().registry._collector_to_names if isinstance(c, _OWN)]
    rows = []
    for collector in collectors:
        (family,) = collector.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(f"`{label}`" for label in collector._labelnames)
        rows.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join(
        [
            "---\nhide: [toc]\n---",
            "",
            "# Metrics",
            "",
            "What `GET /metrics` answers, generated from the registry of the service. A histogram "
            "has the suffixes `_bucket`, `_sum` and `_count`. With one worker there are also the "
            "`process_...` metrics of prometheus_client.",
            "",
            "| metric | type | labels | what |",
            "|---|---|---|---|",
            *sorted(rows),
            "",
        ]
    )
