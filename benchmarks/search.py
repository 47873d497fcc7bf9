"""Speed and quality of the search: ``python -m benchmarks.search [--published] [--json FILE]``.

Quality is that of ``evolution``, before it spends what is left of the budget, against ``ecmt``, and
against a reference: the best of 50,000 random candidates, and of local search from the best five of
them. The reference is drawn from the space that ``evolution`` searches
(:mod:`model_store.subnet.evolution`), smaller than all combinations of widths: any encoder,
with the decoders that the preference and what the encoder leaves of the budget give it.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.spaces import Searchable, classification, dense, published
from model_store.published import ModelStore, default_root, open_model
from model_store.subnet.evolution import evolve
from model_store.subnet.local_search import climb
from model_store.subnet.preference import Preference
from model_store.subnet.problem import Problem
from model_store.subnet.repair import random_candidates
from model_store.subnet.search import Algorithm, SearchResult, search

REQUESTS = 200
REFERENCE_REQUESTS = 12
REFERENCE_CANDIDATES = 50_000
REFERENCE_CLIMBS = 5


@dataclass(frozen=True)
class Report:
    """What was measured on one search space.

    Times are wall-clock; the CPU times beside them say what they are on a machine that is not busy.
    """

    space: str
    encoder_groups: int
    decoders: int
    ecmt_median_ms: float
    ecmt_max_ms: float
    ecmt_median_cpu_ms: float
    evolution_median_ms: float
    evolution_max_ms: float
    evolution_median_cpu_ms: float
    evolution_wins: int
    ties: int
    evolution_losses: int
    mean_gain: float
    """Score of evolution minus score of ecmt, in standard deviations of a task's loss."""
    worst_gap_percent: float
    """How far evolution is below the best of the reference at worst, in percent of that score."""
    mean_gap_percent: float
    """The same on average; below 0 where evolution is better than the reference."""
    evaluations: float
    """Candidates that evolution looks at, mean."""
    fifty_thousand_ms: float
    """Cost and losses of 50,000 candidates."""


Request = tuple[int, dict[str, float]]


def requests(searchable: Searchable, count: int) -> list[Request]:
    """Random budgets, uniform over the feasible range, with Dirichlet(1) preferences."""
    rng = np.random.default_rng(0)
    space, cost = searchable.space, searchable.cost
    least, most = cost.of(space.smallest()), cost.of(space.largest())
    return [
        (
            int(rng.integers(least, most, endpoint=True)),
            dict(zip(space.tasks, rng.dirichlet(np.ones(len(space.tasks))).tolist(), strict=True)),
        )
        for _ in range(count)
    ]


def reference(problem: Problem, rng: np.random.Generator) -> float:
    """The best score of 50,000 random candidates within the budget and of climbs from the best.

    Encoders are random, made to fit beside random decoders of the preference's path, and get the
    widest of those that fit: the space of ``evolution``.
    """
    size = 500
    batches = [random_candidates(problem, size, rng) for _ in range(REFERENCE_CANDIDATES // size)]
    random_PG = np.concatenate(batches)
    best = random_PG[np.argsort(-problem.score(random_PG))[:REFERENCE_CLIMBS]]
    return max(float(problem.score(climb(problem, start_G)[0][None])[0]) for start_G in best)


@dataclass(frozen=True)
class Answers:
    """The results of an algorithm, and the milliseconds of each, by the wall clock and of CPU."""

    results: list[SearchResult]
    wall: list[float]
    cpu: list[float]


def answers(searchable: Searchable, algorithm: Algorithm, asked: list[Request]) -> Answers:
    """Asks an algorithm every request."""
    found = Answers([], [], [])
    what = f"{searchable.name}: {algorithm}"
    for seed, (budget, preference) in enumerate(track(asked, what, transient=True)):
        rng = np.random.default_rng(seed)
        wall, cpu = time.perf_counter(), time.process_time()
        result = search(
            algorithm, searchable.space, searchable.cost, searchable.losses, budget, preference, rng
        )
        found.wall.append(1e3 * (time.perf_counter() - wall))
        found.cpu.append(1e3 * (time.process_time() - cpu))
        found.results.append(result)
    return found


def problem_of(searchable: Searchable, request: Request) -> Problem:
    """A request as the algorithms see it."""
    budget, tau = request
    preference = Preference.of(searchable.space, tau, None)
    return Problem(searchable.cost, searchable.losses, budget, preference)


def evolved(searchable: Searchable, asked: list[Request]) -> list[float]:
    """The scores that ``evolution`` reaches before it spends what is left of the budget."""
    scores = []
    what = f"{searchable.name}: scores"
    for seed, request in enumerate(track(asked, what, transient=True)):
        problem = problem_of(searchable, request)
        best_G, _ = evolve(problem, np.random.default_rng(seed))
        scores.append(float(problem.score(best_G[None])[0]))
    return scores


def gaps(searchable: Searchable, asked: list[Request], scores: list[float]) -> list[float]:
    """How far scores are below the best of the reference, in percent of that."""
    below = []
    pairs = list(zip(asked, scores, strict=True))
    what = f"{searchable.name}: reference"
    for seed, (request, score) in enumerate(track(pairs, what, transient=True)):
        best = reference(problem_of(searchable, request), np.random.default_rng(seed))
        below.append(100.0 * (best - score) / abs(best))
    return below


def fifty_thousand_ms(searchable: Searchable) -> float:
    """Milliseconds for the cost and losses of 50,000 candidates, the best of five runs."""
    space, rng = searchable.space, np.random.default_rng(0)
    everything = Preference.of(space, {}, None)
    budget = searchable.cost.of(space.largest())
    problem = Problem(searchable.cost, searchable.losses, budget, everything)
    choices_PG = rng.integers(0, space.choices_G, size=(50_000, len(space.groups)))
    times = []
    for _ in range(5):
        start = time.perf_counter()
        problem.counts(choices_PG)
        problem.score(choices_PG)
        times.append(1e3 * (time.perf_counter() - start))
    return min(times)


def measure(searchable: Searchable) -> Report:
    """All measurements on one search space."""
    asked = requests(searchable, REQUESTS)
    ecmt = answers(searchable, "ecmt", asked)
    evolution = answers(searchable, "evolution", asked)
    scores = evolved(searchable, asked)
    gains = np.array(scores) - [result.score for result in ecmt.results]
    below = gaps(searchable, asked[:REFERENCE_REQUESTS], scores[:REFERENCE_REQUESTS])
    return Report(
        space=searchable.name,
        encoder_groups=len(searchable.space.encoder),
        decoders=len(searchable.space.tasks),
        ecmt_median_ms=float(np.median(ecmt.wall)),
        ecmt_max_ms=max(ecmt.wall),
        ecmt_median_cpu_ms=float(np.median(ecmt.cpu)),
        evolution_median_ms=float(np.median(evolution.wall)),
        evolution_max_ms=max(evolution.wall),
        evolution_median_cpu_ms=float(np.median(evolution.cpu)),
        evolution_wins=int((gains > 0).sum()),
        ties=int((gains == 0).sum()),
        evolution_losses=int((gains < 0).sum()),
        mean_gain=float(gains.mean()),
        worst_gap_percent=max(below),
        mean_gap_percent=float(np.mean(below)),
        evaluations=float(np.mean([r.evaluations for r in evolution.results])),
        fifty_thousand_ms=fifty_thousand_ms(searchable),
    )


def table(reports: list[Report]) -> Table:
    """The reports side by side."""
    shown = Table("what", *(r.space for r in reports), title="search")
    for name in asdict(reports[0]):
        if name != "space":
            shown.add_row(name.replace("_", " "), *(f"{getattr(r, name):.4g}" for r in reports))
    return shown


def main(
    published_models: Annotated[
        bool, typer.Option("--published", help="The models that ship; default: synthetic spaces.")
    ] = False,
    model: Annotated[Path | None, typer.Option(help="One published model's folder.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the numbers here.")
    ] = None,
) -> None:
    """Times both search algorithms, and compares their answers with each other and a reference."""
    if published_models:
        store = ModelStore(default_root())
        searchables = [published(store.open(name)) for name in store.names()]
        if not searchables:
            raise typer.BadParameter(f"there are no published models in {store.root}")
    elif model:
        searchables = [published(open_model(model))]
    else:
        searchables = [dense(), classification()]
    reports = [measure(searchable) for searchable in searchables]
    Console().print(table(reports))
    if json_file:
        json_file.write_text(json.dumps([asdict(r) for r in reports], indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
