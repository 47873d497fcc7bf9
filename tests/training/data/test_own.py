"""Data of a user's own, of which some targets are missing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from tests.training.data.own_files import COUNT, write_own
from training.data.load import load
from training.data.own import load_own
from training.own import own


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_own(tmp_path)
    return tmp_path


def test_every_kind_of_target_is_decoded(folder: Path) -> None:
    """In name order without every tenth: 001, 002, 003 come first."""
    targets = load_own(folder, "train", own(folder).network).batch(torch.arange(3)).targets
    floor = targets["floor"]
    assert floor.shape == (3, 32, 64)
    assert (floor[0, :1] == 255).all()
    assert [set(f[2:].unique().tolist()) for f in floor] == [{1}, {0}, {255}]
    assert targets["light"].tolist() == [1, 0, 255]
    assert [round(float(d.max()), 4) for d in targets["depth"]] == [0.0, 1.002, 1.003]
    lengths = targets["normals"].norm(dim=1).amax(dim=(1, 2))
    torch.testing.assert_close(lengths, torch.tensor([0.0, 1.0, 1.0]))
    for task in ("edges", "objects"):
        kinds = [set(t.unique().tolist()) for t in targets[task]]
        assert kinds == [{0, 1}, {255}, {0, 1}]


def test_photographs_are_upright(folder: Path) -> None:
    """Stored on its side: EXIF orientation 6 says to turn it clockwise to see it."""
    sideways = np.zeros((30, 20, 3), np.uint8)
    sideways[:, :10] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(sideways).save(folder / "images" / "001.png", exif=exif)
    pixels = load_own(folder, "train", own(folder).network).pixels(torch.tensor([0]))[0]
    assert (pixels[:14] == 255).all()
    assert (pixels[18:] == 0).all()


def test_every_tenth_image_is_for_testing(folder: Path) -> None:
    data = load(own(folder), folder)
    assert (len(data.train) + len(data.validation), len(data.test)) == (COUNT - 2, 2)


def test_a_list_says_which_images_are_for_testing(folder: Path) -> None:
    (folder / "test.txt").write_text("003\n004.jpg\n005.png\n")
    network = own(folder).network
    assert len(load_own(folder, "train", network)) == COUNT - 3
    images = [load_own(folder, "test", network).layout.image(i).name for i in range(3)]
    assert images == ["003.png", "004.jpg", "005.png"]


def test_a_listed_name_may_hold_dots(folder: Path) -> None:
    for stem in ("2026.05.01", "2026.05"):
        Image.new("RGB", (64, 32)).save(folder / "images" / f"{stem}.png")
    for listed in ("2026.05.01", "2026.05.01.png"):
        (folder / "test.txt").write_text(listed)
        test = load_own(folder, "test", own(folder).network)
        assert [test.layout.image(i).name for i in range(len(test))] == ["2026.05.01.png"]


def test_its_images_are_known_by_their_names(folder: Path) -> None:
    """Wherever their folder lies. One that sorts first moves every tenth image."""
    recipe = own(folder)
    trained = load(recipe, folder).train.identity()
    moved = folder.rename(folder.with_name("moved"))
    assert load(recipe, moved).train.identity() == trained
    Image.new("RGB", (64, 32)).save(moved / "images" / "000-new.png")
    assert load(recipe, moved).train.identity() != trained


@pytest.mark.parametrize(
    ("name", "values"),
    [("002.npy", np.full((4, 4), 3, np.int64)), ("002.png", np.full((4, 4), 200, np.uint8))],
)
def test_depth_of_unknown_unit_is_refused(
    folder: Path, name: str, values: NDArray[np.integer]
) -> None:
    path = folder / "depth" / name
    path.with_suffix(".npy").unlink()
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        Image.fromarray(values).save(path)
    source = load_own(folder, "train", own(folder).network)
    message = rf"{name} holds {values.dtype}; depth is floats in metres in \.npy"
    with pytest.raises(ValueError, match=message):
        source.batch(torch.tensor([1]))


def test_augmented_batches_have_the_shapes_of_plain_ones(folder: Path) -> None:
    source = load_own(folder, "train", own(folder).network)
    batch = source.batch(torch.arange(6))
    first = source.augment(batch, torch.Generator().manual_seed(1))
    again = source.augment(batch, torch.Generator().manual_seed(1))
    for name, target in batch.targets.items():
        assert first.targets[name].shape == target.shape
        assert first.targets[name].dtype == target.dtype
        assert torch.equal(first.targets[name], again.targets[name])
    assert 0.0 <= first.images_NCHW.min() <= first.images_NCHW.max() <= 1.0
    assert not torch.equal(first.images_NCHW, batch.images_NCHW)


@pytest.mark.parametrize(
    ("missing", "message"), [("images", "is no folder"), ("depth", "is no folder")]
)
def test_a_missing_folder_is_named(folder: Path, missing: str, message: str) -> None:
    network = own(folder).network
    (folder / missing).rename(folder / "elsewhere")
    with pytest.raises(ValueError, match=message) as caught:
        load_own(folder, "train", network)
    assert str(folder / missing) in str(caught.value)


def test_a_target_that_belongs_to_no_image_is_named(folder: Path) -> None:
    (folder / "light" / "0007.txt").write_text("day")
    with pytest.raises(ValueError, match=r"0007\.txt belongs to no image"):
        load_own(folder, "train", own(folder).network)
    (folder / "light" / "0007.txt").rename(folder / "light" / "007.csv")
    with pytest.raises(ValueError, match=r"007\.csv: classification is read from \.txt"):
        load_own(folder, "train", own(folder).network)


def test_a_listed_image_that_is_none_is_named(folder: Path) -> None:
    (folder / "test.txt").write_text("900\n")
    with pytest.raises(ValueError, match=r"test\.txt names 900, which is no image"):
        load_own(folder, "train", own(folder).network)


def test_files_that_are_no_images_are_passed_over(folder: Path) -> None:
    (folder / "images" / "001.xml").write_text("an annotation of it")
    assert len(load_own(folder, "train", own(folder).network)) == COUNT - 2


def test_two_images_of_one_name_are_refused(folder: Path) -> None:
    Image.new("RGB", (64, 32)).save(folder / "images" / "001.jpg")
    with pytest.raises(ValueError, match=r"001\.jpg and .*001\.png have one name"):
        load_own(folder, "train", own(folder).network)


def test_maps_are_white_where_they_are_positive(folder: Path) -> None:
    source = load_own(folder, "train", own(folder).network)
    half_HW = np.zeros((32, 64), bool)
    half_HW[:, 32:] = True
    path = folder / "edges" / "001.png"
    for values in (half_HW, half_HW.astype(np.uint8) * 255, half_HW.astype(np.uint8) * 128):
        Image.fromarray(values).save(path)
        edges = source.batch(torch.tensor([0])).targets["edges"][0]
        np.testing.assert_array_equal(edges.numpy(), half_HW)
    Image.fromarray(half_HW.astype(np.uint8)).save(path)
    with pytest.raises(ValueError, match=r"001\.png holds 0 and 1; positive pixels are white"):
        source.batch(torch.tensor([0]))


def test_unknown_classes_are_refused(folder: Path) -> None:
    source = load_own(folder, "train", own(folder).network)
    (folder / "light" / "001.txt").write_text("night")
    with pytest.raises(ValueError, match=r"001\.txt: one of day, electric light expected"):
        source.batch(torch.tensor([0]))
    (folder / "light" / "001.txt").write_text("day")
    Image.fromarray(np.full((4, 4), 2, np.uint8)).save(folder / "floor" / "001.png")
    with pytest.raises(ValueError, match=r"001\.png: the classes 0 to 1 and 255 expected, found 2"):
        source.batch(torch.tensor([0]))
