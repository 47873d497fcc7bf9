"""PASCAL-Context and its five tasks."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat  # type: ignore[import-untyped]

from tests.training.data.dense_files import (
    HEIGHT,
    WIDTH,
    mask,
    normals,
    person,
    voc_semseg,
    write_parts,
    write_pascal,
)
from tests.training.data.networks import reading
from training.data.decoded import Decoded
from training.data.pascal import load_pascal
from training.published_recipes import pascal

AS_STORED = reading(*pascal().network.tasks, height=HEIGHT, width=WIDTH)


@pytest.fixture
def source(tmp_path: Path) -> Decoded:
    write_pascal(tmp_path)
    return load_pascal(tmp_path, "train", AS_STORED)


def test_segmentation_is_that_of_voc_where_there_is_one(source: Decoded) -> None:
    semseg = source.batch(torch.arange(3)).targets["semseg"]
    assert torch.equal(semseg[0], torch.from_numpy(voc_semseg().astype(np.int64)))
    assert (semseg[1:] == 20).all()


def test_parts_are_those_of_people_in_six_groups(source: Decoded) -> None:
    found = source.batch(torch.tensor([0])).targets["human_parts"][0]
    expected = torch.zeros(HEIGHT, WIDTH, dtype=torch.int64)
    for i, group in enumerate((1, 1, 2, 3, 4, 5, 6)):
        expected[torch.from_numpy(mask(4, 4 * i)).bool()] = group
    assert torch.equal(found, expected)


def test_images_without_parts_have_no_ground_truth_for_them(source: Decoded) -> None:
    """No part of a person, and no file."""
    assert (source.batch(torch.tensor([1, 2])).targets["human_parts"] == 255).all()


def test_saliency_is_what_is_brighter_than_127(source: Decoded) -> None:
    saliency = source.batch(torch.arange(3)).targets["saliency"]
    assert saliency.flatten(1).float().mean(dim=1).tolist() == [0.0, 1.0, 1.0]


def test_normals_are_unit_vectors(source: Decoded) -> None:
    found = source.batch(torch.tensor([0])).targets["normals"][0]
    truth_CHW = torch.from_numpy(normals()).float().permute(2, 0, 1)
    torch.testing.assert_close(found, truth_CHW, rtol=0, atol=0.01)


def test_edges_are_the_boundaries_of_the_label_map_one_pixel_wide(source: Decoded) -> None:
    """The Laplacian marks columns 9 and 10; thinning may shorten the line's ends by a pixel."""
    edges = source.batch(torch.tensor([0])).targets["edges"][0]
    assert (edges[1:-1, 9:11].sum(dim=1) == 1).all()
    assert not edges[:, :9].any()
    assert not edges[:, 11:].any()


@pytest.mark.parametrize(
    "missing",
    [
        "JPEGImages/2008_000002.jpg",
        "semseg/pascal-context/2008_000002.png",
        "normals_distill/2008_000002.png",
        "sal_distill/2008_000002.png",
        "pascal-context/trainval/2008_000002.mat",
        "ImageSets/Context/train.txt",
    ],
)
def test_a_missing_file_is_named_at_once(tmp_path: Path, missing: str) -> None:
    write_pascal(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(ValueError, match="does not exist") as caught:
        load_pascal(tmp_path, "train", AS_STORED)
    assert str(tmp_path / missing) in str(caught.value)


def test_a_wrong_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist") as caught:
        load_pascal(tmp_path / "nowhere", "val", AS_STORED)
    assert str(tmp_path / "nowhere" / "ImageSets" / "Context" / "val.txt") in str(caught.value)


@pytest.mark.parametrize(
    "truncated",
    [
        "JPEGImages/2008_000001.jpg",
        "semseg/VOC12/2008_000001.png",
        "normals_distill/2008_000001.png",
        "human_parts/2008_000001.mat",
        "pascal-context/trainval/2008_000001.mat",
    ],
)
def test_a_truncated_file_is_named(tmp_path: Path, source: Decoded, truncated: str) -> None:
    path = tmp_path / truncated
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])
    with pytest.raises(ValueError, match="cannot be read") as caught:
        source.batch(torch.tensor([0]))
    assert str(path) in str(caught.value)


def test_other_annotations_are_refused(tmp_path: Path, source: Decoded) -> None:
    path = tmp_path / "human_parts" / "2008_000001.mat"
    savemat(path, {"other": 1})
    with pytest.raises(ValueError, match="lacks the variable 'anno'"):
        source.batch(torch.tensor([0]))
    savemat(path, {"anno": 1})
    with pytest.raises(ValueError, match="is no annotation of PASCAL-Part"):
        source.batch(torch.tensor([0]))
    someone = person()
    someone["parts"]["part_name"][0, 0] = "wing"  # type: ignore[index]
    write_parts(path, [someone])
    with pytest.raises(ValueError, match="'wing' is no part of a person"):
        source.batch(torch.tensor([0]))
