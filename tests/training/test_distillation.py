"""What sub-networks learn from the SuperNet."""

import math
from typing import Literal

import pytest
import torch
from torch import Tensor

from training.distillation import ci_kd, prediction_distillation
from training.global_batch import shares_of
from training.ranks import Ranks
from training.tasks import IGNORE, Task

DENSE = (
    Task("semseg", "segmentation", 3, 2.0),
    Task("depth", "depth", 1, 0.5),
    Task("normals", "normals", 3, 3.0),
    Task("edges", "edges", 1, 5.0),
    Task("saliency", "saliency", 1),
)


def distilled(
    tasks: tuple[Task, ...],
    teacher: dict[str, Tensor],
    child: dict[str, Tensor],
    targets: dict[str, Tensor],
) -> Tensor:
    return prediction_distillation(
        tasks, teacher, child, targets, shares_of(tasks, targets, Ranks())
    )


def raw_of(seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {t.name: torch.randn(2, t.outputs, 4, 4, generator=generator) for t in DENSE}


def targets() -> dict[str, Tensor]:
    return {t.name: torch.ones(2, *([3] if t.kind == "normals" else []), 8, 8) for t in DENSE} | {
        "semseg": torch.zeros(2, 8, 8, dtype=torch.int64)
    }


def test_ci_kd_compares_features_averaged_over_channels() -> None:
    """Eq. 3: means 2 and 4 against 5 and 4 at two positions: (9 + 0) / 2."""
    child_NCHW = torch.tensor([[4.0, 2.0], [5.0, 3.0], [6.0, 7.0]]).view(1, 3, 1, 2)
    z_NCHW = torch.tensor([[1.0, 5.0], [3.0, 3.0]]).view(1, 2, 1, 2)
    assert ci_kd(z_NCHW, child_NCHW).item() == pytest.approx(9 / 2)


@pytest.mark.parametrize("task", DENSE, ids=lambda t: t.name)
def test_equal_predictions_have_no_distance_and_others_do(task: Task) -> None:
    same = distilled((task,), raw_of(0), raw_of(0), targets())
    other = distilled((task,), raw_of(0), raw_of(1), targets())
    assert float(same) == pytest.approx(0.0, abs=1e-6)
    assert float(other) > 0.1


def test_distances_are_weighted_like_losses() -> None:
    together = distilled(DENSE, raw_of(0), raw_of(1), targets())
    apart = [distilled((task,), raw_of(0), raw_of(1), targets()) for task in DENSE]
    assert float(together) == pytest.approx(float(torch.stack(apart).sum()), rel=1e-5)


@pytest.mark.parametrize("kind", ["edges", "saliency"])
def test_probabilities_are_compared_by_their_divergence(
    kind: Literal["edges", "saliency"],
) -> None:
    """KL of Bernoulli 0.8 and 0.5, worked out by hand."""
    teacher = {"x": torch.full((1, 1, 1, 1), math.log(4.0))}
    child = {"x": torch.zeros(1, 1, 1, 1)}
    found = distilled((Task("x", kind, 1),), teacher, child, {"x": torch.ones(1, 1, 1)})
    assert float(found) == pytest.approx(0.8 * math.log(1.6) + 0.2 * math.log(0.4))


def test_images_without_a_label_teach_no_classes() -> None:
    """KL of (3/4, 1/4) and (1/2, 1/2), on the one image that is labelled."""
    task = Task("animals", "classification", 2)
    teacher = {"animals": torch.tensor([[math.log(3.0), 0.0], [9.0, -9.0]])}
    child = {"animals": torch.zeros(2, 2)}
    found = distilled((task,), teacher, child, {"animals": torch.tensor([1, IGNORE])})
    assert float(found) == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))


def test_without_any_label_there_is_nothing_to_learn() -> None:
    task = Task("animals", "classification", 2)
    raw = {"animals": torch.ones(1, 2, requires_grad=True)}
    assert float(distilled((task,), raw, raw, {"animals": torch.tensor([IGNORE])})) == 0.0
