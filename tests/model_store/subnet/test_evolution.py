"""The default search, where the space is too large to enumerate."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_store.subnet.cost import CostModel, CostTerm
from model_store.subnet.predictor import AccuracyPredictor, tensor_shapes
from model_store.subnet.preference import Preference
from model_store.subnet.problem import Problem
from model_store.subnet.repair import shrink_to_fit
from model_store.subnet.search import search
from model_store.subnet.space import Group, SearchSpace

TENTHS = tuple(round(0.1 * n, 1) for n in range(2, 11))
TASKS = tuple("abcdef")

SPACE = SearchSpace(
    (
        *(Group.of(f"layer{i}", 80 + 8 * i, TENTHS, 8) for i in range(12)),
        *(Group.of(f"head.{t}", 128, TENTHS, 8, task=t, within="layer11") for t in TASKS),
    )
)

COST = CostModel(
    SPACE,
    [
        CostTerm(256, 9, (3,), ("layer0",)),
        *(CostTerm(64, 9, (f"layer{i}",), (f"layer{i + 1}",)) for i in range(11)),
        *(CostTerm(64, 9, (f"head.{t}",), (40,), t) for t in TASKS),
    ],
)


def predictor(seed: int) -> AccuracyPredictor:
    """A predictor fitted to nothing, by which wider is mostly better."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, shape in tensor_shapes(len(TASKS), len(SPACE.groups)).items():
        shift = {"model.0.weight": 0.5, "heads.weight": -0.3, "targets.std": 9.0}.get(name, 0.0)
        tensors[name] = ((rng.normal(size=shape) + shift) / np.sqrt(shape[-1])).astype(np.float32)
    return AccuracyPredictor.from_tensors(tensors, TASKS, len(SPACE.groups))


@pytest.mark.parametrize("seed", range(5))
def test_it_beats_ten_thousand_random_candidates_and_the_paper(seed: int) -> None:
    rng = np.random.default_rng(seed)
    budget = int(rng.integers(COST.of(SPACE.smallest()), COST.of(SPACE.largest())))
    preference = dict(zip(TASKS, rng.uniform(size=len(TASKS)).tolist(), strict=True))
    losses = predictor(seed).standardised_losses
    evolution, paper = (
        search(name, SPACE, COST, losses, budget, preference, np.random.default_rng(seed))
        for name in ("evolution", "ecmt")
    )
    problem = Problem(COST, losses, budget, Preference.of(SPACE, preference, None))
    random_PG = rng.integers(0, SPACE.choices_G, size=(10_000, len(SPACE.groups)))
    decoders = list(SPACE.decoders.values())
    random_PG[:, decoders] = rng.choice(problem.path_SG, 10_000)[:, decoders]
    random_PG = problem.with_decoders(shrink_to_fit(problem, random_PG, rng))
    best = problem.score(random_PG).max()
    assert evolution.score > best
    assert evolution.score > paper.score
    assert max(evolution.cost, paper.cost) <= budget


preferences = st.fixed_dictionaries(
    dict.fromkeys(TASKS, st.sampled_from([0.0, 0.3, 1.0]) | st.floats(0.0, 1.0))
)


@given(tau=preferences, share=st.floats(0.0, 0.5), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_widths_follow_preferences_whatever_the_predictor_says(
    tau: Mapping[str, float], share: float, seed: int
) -> None:
    least, most = COST.of(SPACE.smallest()), COST.of(SPACE.largest())
    budget = least + int(share * (most - least))
    losses = predictor(seed).standardised_losses
    found = search("evolution", SPACE, COST, losses, budget, tau, np.random.default_rng(seed))
    width = {t: found.architecture[f"head.{t}"] for t in TASKS}
    choice = Preference.of(SPACE, tau, None).decoder_choices()
    for task in TASKS:
        group = SPACE.groups[SPACE.decoders[task]]
        assert width[task] <= group.channels[choice[task]]
        if tau[task] == min(tau.values()) < max(tau.values()):
            assert width[task] == group.smallest
        for other in TASKS:
            if tau[task] <= tau[other]:  # so equal preferences have equal widths
                assert width[task] <= width[other]
