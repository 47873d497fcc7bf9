"""Writes small folders in the layouts of NYUD_MT and PASCAL_MT, from their public descriptions.

Nothing here is shared with the loaders. Files are not square, and every pixel's value follows from
its row and column, so that a loader that mixes them up is found out.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat  # type: ignore[import-untyped]

HEIGHT, WIDTH = 24, 32


def grid() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return rows, columns


def colours(index: int) -> NDArray[np.uint8]:
    """A picture that survives JPEG: it is smooth."""
    rows, columns = grid()
    return np.stack([rows * 8, columns * 6, rows + columns + 10 * index], axis=2).astype(np.uint8)


def nyud_semseg() -> NDArray[np.uint8]:
    """Raw labels: 0 in the first row, then 1 to 40 by column."""
    rows, columns = grid()
    return np.where(rows == 0, 0, columns % 40 + 1).astype(np.uint8)


def depth() -> NDArray[np.float32]:
    """Metres; the last column has none."""
    rows, columns = grid()
    metres = 1 + rows / 10 + columns / 100
    metres[:, -1] = 0
    return metres.astype(np.float32)


def normals() -> NDArray[np.float64]:
    """Unit vectors that tilt with the column, absent in the first two columns."""
    angle = np.linspace(-1, 1, WIDTH)
    row = np.stack([np.sin(angle), np.zeros(WIDTH), -np.cos(angle)], axis=1)
    row[:2] = 0
    return np.broadcast_to(row, (HEIGHT, WIDTH, 3)).copy()


def coded(vectors: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Unit vectors as a picture: x = -1 is 0, x = 1 is 255."""
    return np.round((vectors + 1) / 2 * 255).astype(np.uint8)


def edge() -> NDArray[np.float32]:
    """A line down column 5."""
    lines = np.zeros((HEIGHT, WIDTH), np.float32)
    lines[:, 5] = 1
    return lines


def save(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jpg":
        Image.fromarray(pixels).save(path, quality=95)
    else:
        Image.fromarray(pixels).save(path)


def dump(path: Path, array: NDArray[np.float32] | NDArray[np.float64]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def listed(path: Path, stems: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{stem}\n" for stem in stems))


def write_nyud(folder: Path, repacked: bool, stems: Sequence[str] = ("0001", "0002")) -> None:
    """One of both layouts; the same stems in both splits."""
    for index, stem in enumerate(stems):
        save(folder / "images" / f"{stem}.{'png' if repacked else 'jpg'}", colours(index))
        save(folder / "segmentation" / f"{stem}.png", nyud_semseg())
        dump(folder / "depth" / f"{stem}.npy", depth())
        if repacked:
            save(folder / "normals" / f"{stem}.png", coded(normals()))
            save(folder / "edge" / f"{stem}.png", (255 * edge()).astype(np.uint8))
        else:
            dump(folder / "normals" / f"{stem}.npy", normals().astype(np.float32))
            dump(folder / "edge" / f"{stem}.npy", edge())
    for part in ("train", "val"):
        listed(folder / "gt_sets" / f"{part}.txt", stems)


def voc_semseg() -> NDArray[np.uint8]:
    """Classes by column, and a border of 255."""
    rows, columns = grid()
    return np.where(rows == 0, 255, columns % 21).astype(np.uint8)


def label_map() -> NDArray[np.uint16]:
    """Two regions: 400 up to column 9, 7 from column 10."""
    _, columns = grid()
    return np.where(columns < 10, 400, 7).astype(np.uint16)


def mask(top: int, left: int) -> NDArray[np.uint8]:
    """A square of 4 pixels a side."""
    found = np.zeros((HEIGHT, WIDTH), np.uint8)
    found[top : top + 4, left : left + 4] = 1
    return found


def structs(rows: Sequence[dict[str, object]]) -> NDArray[np.void]:
    """A MATLAB struct array, 1 by the number of rows."""
    fields = list(rows[0]) if rows else ["part_name", "mask"]
    array = np.empty((1, len(rows)), dtype=[(name, object) for name in fields])
    for i, row in enumerate(rows):
        for name in fields:
            array[name][0, i] = row[name]
    return array


def person() -> dict[str, object]:
    """Parts of every group: two heads, a torso, an arm and a leg in two parts each."""
    names = ("head", "hair", "torso", "luarm", "rhand", "luleg", "lfoot")
    parts: list[dict[str, object]] = [
        {"part_name": name, "mask": mask(4, 4 * i)} for i, name in enumerate(names)
    ]
    whole = {"class": "person", "class_ind": 15.0, "mask": mask(0, 0)}
    return {**whole, "parts": structs(parts)}


def horse() -> dict[str, object]:
    parts = structs([{"part_name": "head", "mask": mask(12, 0)}])
    return {"class": "horse", "class_ind": 13.0, "mask": mask(12, 0), "parts": parts}


def distant() -> dict[str, object]:
    """A person too small to have parts."""
    return {"class": "person", "class_ind": 15.0, "mask": mask(16, 0), "parts": structs([])}


def write_parts(path: Path, objects: Sequence[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"anno": structs([{"imname": path.stem, "objects": structs(objects)}])})


def write_pascal(folder: Path) -> None:
    """Three images: parts of a person beside a horse; a person without parts; no annotation."""
    stems = ("2008_000001", "2008_000002", "2008_000003")
    for index, stem in enumerate(stems):
        save(folder / "JPEGImages" / f"{stem}.jpg", colours(index))
        save(folder / "normals_distill" / f"{stem}.png", coded(normals()))
        save(folder / "sal_distill" / f"{stem}.png", np.full((HEIGHT, WIDTH), 127 + index, "u1"))
        path = folder / "pascal-context" / "trainval" / f"{stem}.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        savemat(path, {"LabelMap": label_map()})
    save(folder / "semseg" / "VOC12" / f"{stems[0]}.png", voc_semseg())
    for stem in stems:
        save(folder / "semseg" / "pascal-context" / f"{stem}.png", np.full_like(voc_semseg(), 20))
    write_parts(folder / "human_parts" / f"{stems[0]}.mat", [horse(), person()])
    write_parts(folder / "human_parts" / f"{stems[1]}.mat", [distant()])
    for part in ("train", "val"):
        listed(folder / "ImageSets" / "Context" / f"{part}.txt", stems)
