"""Measuring sub-networks, each once."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.tiny import Noise, classifying, images, network_of, some
from training.data.source import Batch, Subset
from training.evaluate import calibrated, evaluate
from training.evaluation.gauge import Gauge, digest_of, limited
from training.evaluation.memo import Memo
from training.ranks import Ranks

RECIPE = classifying()
NETWORK = network_of(RECIPE)


class Counting(Subset):
    """Test images that know how often they were read."""

    reads = 0

    def batch(self, indices_N: torch.Tensor) -> Batch:
        self.reads += 1
        return super().batch(indices_N)


def counting() -> Counting:
    return Counting(Noise.of(RECIPE, 12), torch.arange(12))


def gauge(
    path: Path,
    test: Subset,
    shown: list[tuple[str, int, int]] | None = None,
    digest: str = "twelve",
) -> Gauge:
    return Gauge(
        network=NETWORK,
        identity="digest",
        test=test,
        test_digest=digest,
        calibration_NCHW=images(16),
        memo=Memo(path, Ranks()),
        ranks=Ranks(),
        show=lambda *report: None if shown is None else shown.append(report),
    )


def test_it_measures_what_is_extracted_and_calibrated(tmp_path: Path) -> None:
    test, asked = counting(), [some(NETWORK, 1), some(NETWORK, 2)]
    found = gauge(tmp_path / "m", test).measure("x", asked)
    assert found == [evaluate(calibrated(NETWORK, a, images(16)), test) for a in asked]


def test_equal_sub_networks_are_measured_once(tmp_path: Path) -> None:
    test, shown = counting(), list[tuple[str, int, int]]()
    first, second = some(NETWORK, 1), some(NETWORK, 2)
    found = gauge(tmp_path / "m", test, shown).measure("x", [first, second, first])
    assert test.reads == 2
    assert found[0] == found[2] != found[1]
    assert shown == [("x", 0, 2), ("x", 1, 2), ("x", 2, 2)]
    assert gauge(tmp_path / "m", test).measure("x", [second, first]) == [found[1], found[0]]
    assert test.reads == 2


def test_other_calibration_images_or_test_images_are_measured_anew(tmp_path: Path) -> None:
    test = counting()
    ours = gauge(tmp_path / "m", test)
    fewer = ours.calibrated_on(images(8))
    other = gauge(tmp_path / "m", test, digest="other twelve")
    assert len({ours.key, fewer.key, other.key}) == 3
    smallest = NETWORK.space.smallest()
    assert ours.measure("x", [smallest]) != fewer.measure("x", [smallest])


def test_images_and_ground_truth_are_told_from_others() -> None:
    ours = Noise.of(RECIPE, 70)
    changed = replace(ours, targets={**ours.targets, "animals": ours.targets["animals"].flip(0)})
    shown: list[tuple[int, int]] = []
    digest = digest_of(ours, lambda *done: shown.append(done))
    assert digest == digest_of(Noise.of(RECIPE, 70))
    assert shown == [(64, 70), (70, 70)]
    others = (changed, Noise.of(RECIPE, 70, seed=5), Subset(ours, torch.arange(69)))
    assert len({digest, *(digest_of(other) for other in others)}) == 4


def test_test_images_are_drawn_at_random_and_kept_in_order() -> None:
    source = Noise.of(RECIPE, 12)
    assert limited(source, None, 0) is limited(source, 12, 0) is source
    drawn = limited(source, 5, 0)
    assert isinstance(drawn, Subset)
    indices = drawn.indices.tolist()
    assert len(set(indices)) == 5
    assert indices == sorted(indices) != list(range(5))
    again = limited(source, 5, 0)
    assert isinstance(again, Subset)
    assert again.indices.tolist() == indices


@pytest.mark.parametrize("count", [1, 3])
def test_fewer_test_images_are_fewer(count: int) -> None:
    assert len(limited(Noise.of(RECIPE, 12), count, 0)) == count
