"""Splits: who renders them, where they are kept and what they share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.data.rooms import NORMAL_SCALE, Split, load_split, render, scene_seed
from training.data.rooms.split import Progress, SplitName


def split(
    name: SplitName = "train",
    count: int = 3,
    seed: int = 7,
    cache: Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    size: int = 32,
) -> Split:
    return load_split(name, count, seed, cache, workers, progress, height=size, width=size)


def assert_same(first: Split, second: Split) -> None:
    for (name, a), b in zip(vars(first).items(), vars(second).values(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


def never(done: int, total: int) -> None:
    raise AssertionError(f"scene {done} of {total} was rendered though it was cached")


def folder_of(cache: Path) -> Path:
    (folder,) = cache.iterdir()
    return folder


def test_a_split_holds_the_rendered_scenes() -> None:
    loaded = split()
    assert len(loaded) == 3
    for index in range(3):
        sample = render(scene_seed("train", 7, index), 32, 32)
        np.testing.assert_array_equal(loaded.image_NHWC[index], sample.image_HWC)
        np.testing.assert_array_equal(loaded.semseg_NHW[index], sample.semseg_HW)
        np.testing.assert_array_equal(loaded.edges_NHW[index], sample.edges_HW)
        np.testing.assert_array_equal(loaded.saliency_NHW[index], sample.saliency_HW)
        np.testing.assert_allclose(loaded.depth_NHW[index], sample.depth_HW, rtol=5e-4)
        normals = loaded.normals_NHWC[index] / NORMAL_SCALE
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        cosine = np.sum(normals * sample.normals_HWC, axis=-1)
        assert np.rad2deg(np.arccos(np.clip(cosine.min(), -1, 1))) < 0.4


def test_a_scene_does_not_depend_on_the_size_of_its_split() -> None:
    np.testing.assert_array_equal(split(count=1).image_NHWC[0], split(count=3).image_NHWC[0])


def test_train_and_test_share_no_scene() -> None:
    train = {scene_seed("train", 7, index) for index in range(3000)}
    test = {scene_seed("test", 7, index) for index in range(3000)}
    assert len(train) == len(test) == 3000
    assert not train & test


def test_the_seed_chooses_the_scenes() -> None:
    assert not np.array_equal(split(seed=7).image_NHWC, split(seed=8).image_NHWC)


def test_two_workers_render_what_one_renders() -> None:
    assert_same(split(workers=2), split(workers=1))


def test_progress_counts_the_scenes() -> None:
    seen: list[tuple[int, int]] = []
    split(progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_the_cache_gives_back_what_was_rendered_without_rendering(tmp_path: Path) -> None:
    rendered = split(cache=tmp_path / "not" / "yet" / "there")
    cached = split(cache=tmp_path / "not" / "yet" / "there", progress=never)
    assert_same(cached, rendered)
    assert_same(cached, split())
    assert isinstance(cached.image_NHWC, np.memmap)


def test_nothing_but_the_split_is_left_in_the_cache(tmp_path: Path) -> None:
    split(cache=tmp_path)
    assert sorted(p.name for p in folder_of(tmp_path).iterdir()) == [
        "depth_NHW.npy",
        "edges_NHW.npy",
        "image_NHWC.npy",
        "normals_NHWC.npy",
        "saliency_NHW.npy",
        "semseg_NHW.npy",
    ]


def test_every_size_split_count_and_seed_has_a_cache_of_its_own(tmp_path: Path) -> None:
    split(cache=tmp_path, count=1)
    split(cache=tmp_path, count=2)
    split(cache=tmp_path, count=1, seed=8)
    split(cache=tmp_path, count=1, size=16)
    split("test", cache=tmp_path, count=1)
    assert len(list(tmp_path.iterdir())) == 5


def test_another_version_of_the_renderer_has_a_cache_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split(cache=tmp_path, count=1)
    monkeypatch.setattr("training.data.rooms.split.VERSION", 999)
    split(cache=tmp_path, count=1)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("kept", [0, 60, 1000])
def test_a_truncated_cache_is_rendered_again(tmp_path: Path, kept: int) -> None:
    split(cache=tmp_path)
    file = folder_of(tmp_path) / "depth_NHW.npy"
    file.write_bytes(file.read_bytes()[:kept])
    assert_same(split(cache=tmp_path), split())
    split(cache=tmp_path, progress=never)


def test_a_cache_with_a_file_missing_is_rendered_again(tmp_path: Path) -> None:
    split(cache=tmp_path)
    (folder_of(tmp_path) / "edges_NHW.npy").unlink()
    assert_same(split(cache=tmp_path), split())


@pytest.mark.parametrize(
    "foreign",
    [
        np.zeros((3, 32, 32), np.float32),
        np.zeros((2, 32, 32), np.float16),
        np.zeros((32, 32, 3), np.float16).T,
    ],
    ids=["other type", "other count", "other order"],
)
def test_a_foreign_array_in_the_cache_is_rendered_again(
    tmp_path: Path, foreign: np.ndarray[tuple[int, ...], np.dtype[np.floating]]
) -> None:
    split(cache=tmp_path)
    np.save(folder_of(tmp_path) / "depth_NHW.npy", foreign)
    assert_same(split(cache=tmp_path), split())


def test_a_failed_rendering_leaves_no_cache_behind(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt(f"after {done} of {total}")

    with pytest.raises(KeyboardInterrupt):
        split(cache=tmp_path, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 scene"):
        split(count=0)
    with pytest.raises(ValueError, match="at least 1 process"):
        split(workers=0)
    with pytest.raises(ValueError, match="at least 16 pixels"):
        split(size=8)
    with pytest.raises(ValueError, match="0 or more"):
        split(seed=-1)
    with pytest.raises(ValueError, match="train, test"):
        split("validation")  # type: ignore[arg-type]
