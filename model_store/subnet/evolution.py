"""The default search: a vectorised evolution over all groups, with local search.

It starts like the paper's (:mod:`model_store.subnet.ecmt`) and goes on where that stops: all tasks
count, weighted by preference; width moves in both directions, from one group to another and between
decoders and encoder; and what overshoots the budget is repaired. From the same random state it
never scores lower than ``ecmt``, whose answer is in its first population.

Only the encoder is searched; its decoders follow from it (:meth:`Problem.with_decoders`). They are
the widest that fit beside it on a path that the preference alone decides: from Eq. 4 down to all at
their smallest, the least preferred tasks first, tasks of equal preference together
(:attr:`Problem.path_SG`). So, whatever the predictor says,

- no decoder is wider than Eq. 4 makes it, none shrinks before those of less preferred tasks are at
  their smallest, and equal preferences are answered alike;
- a decoder below Eq. 4 buys width for the encoder: what the encoder leaves of the budget widens
  decoders first, in the opposite order. A remainder too small for the next step of the path is not
  spent on less preferred decoders.

The reason is noise. The predictor is fitted to few samples, and decoders that are free drift by its
mistakes: a preferred one stood at its smallest beside others, of no preference, at full width. The
widths must show the preferences. And since the decoders of every candidate are determined, no step
after the search can undo its score.

Dimensions: P members, G groups, E encoder groups.
"""

import numpy as np
from numpy.typing import NDArray

from model_store.subnet.ecmt import ecmt
from model_store.subnet.local_search import climb
from model_store.subnet.problem import Choices, Problem
from model_store.subnet.repair import random_candidates, shrink_to_fit

POPULATION = 64
GENERATIONS = 40
"""The most generations."""

PATIENCE = 12
"""Generations without a better candidate after which the evolution ends."""

_DRAWN = 512
"""Random candidates, of which the best are climbed from."""

_CLIMBED = 2

_CROSSED = 0.5
"""Share of the children that have two parents."""


def evolve(problem: Problem, rng: np.random.Generator) -> tuple[Choices, int]:
    """Evolves a population within the budget.

    Local search comes before the evolution, on the best start with the paper's decoders, on the
    widest encoder carved down beside the widest, the middle and the narrowest decoders of the path,
    and on the best of many random candidates, so that crossover has something to combine; and after
    it, if that found better.

    Returns:
        The best candidate, [G], and how many candidates the predictor looked at.
    """
    paper = ecmt(problem, rng)
    evaluations = paper.evaluations
    elite = [paper.best_G]
    start_PG = np.concatenate([paper.best_G[None], paper.initial_PG])
    starts = [start_PG[problem.score(start_PG).argmax()]]
    last = len(problem.path_SG) - 1
    for step in sorted({0, last // 2, last}):
        carved_G, looks = _carved(problem, problem.path_SG[step])
        starts.append(carved_G)
        evaluations += looks
    drawn_PG = random_candidates(problem, _DRAWN, rng)
    starts += list(drawn_PG[np.argsort(-problem.score(drawn_PG), kind="stable")[:_CLIMBED]])
    evaluations += len(drawn_PG)
    for start_G in starts:
        best_G, looks = climb(problem, start_G)
        elite.append(best_G)
        evaluations += looks

    population_PG = first_PG = np.concatenate([np.stack(elite), paper.initial_PG])
    scores_P = problem.score(population_PG)
    climbed = scores_P.max()
    hash_G = rng.integers(1 << 62, size=len(problem.top_G))
    best, patience = climbed, PATIENCE
    for _ in range(GENERATIONS):
        children_PG = _children(problem, population_PG, scores_P, rng)
        population_PG, scores_P = _survivors(
            problem,
            np.concatenate([population_PG, children_PG]),
            np.concatenate([scores_P, problem.score(children_PG)]),
            hash_G,
        )
        evaluations += len(children_PG)
        patience = patience - 1 if scores_P[0] <= best else PATIENCE
        best = scores_P[0]
        if not patience:
            break
    best_G = population_PG[0]
    if scores_P[0] > climbed:
        best_G, looks = climb(problem, best_G)
        evaluations += looks
    return best_G, evaluations + len(start_PG) + len(first_PG)


def _carved(problem: Problem, decoders_G: Choices) -> tuple[Choices, int]:
    """The widest encoder, carved down beside these decoders until it fits the budget.

    Each step narrows the group that costs the least score for the cost that it saves, or gains the
    most if one gains. What is left of the budget then widens the decoders.

    Returns:
        A candidate within the budget, [G], and how many candidates the predictor looked at.
    """
    encoder = problem.space.encoder
    carved_G = problem.top_G.copy()
    carved_G[problem.decoders] = decoders_G[problem.decoders]
    count, score = int(problem.counts(carved_G[None])[0]), float(problem.score(carved_G[None])[0])
    evaluations = 1
    while count > problem.budget:
        groups_P = encoder[carved_G[encoder] > 0]
        narrower_PG = np.tile(carved_G, (len(groups_P), 1))
        narrower_PG[np.arange(len(groups_P)), groups_P] -= 1
        counts_P, scores_P = problem.counts(narrower_PG), problem.score(narrower_PG)
        evaluations += len(groups_P)
        gain_P = scores_P - score
        # Cost beyond what is over the budget is not worth anything here. A group of which others
        # read a prefix may save nothing at first.
        saved_P = np.maximum(count - np.maximum(counts_P, problem.budget), 1)
        chosen = int(np.where(gain_P < 0, gain_P / saved_P, gain_P).argmax())
        carved_G, count, score = narrower_PG[chosen], int(counts_P[chosen]), float(scores_P[chosen])
    found_G: Choices = problem.with_decoders(carved_G[None])[0]
    return found_G, evaluations


def _survivors(
    problem: Problem,
    population_PG: Choices,
    scores_P: NDArray[np.float64],
    hash_G: NDArray[np.int64],
) -> tuple[Choices, NDArray[np.float64]]:
    """The best of the population without its doubles, best first."""
    # Equal sub-networks have equal channel counts, so equal hashes (in wrapping arithmetic).
    hashes_P = problem.space.channels_of(population_PG) @ hash_G
    _, distinct = np.unique(hashes_P, return_index=True)
    order = distinct[np.argsort(-scores_P[distinct], kind="stable")][:POPULATION]
    return population_PG[order], scores_P[order]


def _children(
    problem: Problem,
    population_PG: Choices,
    scores_P: NDArray[np.float64],
    rng: np.random.Generator,
) -> Choices:
    """POPULATION children within the budget, by tournament, crossover, mutation and repair."""
    encoder = problem.space.encoder
    shape = (POPULATION, len(encoder))
    # Tournaments of two: the better one of each pair becomes a parent.
    ranked_PG = population_PG[np.argsort(-scores_P, kind="stable")]
    mothers, fathers = rng.integers(0, len(ranked_PG), size=(2, 2, POPULATION)).min(axis=1)
    from_father = (rng.random(shape) < 0.5) & (rng.random((POPULATION, 1)) < _CROSSED)
    genes_PE = np.where(from_father, ranked_PG[fathers][:, encoder], ranked_PG[mothers][:, encoder])
    # About one group of each child moves by a step, in either direction ...
    mutated = rng.random(shape) < 1.0 / len(encoder)
    genes_PE += np.where(rng.random(shape) < 0.5, 1, -1) * mutated
    # ... and width moves from one group to another.
    wider, narrower = rng.integers(0, len(encoder), size=(2, POPULATION))
    genes_PE[np.arange(POPULATION), wider] += 1
    genes_PE[np.arange(POPULATION), narrower] -= 1
    children_PG = np.zeros((POPULATION, len(problem.top_G)), dtype=np.int64)
    children_PG[:, encoder] = np.clip(genes_PE, 0, problem.top_G[encoder])
    return problem.with_decoders(shrink_to_fit(problem, children_PG, rng))
