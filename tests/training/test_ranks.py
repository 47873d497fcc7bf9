"""Two processes that torchrun starts reach what one reaches with the whole batch."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.tiny import dense, network_of
from tests.training.torchrun import two_ranks
from tests.training.two_ranks import (
    SAMPLES,
    gauged,
    partly_labelled,
    sampled,
    step,
    trained,
    validated,
)
from training import checkpoint
from training.ranks import Ranks, started

ALONE = Ranks()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One process trains a step and measures a sample; then two go on."""
    folder = tmp_path_factory.mktemp("ranks")
    trained(folder / "checkpoint.pt", ALONE, steps=1)
    sampled(folder / "samples.jsonl", ALONE, count=1)
    two_ranks("tests.training.two_ranks", folder)
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> list[dict[str, Any]]:
    """What each rank left."""
    return [torch.load(folder / f"rank{r}.pt", weights_only=True) for r in (0, 1)]


def test_gradients_and_losses_are_those_of_the_whole_batch(found: list[dict[str, Any]]) -> None:
    """In float64, but for the losses themselves; and with labels that are spread unevenly."""
    network = network_of(dense()).double()
    expected = step(network, partly_labelled(), ALONE)
    for rank in found:
        assert rank["losses"] == pytest.approx(expected.values(), rel=1e-5)
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None
            scale = float(parameter.grad.abs().max())
            torch.testing.assert_close(
                rank["gradients"][name], parameter.grad, rtol=0, atol=1e-5 * scale + 1e-12
            )


def test_both_hold_the_same_gradients(found: list[dict[str, Any]]) -> None:
    first, second = (rank["gradients"] for rank in found)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_goes_on_with_another_number_of_ranks(
    folder: Path, found: list[dict[str, Any]], tmp_path: Path
) -> None:
    """One step alone, two steps of two ranks, one step alone: as four steps alone."""
    assert [rank["steps"] for rank in found] == [2, 2]
    reports = trained(folder / "checkpoint.pt", ALONE, steps=9)
    assert [(r.epoch, r.step) for r in reports] == [(1, 1)]
    trained(tmp_path / "checkpoint.pt", ALONE, steps=9)
    states = [checkpoint.load(f / "checkpoint.pt") for f in (folder, tmp_path)]
    ours, theirs = (state["network"] for state in states)
    for name, weight in theirs.items():
        torch.testing.assert_close(ours[name], weight, rtol=0, atol=1e-7)


def test_samples_are_shared_and_written_in_order(
    folder: Path, found: list[dict[str, Any]], tmp_path: Path
) -> None:
    assert [rank["measured"] for rank in found] == [3, 2]
    assert sampled(tmp_path / "samples.jsonl", ALONE) == SAMPLES
    whole = (tmp_path / "samples.jsonl").read_bytes()
    assert (folder / "samples.jsonl").read_bytes() == whole


def test_validation_is_shared(found: list[dict[str, Any]]) -> None:
    expected = validated(ALONE)
    assert found[0]["validation"] == found[1]["validation"] == pytest.approx(expected, rel=1e-6)


def test_sub_networks_are_measured_in_turns_for_all(
    folder: Path, found: list[dict[str, Any]], tmp_path: Path
) -> None:
    expected = gauged(tmp_path / "measured.jsonl", ALONE)
    assert found[0]["gauged"] == found[1]["gauged"] == pytest.approx(expected, rel=1e-5)
    assert len((folder / "measured.jsonl").read_text().splitlines()) == 3


def test_what_stops_the_first_stops_all(found: list[dict[str, Any]]) -> None:
    assert all("nowhere.pt does not exist; train first" in rank["error"] for rank in found)


@pytest.mark.parametrize(("n", "count"), [(8, 2), (7, 3), (3, 3), (256, 16)])
def test_everything_is_dealt_out_evenly(n: int, count: int) -> None:
    parts = [Ranks(rank, count).part(n) for rank in range(count)]
    assert [i for part in parts for i in part] == list(range(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_without_torchrun_a_process_is_alone() -> None:
    with started() as ranks:
        assert (ranks.rank, ranks.count, ranks.first) == (0, 1, True)
        assert list(ranks.in_turns(5, lambda i: i * i, start=2)) == [4, 9, 16]
        assert ranks.sums([1.0, 2.5]) == [1.0, 2.5]
