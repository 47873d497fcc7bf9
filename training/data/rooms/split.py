"""Sets of rooms: seeds that never overlap, rendering in parallel, and a cache on disk."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.lib.format import open_memmap, write_array_header_1_0
from numpy.typing import NDArray

from training.data.rooms.render import VERSION, check_size, render

SplitName: TypeAlias = Literal["train", "test"]
Progress: TypeAlias = Callable[[int, int], None]

_KEYS: dict[str, int] = {"train": 0, "test": 1}

NORMAL_SCALE = np.float32(127)
"""What unit normals are multiplied by in a split, to fit eight bits."""

_Layout: TypeAlias = dict[str, tuple[tuple[int, ...], np.dtype[Any]]]
_Scene: TypeAlias = tuple[NDArray[Any], ...]
_Arrays: TypeAlias = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Split:
    """N scenes, stacked and compact; the arrays may be read-only views of files.

    Attributes:
        image_NHWC: RGB, uint8.
        semseg_NHW: class index, uint8, 255 for none.
        depth_NHW: metres along the camera axis, float16: within 0.05 % of the rendered depth.
        normals_NHWC: unit normals in camera coordinates times 127, int8: within 0.4 degrees
            of the rendered normal once scaled back to unit length.
        edges_NHW: 0 or 1, uint8.
        saliency_NHW: 0 or 1, uint8.
        origin: what was rendered: version, size, split, count and seed.
    """

    image_NHWC: NDArray[np.uint8]
    semseg_NHW: NDArray[np.uint8]
    depth_NHW: NDArray[np.float16]
    normals_NHWC: NDArray[np.int8]
    edges_NHW: NDArray[np.uint8]
    saliency_NHW: NDArray[np.uint8]
    origin: str

    def __len__(self) -> int:
        """Number of scenes."""
        return len(self.image_NHWC)


def scene_seed(name: SplitName, seed: int, index: int) -> int:
    """Seed of the ``index``-th scene of a split; depends on nothing else.

    Raises:
        ValueError: if the name is unknown or a number negative.
    """
    if name not in _KEYS:
        raise ValueError(f"unknown split {name!r}: choose one of {', '.join(_KEYS)}")
    if seed < 0 or index < 0:
        raise ValueError(f"seed {seed} and index {index} must both be 0 or more")
    words = np.random.SeedSequence(seed, spawn_key=(_KEYS[name], index)).generate_state(2)
    return int(words[0]) << 32 | int(words[1])


def load_split(
    name: SplitName,
    count: int,
    seed: int,
    cache: Path | None,
    workers: int,
    progress: Progress | None,
    *,
    height: int = 128,
    width: int = 128,
) -> Split:
    """Load a split from the cache, or render it and fill the cache.

    Args:
        name: "train" or "test"; the two never share a scene.
        count: number of scenes; scene i is the same for every count.
        seed: chooses the scenes, 0 or more.
        cache: folder that holds one folder per cached split, or None to render in memory.
        workers: processes to render in; 1 renders in this process.
        progress: called with the number of scenes rendered and the total; not called where
            the split comes from the cache.
        height: image height in pixels, at least 16.
        width: image width in pixels, at least 16.

    Returns:
        The scenes; memory-mapped read-only where there is a cache.

    Raises:
        ValueError: if the name is unknown or a number out of range.
        OSError: if the cache cannot be written.
    """
    if count < 1:
        raise ValueError(f"count {count} is too small: a split needs at least 1 scene")
    if workers < 1:
        raise ValueError(f"workers {workers} is too small: it takes at least 1 process")
    check_size(height, width)
    seeds = [scene_seed(name, seed, index) for index in range(count)]
    layout = _layout(count, height, width)
    scenes = partial(_scenes, seeds, workers, progress, height, width)
    origin = f"rooms version {VERSION}, {height} x {width}, {name}, {count}, {seed}"
    if cache is None:
        return Split(**_stacked(scenes(), layout), origin=origin)
    digest = hashlib.sha256(origin.encode()).hexdigest()[:16]
    folder = cache / f"rooms-{name}-{count}-{digest}"
    arrays = _read(folder, layout)
    if arrays is None:
        _write(folder, layout, scenes())
        arrays = _read(folder, layout)
    if arrays is None:
        raise OSError(f"the cache {folder} cannot be read back: was it changed meanwhile?")
    return Split(**arrays, origin=origin)


def _layout(count: int, height: int, width: int) -> _Layout:
    """Shape and type of every array of a split, in the order of its fields."""
    plane, colour = (count, height, width), (count, height, width, 3)
    return {
        "image_NHWC": (colour, np.dtype(np.uint8)),
        "semseg_NHW": (plane, np.dtype(np.uint8)),
        "depth_NHW": (plane, np.dtype(np.float16)),
        "normals_NHWC": (colour, np.dtype(np.int8)),
        "edges_NHW": (plane, np.dtype(np.uint8)),
        "saliency_NHW": (plane, np.dtype(np.uint8)),
    }


def _compact(seed: int, height: int, width: int) -> _Scene:
    """Render one scene in the types and the order of a split's fields."""
    sample = render(seed, height, width)
    return (
        sample.image_HWC,
        sample.semseg_HW,
        sample.depth_HW.astype(np.float16),
        np.rint(sample.normals_HWC * NORMAL_SCALE).astype(np.int8),
        sample.edges_HW,
        sample.saliency_HW,
    )


def _scenes(
    seeds: list[int], workers: int, progress: Progress | None, height: int, width: int
) -> Iterator[_Scene]:
    """Render scenes in order, reporting each as it arrives."""
    job = partial(_compact, height=height, width=width)
    with ExitStack() as stack:
        results: Iterator[_Scene] = map(job, seeds)
        if workers > 1:
            # Spawned, not forked: the caller may already run threads of its own.
            pool = stack.enter_context(ProcessPoolExecutor(workers, get_context("spawn")))
            results = pool.map(job, seeds, chunksize=8)
        for done, scene in enumerate(results, 1):
            yield scene
            if progress is not None:
                progress(done, len(seeds))


def _stacked(scenes: Iterator[_Scene], layout: _Layout) -> _Arrays:
    """Gather scenes in memory."""
    arrays: _Arrays = {name: np.empty(shape, dtype) for name, (shape, dtype) in layout.items()}
    for index, scene in enumerate(scenes):
        for array, plane in zip(arrays.values(), scene, strict=True):
            array[index] = plane
    return arrays


def _read(folder: Path, layout: _Layout) -> _Arrays | None:
    """Map a cached split, or None where it is missing, truncated or not what it should be."""
    arrays: _Arrays = {}
    for name, (shape, dtype) in layout.items():
        try:
            array = open_memmap(folder / f"{name}.npy", mode="r")
        except (OSError, ValueError):
            return None
        if array.shape != shape or array.dtype != dtype or np.isfortran(array):
            return None
        arrays[name] = array
    return arrays


def _write(folder: Path, layout: _Layout, scenes: Iterator[_Scene]) -> None:
    """Write a cached split beside its place and move it there once it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{folder.name}-", dir=folder.parent, ignore_cleanup_errors=True
    ) as temporary:
        whole = Path(temporary) / "split"
        whole.mkdir()
        # Streams rather than memory maps, so that a full disk is an error and not a crash.
        with ExitStack() as stack:
            files = []
            for name, (shape, dtype) in layout.items():
                file = stack.enter_context((whole / f"{name}.npy").open("wb"))
                header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
                write_array_header_1_0(file, header)
                files.append(file)
            for scene in scenes:
                for file, plane in zip(files, scene, strict=True):
                    file.write(plane.tobytes())
        if _read(folder, layout) is None:  # else another process was quicker
            shutil.rmtree(folder, ignore_errors=True)
            whole.rename(folder)
