"""CelebA's attributes as two-way tasks."""

from pathlib import Path

import pytest
import torch

from tests.training.data.celeba_files import write_celeba
from training.data.celeba import load_celeba
from training.data.load import load
from training.published_recipes import celeba

NETWORK = celeba().network


@pytest.mark.parametrize(
    ("part", "gender", "age", "clothes"),
    [("train", [1, 0, 1], [0, 1, 0], [1, 0, 0]), ("val", [1], [1], [0]), ("test", [0], [0], [0])],
)
def test_each_attribute_is_a_label_of_every_image(
    tmp_path: Path, part: str, gender: list[int], age: list[int], clothes: list[int]
) -> None:
    write_celeba(tmp_path)
    source = load_celeba(tmp_path, part, NETWORK)
    batch = source.batch(torch.arange(len(source)))
    assert {name: t.tolist() for name, t in batch.targets.items()} == {
        "gender": gender,
        "age": age,
        "clothes": clothes,
    }
    assert batch.images_NCHW.shape == (len(gender), 3, 32, 32)


def test_images_are_those_of_the_list(tmp_path: Path) -> None:
    write_celeba(tmp_path)
    source = load_celeba(tmp_path, "train", NETWORK)
    grey = source.pixels(torch.tensor([2, 0, 1])).float().mean(dim=(1, 2, 3))
    assert grey.tolist() == pytest.approx([160, 0, 40], abs=2)


def test_the_recipe_tests_on_the_test_partition(tmp_path: Path) -> None:
    write_celeba(tmp_path)
    data = load(celeba(), tmp_path)
    assert (len(data.train) + len(data.validation), len(data.test)) == (3, 1)


def test_augmentation_keeps_the_labels(tmp_path: Path) -> None:
    write_celeba(tmp_path)
    source = load_celeba(tmp_path, "train", NETWORK)
    batch = source.batch(torch.arange(3))
    after = source.augment(batch, torch.Generator().manual_seed(0))
    assert all(torch.equal(after.targets[t], batch.targets[t]) for t in batch.targets)


@pytest.mark.parametrize(
    "missing",
    ["list_attr_celeba.txt", "list_eval_partition.txt", "img_align_celeba/000002.jpg"],
)
def test_a_missing_file_is_named_at_once(tmp_path: Path, missing: str) -> None:
    write_celeba(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(ValueError, match="does not exist") as caught:
        load_celeba(tmp_path, "train", NETWORK)
    assert str(tmp_path / missing) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("list_attr_celeba.txt", "5\n", "6\n", "6 images expected, found 5; is it truncated"),
        ("list_attr_celeba.txt", "5\n", "five\n", "the number of images expected first"),
        ("list_attr_celeba.txt", "Young", "Old", "lacks the attribute 'Young'"),
        ("list_attr_celeba.txt", "000002.jpg -1", "000002.jpg  2", "1 or -1 expected for 000002"),
        ("list_eval_partition.txt", "000002.jpg 0", "000002.jpg 3", "0, 1 or 2 expected"),
        ("list_eval_partition.txt", "000002.jpg", "9.jpg", "names 9.jpg, which"),
    ],
)
def test_other_lists_are_refused(
    tmp_path: Path, name: str, old: str, new: str, message: str
) -> None:
    write_celeba(tmp_path)
    path = tmp_path / name
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=message) as caught:
        load_celeba(tmp_path, "train", NETWORK)
    assert str(path) in str(caught.value)


def test_truncated_images_are_named(tmp_path: Path) -> None:
    write_celeba(tmp_path)
    path = tmp_path / "img_align_celeba" / "000001.jpg"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"000001\.jpg cannot be read"):
        load_celeba(tmp_path, "train", NETWORK).batch(torch.tensor([0]))
