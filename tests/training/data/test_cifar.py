"""The CIFAR-100 layout: what is read, what is refused, and how images are augmented."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.data.cifar_files import FINE, MEMBERS, colour, split, write_cifar
from training.data.cifar import CUTOUT, load_cifar100, slug
from training.data.source import Batch

GREY = 0.5


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.target}",)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cifar")
    write_cifar(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that a test may spoil."""
    write_cifar(tmp_path, count=4)
    return tmp_path


def rewrite(folder: Path, part: str, **changed: object) -> None:
    content = pickle.loads((folder / part).read_bytes(), encoding="bytes")
    content.update({key.encode(): value for key, value in changed.items()})
    (folder / part).write_bytes(pickle.dumps(content, 2))


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_images_are_what_was_written(tmp_path: Path, protocol: int) -> None:
    write_cifar(tmp_path, count=3, protocol=protocol)
    for part in ("train", "test"):
        loaded = load_cifar100(tmp_path, part)
        pixels_NHWC = loaded.pixels(torch.arange(3))
        assert (len(loaded), pixels_NHWC.shape) == (3, (3, 32, 32, 3))
        assert pixels_NHWC.dtype == torch.uint8
        for image, row, column in ((0, 0, 0), (1, 5, 30), (2, 31, 17)):
            expected = colour(image, row, column)
            assert tuple(pixels_NHWC[image, row, column].tolist()) == expected
            batch = loaded.batch(torch.tensor([image])).images_NCHW
            assert batch[0, :, row, column].tolist() == pytest.approx([c / 255 for c in expected])


def test_every_image_belongs_to_the_task_of_its_coarse_label(whole: Path) -> None:
    loaded = load_cifar100(whole, "train")
    assert loaded.names == ("water-animals", "flowers")
    assert loaded.labels == (("crab", "eel", "goldfish"), ("daisy", "fern"))
    written = split(20)
    fine, coarse = written[b"fine_labels"], written[b"coarse_labels"]
    assert isinstance(fine, list)
    assert isinstance(coarse, list)
    targets = loaded.batch(torch.arange(20)).targets
    for i in range(20):
        mine, other = loaded.names[coarse[i]], loaded.names[1 - coarse[i]]
        assert loaded.labels[coarse[i]][targets[mine][i]] == FINE[fine[i]]
        assert targets[other][i] == 255
    assert {int(label) for label in targets["flowers"]} == {0, 1, 255}


def test_a_class_has_one_number_in_both_splits(folder: Path) -> None:
    """That of the training images, also where no test image is a crab."""
    written = split(4)
    eel, goldfish, fern = (FINE.index(name) for name in ("eel", "goldfish", "fern"))
    rewrite(folder, "train", fine_labels=[0, eel, goldfish, fern], coarse_labels=[0, 0, 0, 1])
    rewrite(folder, "test", fine_labels=[eel, goldfish, eel, fern], coarse_labels=[0, 0, 0, 1])
    train, test = load_cifar100(folder, "train"), load_cifar100(folder, "test")
    assert train.labels == test.labels == (("crab", "eel", "goldfish"), ("fern",))
    assert (train.label_N.tolist(), test.label_N.tolist()) == ([0, 1, 2, 0], [1, 2, 1, 0])
    rewrite(folder, "test", fine_labels=written[b"fine_labels"], coarse_labels=[0, 1, 0, 1])
    with pytest.raises(ValueError, match="test: an image is of the class 'daisy' of 'flowers'"):
        load_cifar100(folder, "test")


def test_batches_are_the_images_at_the_indices(whole: Path) -> None:
    loaded = load_cifar100(whole, "train")
    every = loaded.batch(torch.arange(20))
    some = loaded.batch(torch.tensor([7, 2]))
    assert torch.equal(some.images_NCHW, every.images_NCHW[[7, 2]])
    assert torch.equal(some.targets["flowers"], every.targets["flowers"][[7, 2]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Large man-made_outdoor things", "large-man-made_outdoor-things"),
        ("faces-airplanes", "faces-airplanes"),
        (" trees! ", "trees"),
    ],
)
def test_names_become_task_names(name: str, expected: str) -> None:
    assert slug(name) == expected


@pytest.mark.parametrize("missing", ["meta", "train"])
def test_a_missing_file_is_named(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(
        ValueError, match="does not exist; a folder in the layout of CIFAR-100"
    ) as e:
        load_cifar100(folder, "train")
    assert str(folder / missing) in str(e.value)


def test_a_wrong_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist") as caught:
        load_cifar100(tmp_path / "nowhere", "train")
    assert str(tmp_path / "nowhere" / "meta") in str(caught.value)


@pytest.mark.parametrize("part", ["meta", "train"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_truncated_file_is_named(folder: Path, part: str, share: float) -> None:
    content = (folder / part).read_bytes()
    (folder / part).write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="cannot be read") as caught:
        load_cifar100(folder, "train")
    assert str(folder / part) in str(caught.value)


def test_a_file_that_is_no_pickle_is_named(folder: Path) -> None:
    (folder / "train").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(ValueError, match="cannot be read"):
        load_cifar100(folder, "train")


@pytest.mark.parametrize("part", ["meta", "train"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_runs_code_is_refused(folder: Path, part: str, protocol: int) -> None:
    target = folder / "touched"
    content = {b"data": Malicious(target)}
    (folder / part).write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(ValueError, match=r"system, which is not part of the CIFAR-100") as caught:
        load_cifar100(folder, "train")
    assert str(folder / part) in str(caught.value)
    assert not target.exists()


@pytest.mark.parametrize(
    "forbidden",
    [b"cnumpy.f2py\nmain\n.", b"cbuiltins\neval\n.", b"cnumpy\nload\n.", b"cnumpyx\nndarray\n."],
)
def test_other_names_are_refused_even_of_numpy(folder: Path, forbidden: bytes) -> None:
    (folder / "train").write_bytes(forbidden)
    with pytest.raises(ValueError, match="not part of the CIFAR-100 layout"):
        load_cifar100(folder, "train")


@pytest.mark.parametrize("content", [[1, 2], {b"data": b""}, {"data": 1, "fine_labels": 2}])
def test_other_content_is_refused(folder: Path, content: object) -> None:
    (folder / "train").write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=r"lacks \['data', 'fine_labels', 'coarse_labels'\]"):
        load_cifar100(folder, "train")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"data": np.zeros((4, 3072), np.float32)}, r"uint8 data of shape \[N, 3072\]"),
        ({"data": np.zeros((4, 3, 32, 32), np.uint8)}, r"found uint8 \[4, 3, 32, 32\]"),
        ({"data": np.zeros((3, 3072), np.uint8)}, "3 images, 4 fine and 4 coarse"),
        ({"fine_labels": [0]}, "4 images, 1 fine"),
        ({"fine_labels": [0, 1, 2, 5]}, "fine labels lie outside the names"),
        ({"fine_labels": [0, 1, 2, -1]}, "fine labels lie outside the names"),
        ({"coarse_labels": [0, 1, 2, 0]}, "coarse labels lie outside the names"),
        ({"fine_labels": [[0], [1, 2], [3], [4]]}, "labels"),
        ({"fine_labels": "abcd"}, "labels"),
        ({"fine_labels": [[0], [1], [2], [3]]}, "labels"),
        ({"fine_labels": [0.5, 1.0, 2.0, 3.0]}, "labels"),
    ],
)
def test_a_split_that_is_not_in_the_layout_is_named(
    folder: Path, changed: dict[str, object], message: str
) -> None:
    rewrite(folder, "train", **changed)
    with pytest.raises(ValueError, match=message) as caught:
        load_cifar100(folder, "train")
    assert str(folder / "train") in str(caught.value)


def test_label_names_that_are_not_bytes_are_refused(folder: Path) -> None:
    rewrite(folder, "meta", fine_label_names=[1, 2, 3, 4, 5])
    with pytest.raises(ValueError, match="names") as caught:
        load_cifar100(folder, "train")
    assert str(folder / "meta") in str(caught.value)


def test_a_class_of_no_image_leaves_no_hole_in_the_labels(tmp_path: Path) -> None:
    write_cifar(tmp_path, members={0: (4, 2), 1: MEMBERS[1]})
    assert load_cifar100(tmp_path, "train").labels[0] == ("eel", "goldfish")


def gradient_batch(count: int) -> Batch:
    """Images whose red rises by 1/255 a column and whose green by 1/255 a row."""
    ramp = 0.4 + torch.arange(32) / 255
    red, green = ramp.expand(32, 32), ramp[:, None].expand(32, 32)
    image_CHW = torch.stack([red, green, torch.full((32, 32), 0.6)])
    return Batch(image_CHW.expand(count, 3, 32, 32).clone(), {"flowers": torch.arange(count)})


def test_augmentation_keeps_shapes_range_and_targets(whole: Path) -> None:
    source, batch = load_cifar100(whole, "train"), gradient_batch(64)
    before = batch.images_NCHW.clone()
    found = source.augment(batch, torch.Generator().manual_seed(0))
    assert found.images_NCHW.shape == (64, 3, 32, 32)
    assert found.images_NCHW.dtype == torch.float32
    assert found.images_NCHW.min() >= 0.0
    assert found.images_NCHW.max() <= 1.0
    assert torch.equal(found.targets["flowers"], torch.arange(64))
    assert torch.equal(batch.images_NCHW, before), "the batch itself is not touched"


def test_augmentation_follows_its_generator(whole: Path) -> None:
    source, batch = load_cifar100(whole, "train"), gradient_batch(16)
    first, again, other = (
        source.augment(batch, torch.Generator().manual_seed(s)).images_NCHW for s in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_augmentation_is_a_small_motion_and_a_change_of_colours(whole: Path) -> None:
    """The ramps tell for every image how it was moved; a contrast scales both alike."""
    source = load_cifar100(whole, "train")
    found = source.augment(gradient_batch(300), torch.Generator().manual_seed(0)).images_NCHW
    middle = found[:, :2, 10:22, 10:22] * 255
    # The median is that of the image, whether or not the hole lies in the middle.
    across_N2 = middle.diff(dim=3).flatten(2).median(dim=2).values
    down_N2 = middle.diff(dim=2).flatten(2).median(dim=2).values
    flipped_N = across_N2[:, 0] < 0
    assert 0.4 < flipped_N.float().mean() < 0.6
    angle_N = torch.atan2(-down_N2[:, 0], down_N2[:, 1]).rad2deg()
    assert 9 < angle_N.abs().max() < 12 * 1.25, "12 degrees, sheared by the aspect"
    area_N = (across_N2[:, 0] * down_N2[:, 1] - across_N2[:, 1] * down_N2[:, 0]).abs()
    assert area_N.min() > (0.7 * 0.83) ** 2
    assert area_N.max() < (1.3 * 1.2) ** 2
    assert area_N.max() / area_N.min() > 2
    colour_NC = found.flatten(2).median(dim=2).values
    assert colour_NC.std(dim=0).min() > 0.05


def test_augmentation_greys_a_square_out(whole: Path) -> None:
    source = load_cifar100(whole, "train")
    found = source.augment(gradient_batch(200), torch.Generator().manual_seed(0)).images_NCHW
    for hole_HW in (found == GREY).all(dim=1):
        assert hole_HW.sum() == CUTOUT**2
        assert (hole_HW.any(dim=1).sum(), hole_HW.any(dim=0).sum()) == (CUTOUT, CUTOUT)
