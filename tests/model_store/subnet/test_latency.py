"""The latency model: finds the rates of a machine that follows it, and is a cost to be searched."""

import numpy as np
import pytest

from model_store.published import PublishedModel
from model_store.subnet.latency import LatencyModel, Sample, errors, fit, parts

TASKS = ("animals", "semseg", "depth", "normals", "edges", "saliency")


def machine(model: PublishedModel, block: int) -> LatencyModel:
    """A made-up machine with rates for everything that a layer does."""
    rng = np.random.default_rng(3)
    names = dict.fromkeys(name for name, _ in parts(model.cost.terms))
    scale = {"mac": 1e-6, "in": 1e-5, "out": 1e-5, "layer": 1e-2, "fixed": 0.1}
    return LatencyModel(block, {n: scale[n.split()[0]] * rng.uniform(0.5, 2.0) for n in names})


def samples(model: PublishedModel, truth: LatencyModel, count: int, noise: float) -> list[Sample]:
    rng = np.random.default_rng(4)
    found = []
    for _ in range(count):
        architecture = model.space.random(rng)
        kept = tuple(t for t in TASKS if rng.random() < 0.7) or TASKS
        cost = truth.cost_model(model.space, model.cost.terms, kept)
        ms = cost.of(architecture) / cost.unit.scale * rng.uniform(1 - noise, 1 + noise)
        found.append(Sample(architecture, kept, ms))
    return found


@pytest.mark.parametrize("block", [1, 8])
def test_it_predicts_networks_that_it_was_not_fitted_to(tiny: PublishedModel, block: int) -> None:
    measured = samples(tiny, machine(tiny, block), 80, noise=0.02)
    model = fit(tiny.space, tiny.cost.terms, measured[:60])
    wrong = np.abs(errors(model, tiny.space, tiny.cost.terms, measured[60:]))
    assert np.mean(wrong <= 0.1) >= 0.9


def test_the_block_of_the_machine_is_found(tiny: PublishedModel) -> None:
    measured = samples(tiny, machine(tiny, 8), 80, noise=0.0)
    assert fit(tiny.space, tiny.cost.terms, measured).block == 8


def test_wider_is_never_faster_and_counts_are_whole_and_exact(tiny: PublishedModel) -> None:
    cost = machine(tiny, 8).cost_model(tiny.space, tiny.cost.terms, TASKS)
    assert cost.unit.name == "latency_ms"
    assert cost.of(tiny.space.largest()) < 2**53
    rng = np.random.default_rng(5)
    for _ in range(20):
        narrow_G = rng.integers(0, tiny.space.choices_G)
        wide_G = np.minimum(narrow_G + rng.integers(0, 2, len(narrow_G)), tiny.space.choices_G - 1)
        narrow, wide = tiny.space.architecture(narrow_G), tiny.space.architecture(wide_G)
        assert cost.of(narrow) <= cost.of(wide)
        milliseconds = cost.of(wide) / cost.unit.scale
        assert round(milliseconds * cost.unit.scale) == cost.of(wide)


def test_decoders_that_are_cut_away_take_no_time(tiny: PublishedModel) -> None:
    truth, largest = machine(tiny, 1), tiny.space.largest()

    def ms(*tasks: str) -> float:
        cost = truth.cost_model(tiny.space, tiny.cost.terms, tasks)
        return cost.of(largest) / cost.unit.scale

    assert ms("depth") < ms("depth", "edges") < ms(*TASKS)
    assert ms(*TASKS) - ms(*TASKS[:-1]) == pytest.approx(ms("depth", "saliency") - ms("depth"))


def test_too_few_samples_are_refused(tiny: PublishedModel) -> None:
    few = [Sample(tiny.space.largest(), TASKS, 1.0)] * 7
    with pytest.raises(ValueError, match="at least 8 measured"):
        fit(tiny.space, tiny.cost.terms, few)
