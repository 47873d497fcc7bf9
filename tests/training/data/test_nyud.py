"""NYUD-v2 in both of its layouts."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training.data.dense_files import (
    HEIGHT,
    WIDTH,
    colours,
    depth,
    normals,
    nyud_semseg,
    write_nyud,
)
from tests.training.data.networks import reading
from training.data.nyud import load_nyud
from training.tasks import Task

TASKS = (
    Task("semseg", "segmentation", 40),
    Task("depth", "depth", 1),
    Task("normals", "normals", 3),
    Task("edges", "edges", 1),
)
AS_STORED = reading(*TASKS, height=HEIGHT, width=WIDTH)

layouts = pytest.mark.parametrize("repacked", [False, True], ids=["published", "repacked"])


@layouts
def test_every_target_is_decoded(tmp_path: Path, repacked: bool) -> None:
    write_nyud(tmp_path, repacked)
    batch = load_nyud(tmp_path, "val", AS_STORED).batch(torch.tensor([1, 0]))
    targets = batch.targets
    assert batch.images_NCHW.shape == (2, 3, HEIGHT, WIDTH)
    found = batch.images_NCHW[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(found - colours(1)).mean() < (1e-3 if repacked else 4.0)
    raw = nyud_semseg().astype(np.int64)
    expected = torch.from_numpy(np.where(raw == 0, 255, raw - 1))
    assert torch.equal(targets["semseg"][0], expected)
    assert torch.equal(targets["depth"][0], torch.from_numpy(depth()))
    truth_CHW = torch.from_numpy(normals()).float().permute(2, 0, 1)
    torch.testing.assert_close(targets["normals"][0], truth_CHW, rtol=0, atol=0.01)
    lengths = targets["normals"].norm(dim=1)
    torch.testing.assert_close(lengths[:, :, 2:], torch.ones(2, HEIGHT, WIDTH - 2))
    assert not lengths[:, :, :2].any()
    assert torch.equal(targets["edges"][0].nonzero()[:, 1], torch.full((HEIGHT,), 5))


@layouts
def test_images_and_targets_come_at_the_networks_size(tmp_path: Path, repacked: bool) -> None:
    write_nyud(tmp_path, repacked)
    source = load_nyud(tmp_path, "train", reading(*TASKS, height=48, width=16))
    batch = source.batch(torch.tensor([0]))
    assert batch.images_NCHW.shape == (1, 3, 48, 16)
    assert {name: tuple(t.shape) for name, t in batch.targets.items()} == {
        "semseg": (1, 48, 16),
        "depth": (1, 48, 16),
        "normals": (1, 3, 48, 16),
        "edges": (1, 48, 16),
    }
    assert set(batch.targets["depth"].flatten().tolist()) <= set(depth().ravel().tolist())
    assert batch.aspect_N is not None
    assert batch.aspect_N.tolist() == pytest.approx([WIDTH / HEIGHT])
    pixels = source.pixels(torch.tensor([0]))
    assert (pixels.shape, pixels.dtype) == ((1, 48, 16, 3), torch.uint8)
    assert torch.equal(pixels.permute(0, 3, 1, 2).float() / 255, batch.images_NCHW)


def test_only_the_networks_tasks_are_read(tmp_path: Path) -> None:
    write_nyud(tmp_path, repacked=False)
    (tmp_path / "normals" / "0001.npy").unlink()
    source = load_nyud(tmp_path, "train", reading(TASKS[1], height=8, width=8))
    assert set(source.batch(torch.tensor([0])).targets) == {"depth"}


def test_a_wrong_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist") as caught:
        load_nyud(tmp_path, "train", AS_STORED)
    assert str(tmp_path / "gt_sets" / "train.txt") in str(caught.value)


@pytest.mark.parametrize(
    ("missing", "named"),
    [("images/0002.jpg", "0002.jpg or .png"), ("normals/0001.npy", "0001.npy or .png")],
)
def test_a_missing_file_is_named_at_once(tmp_path: Path, missing: str, named: str) -> None:
    write_nyud(tmp_path, repacked=False)
    (tmp_path / missing).unlink()
    with pytest.raises(ValueError, match="does not exist") as caught:
        load_nyud(tmp_path, "train", AS_STORED)
    assert str(tmp_path / Path(missing).parent / named) in str(caught.value)


@layouts
@pytest.mark.parametrize("folder", ["images", "segmentation", "depth", "normals", "edge"])
def test_a_truncated_file_is_named(tmp_path: Path, repacked: bool, folder: str) -> None:
    write_nyud(tmp_path, repacked)
    (path,) = (tmp_path / folder).glob("0002.*")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])
    source = load_nyud(tmp_path, "train", AS_STORED)
    source.batch(torch.tensor([0]))
    with pytest.raises(ValueError, match="cannot be read") as caught:
        source.batch(torch.tensor([1]))
    assert str(path) in str(caught.value)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    write_nyud(tmp_path, repacked=False)
    np.save(tmp_path / "depth" / "0001.npy", np.array([print]), allow_pickle=True)
    with pytest.raises(ValueError, match=r"0001\.npy cannot be read"):
        load_nyud(tmp_path, "train", AS_STORED).batch(torch.tensor([0]))


def test_other_labels_and_shapes_are_refused(tmp_path: Path) -> None:
    write_nyud(tmp_path, repacked=True)
    source = load_nyud(tmp_path, "train", AS_STORED)
    np.save(tmp_path / "depth" / "0001.npy", np.ones((4, 4, 2)))
    with pytest.raises(ValueError, match=r"0001\.npy: one value for each pixel expected"):
        source.batch(torch.tensor([0]))
    write_nyud(tmp_path, repacked=True)
    Image.fromarray(np.full((4, 4), 41, np.uint8)).save(tmp_path / "segmentation" / "0001.png")
    with pytest.raises(ValueError, match="the classes 1 to 40 expected, found 41"):
        source.batch(torch.tensor([0]))


def test_tasks_that_the_data_set_lacks_are_refused(tmp_path: Path) -> None:
    network = reading(Task("saliency", "saliency", 1), height=8, width=8)
    with pytest.raises(ValueError, match="NYUD-v2 has no task 'saliency' of kind 'saliency'"):
        load_nyud(tmp_path, "train", network)
