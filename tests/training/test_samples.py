"""Measured sub-networks: which they are, and that interruptions lose none."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model_store.subnet.cost import CostModel
from model_store.subnet.space import Architecture
from tests.training.qualities import SPACE, truth
from training.configs import caltech100, rooms
from training.evaluate import Quality
from training.recipe import Recipe
from training.samples import collect, sampled
from training.supernet import cost_model


class Measurer:
    """Measures by :func:`truth`, and breaks off when asked to."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.measured: list[Architecture] = []
        self.fail_at = fail_at

    def __call__(self, architecture: Architecture) -> Quality:
        if len(self.measured) == self.fail_at:
            raise KeyboardInterrupt
        self.measured.append(architecture)
        return truth(SPACE, architecture)


# ---- sampling


@pytest.mark.parametrize("make", [caltech100, rooms])
def test_samples_cover_the_range_of_costs(make: Callable[[], Recipe]) -> None:
    """Beyond the first two, which are the ends themselves; and no fifth of the range is empty."""
    cost: CostModel = cost_model(make().network)
    space = cost.space
    assert sampled(space, 0, 0) == space.smallest()
    assert sampled(space, 0, 1) == space.largest()
    lowest, highest = cost.of(space.smallest()), cost.of(space.largest())
    shares = [(cost.of(sampled(space, 0, i)) - lowest) / (highest - lowest) for i in range(2, 202)]
    assert min(shares) < 0.05
    assert max(shares) > 0.95
    counts, _ = np.histogram(shares, bins=5, range=(0.0, 1.0))
    assert counts.min() >= 10


def test_the_papers_independent_widths_do_not_cover_it() -> None:
    """Why samples are stratified: the reason given where they are drawn."""
    cost = cost_model(rooms().network)
    space = cost.space
    drawn = [sampled(space, 0, i, stratified=False) for i in range(200)]
    lowest, highest = cost.of(space.smallest()), cost.of(space.largest())
    shares = [(cost.of(a) - lowest) / (highest - lowest) for a in drawn]
    assert min(shares) > 0.1
    assert max(shares) < 0.85
    assert drawn == [sampled(space, 0, i, stratified=False) for i in range(200)]


def test_samples_are_non_uniform_and_follow_seed_and_index() -> None:
    first = [sampled(SPACE, 0, i) for i in range(40)]
    assert first == [sampled(SPACE, 0, i) for i in range(40)]
    assert len(set(first)) > 30
    assert first[2:] != [sampled(SPACE, 1, i) for i in range(2, 40)]
    mixed = [len({a[g.name] / g.full for g in SPACE.groups}) > 1 for a in first[2:]]
    assert sum(mixed) > 25


# ---- collecting

CHECKPOINT = "digest of the checkpoint"


def test_samples_are_saved_as_they_come(tmp_path: Path) -> None:
    path, seen = tmp_path / "runs" / "samples.jsonl", []

    def on_sample(done: int, count: int) -> None:
        seen.append((done, count, len(path.read_text().splitlines())))

    samples = collect(SPACE, 5, 0, path, CHECKPOINT, Measurer(), on_sample)
    assert seen == [(i, 5, i) for i in range(1, 6)]
    assert [s.architecture for s in samples] == [sampled(SPACE, 0, i) for i in range(5)]
    assert [s.quality for s in samples] == [truth(SPACE, s.architecture) for s in samples]
    assert json.loads(path.read_text().splitlines()[0])["channels"] == SPACE.smallest().as_dict()


@pytest.mark.parametrize("half_a_line", ["", '{"channels": {"prep', '{"channels": 1}'])
def test_an_interrupted_collection_goes_on(tmp_path: Path, half_a_line: str) -> None:
    path = tmp_path / "samples.jsonl"
    with pytest.raises(KeyboardInterrupt):
        collect(SPACE, 6, 0, path, CHECKPOINT, Measurer(fail_at=4))
    with path.open("a") as file:
        file.write(half_a_line)
    measure = Measurer()
    samples = collect(SPACE, 6, 0, path, CHECKPOINT, measure)
    assert measure.measured == [sampled(SPACE, 0, i) for i in (4, 5)]
    whole = tmp_path / "whole.jsonl"
    assert samples == collect(SPACE, 6, 0, whole, CHECKPOINT, Measurer())
    assert path.read_bytes() == whole.read_bytes()


def test_more_samples_add_to_those_there_are(tmp_path: Path) -> None:
    path, measure = tmp_path / "samples.jsonl", Measurer()
    collect(SPACE, 3, 0, path, CHECKPOINT, Measurer())
    assert len(collect(SPACE, 5, 0, path, CHECKPOINT, measure)) == 5
    assert len(measure.measured) == 2
    assert len(collect(SPACE, 2, 0, path, CHECKPOINT, measure)) == 2
    assert len(path.read_text().splitlines()) == 5


def test_samples_of_another_seed_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    collect(SPACE, 5, 0, path, CHECKPOINT, Measurer())
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"samples\.jsonl holds samples of another seed or space"):
        collect(SPACE, 5, 1, path, CHECKPOINT, Measurer())
    assert path.read_bytes() == before


def test_samples_of_another_checkpoint_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    collect(SPACE, 3, 0, path, CHECKPOINT, Measurer())
    with pytest.raises(ValueError, match="trained again; remove it"):
        collect(SPACE, 5, 0, path, "another", Measurer())


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[]",
        "3",
        "{}",
        '{"channels": {"prep": 8}, "losses": {}, "metrics": {}}',
        '{"channels": 5, "losses": {}, "metrics": {}}',
    ],
)
def test_a_line_that_is_no_sample_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "samples.jsonl"
    collect(SPACE, 2, 0, path, CHECKPOINT, Measurer())
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=r"samples\.jsonl, line 3, is not a sample"):
        collect(SPACE, 5, 0, path, CHECKPOINT, Measurer())
