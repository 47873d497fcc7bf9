"""Choosing the loader of a recipe, and what a wrong folder is answered with."""

from pathlib import Path

import pytest

from training.configs import recipes
from training.data.load import load


@pytest.mark.parametrize(
    ("recipe", "mark"),
    [
        ("nyud", "gt_sets"),
        ("pascal", "JPEGImages"),
        ("celeba", "list_attr_celeba.txt"),
        ("cifar100", "meta"),
        ("caltech100", "meta"),
    ],
)
def test_a_wrong_folder_is_answered_with_what_the_right_one_holds(
    recipe: str, mark: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"--data names the folder of {mark}") as caught:
        load(recipes()[recipe](), tmp_path)
    assert str(tmp_path / mark) in str(caught.value)
