"""What a dashboard is made of, and the queries that many of them have."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Panel:
    """One panel; the queries by their legend."""

    title: str
    unit: str
    queries: dict[str, str]
    about: str = ""
    number: bool = False
    """Only the last value, in large type."""


@dataclass(frozen=True)
class Board:
    """One dashboard: rows of panels by the row's title."""

    uid: str
    title: str
    about: str
    rows: dict[str, list[Panel]]
    variables: dict[str, str]
    """By name, the metric whose label of the same name has the values."""


def quantiles(metric: str, where: str = "", by: str = "") -> dict[str, str]:
    """The median, the 90th and the 99th percentile of a histogram."""
    sums = f"sum by (le{', ' + by if by else ''})"
    legend = f" {{{{{by}}}}}" if by else ""
    return {
        f"p{q}{legend}": (
            f"histogram_quantile({q / 100}, {sums} "
            f'(rate({metric}_bucket{{instance=~"$instance"{where}}}[$__rate_interval])))'
        )
        for q in (50, 90, 99)
    }


def rate(metric: str, by: str, where: str = "") -> dict[str, str]:
    """A counter's pace, by a label."""
    selected = f'{metric}{{instance=~"$instance"{where}}}'
    return {f"{{{{{by}}}}}": f"sum by ({by}) (rate({selected}[$__rate_interval]))"}


def each(metric: str, legend: str = "{{instance}}") -> dict[str, str]:
    """A gauge, of every replica."""
    return {legend: f'{metric}{{instance=~"$instance"}}'}


REPLICAS = {"instance": "slimdial_start_time_seconds"}
MODELS = {**REPLICAS, "model": "slimdial_inference_gmacs_count"}
OF_MODEL = ',model=~"$model"'
MEAN_GMACS = (
    "sum by (model) (rate(slimdial_inference_gmacs_sum{{{0}}}[$__rate_interval])) "
    "/ sum by (model) (rate(slimdial_inference_gmacs_count{{{0}}}[$__rate_interval]))"
).format('instance=~"$instance",model=~"$model"')
