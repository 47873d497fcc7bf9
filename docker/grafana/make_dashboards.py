"""Writes the dashboards that Grafana loads: ``python docker/grafana/make_dashboards.py``.

With ``--check`` it writes nothing, and fails where a file is not what it would write.
"""

import sys
from itertools import count
from pathlib import Path

from boards import BOARDS
from boards.board import Board, Panel
from grafana_foundation_sdk.builders import common, prometheus, stat, timeseries
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    LegendDisplayMode,
    LegendPlacement,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    VariableOption,
    VariableRefresh,
)

FOLDER = Path(__file__).parent / "dashboards"
PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")


def drawn(panel: Panel, number: int, across: int) -> stat.Panel | timeseries.Panel:
    """A panel as Grafana has it, by its number, in a row of so many."""
    built = stat.Panel() if panel.number else timeseries.Panel()
    built = built.id(number).title(panel.title).unit(panel.unit).datasource(PROMETHEUS)
    built = built.description(panel.about).span(24 // across).height(4 if panel.number else 8)
    for letter, (legend, expr) in zip("ABCDEF", panel.queries.items(), strict=False):
        query = prometheus.Dataquery().ref_id(letter).expr(expr).legend_format(legend)
        built = built.with_target(query.datasource(PROMETHEUS))
    if isinstance(built, timeseries.Panel):
        built = built.min(0).fill_opacity(10).line_width(1)
        built = built.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        legend_options = common.VizLegendOptions().show_legend(True)
        legend_options = legend_options.display_mode(LegendDisplayMode.LIST)
        built = built.legend(legend_options.placement(LegendPlacement.BOTTOM))
    return built


def dashboard(board: Board) -> str:
    """The JSON of a dashboard."""
    built = (
        builders.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags(["slimdial"])
        .time("now-3h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(
            builders.DashboardLink("slimdial")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["slimdial"])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
    )
    for name, metric in board.variables.items():
        everything = VariableOption(selected=True, text="All", value="$__all")
        built = built.with_variable(
            builders.QueryVariable(name)
            .datasource(PROMETHEUS)
            .query(f"label_values({metric}, {name})")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .include_all(True)
            .all_value(".*")
            .multi(True)
            .current(everything)
        )
    numbers = count(1)
    for title, panels in board.rows.items():
        built = built.with_row(builders.Row(title).id(next(numbers)))
        across = 6 if panels[0].number else 2
        for panel in panels:
            built = built.with_panel(drawn(panel, next(numbers), across))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def main() -> int:
    """Writes them, or says which of them differ."""
    stale = []
    for name, board in BOARDS.items():
        path, text = FOLDER / f"{name}.json", dashboard(board)
        if "--check" not in sys.argv[1:]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(path.name)
    if stale:
        print(f"not what {Path(__file__).name} writes: {', '.join(stale)}", file=sys.stderr)
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
