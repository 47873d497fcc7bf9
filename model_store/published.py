"""Published models: opening and verifying one version, and the folder that holds them all.

A version is immutable once written, so replicas may share it and map its weights into memory.
"""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store.manifest import CURRENT, FileDigest, Manifest, check_component, check_version
from model_store.subnet.cost import CostModel
from model_store.subnet.graph import Graph
from model_store.subnet.predictor import AccuracyPredictor
from model_store.subnet.soundness import check_sliceable
from model_store.subnet.space import SearchSpace
from model_store.subnet.weights import DATA_FILE, read_graph
from model_store.verified import (
    MappedFile,
    ModelError,
    naming,
    read_images,
    read_json,
    read_manifest,
    read_onnx,
    read_small,
    read_tensors,
    read_verified,
)

__all__ = ["FILES", "ModelError", "ModelStore", "PublishedModel", "default_root", "open_model"]

MANIFEST = "manifest.json"
GRAPH = "supernet.onnx"
PREDICTOR = "predictor.safetensors"
CALIBRATION = "calibration.npz"
REPORT = "report.json"

POINTER_BYTES = 256
"""The most that the pointer to the current version may take: its name, and space around it."""

PUBLISHED_ALREADY = "is published already; versions are immutable"

FILES = (GRAPH, DATA_FILE, PREDICTOR, CALIBRATION, REPORT)
"""The files that every published model has beside its manifest."""


@dataclass(frozen=True, eq=False)
class PublishedModel:
    """One verified version of a published model, ready to be searched and cut."""

    path: Path
    digest: str
    """SHA-256 of ``manifest.json``, which holds the digests of all other files."""
    manifest: Manifest
    space: SearchSpace
    cost: CostModel
    predictor: AccuracyPredictor
    graph: Graph
    """The SuperNet at full width; its weights are read-only and memory-mapped."""
    weights: MappedFile
    """What they are mapped from."""
    calibration_NHWC: NDArray[np.uint8]
    """Calibration images at the input size, RGB in [0, 255]."""
    report: dict[str, Any]

    @cached_property
    def full_macs(self) -> int:
        """Multiply-accumulates of the SuperNet, all tasks kept: asked for with every request."""
        return self.cost.of(self.space.largest())


def open_model(path: Path) -> PublishedModel:
    """Opens one version of a published model.

    Args:
        path: the folder of the version.

    Raises:
        ModelError: a file is missing, not what the manifest says, or not usable.
    """
    manifest, digest = read_manifest(path / MANIFEST)
    files, space = manifest.files, manifest.search_space()
    for name in FILES:
        if name not in files:
            raise ModelError(path / MANIFEST, f"states no digest of {name}")
    for name in files.keys() - set(FILES):
        read_verified(path / name, files[name])
    weights = MappedFile.of(path / DATA_FILE, files[DATA_FILE])
    model = read_onnx(path / GRAPH, files[GRAPH])
    with naming(path / GRAPH):
        graph = read_graph(model, weights.bytes, manifest.input_shape(), manifest.output_shapes())
        check_sliceable(graph, space, manifest.slices)
    tensors = read_tensors(path / PREDICTOR, files[PREDICTOR])
    with naming(path / PREDICTOR):
        predictor = AccuracyPredictor.from_tensors(tensors, space.tasks, len(space.groups))
    images = (manifest.calibration.images, manifest.input.height, manifest.input.width, 3)
    return PublishedModel(
        path=path,
        digest=digest,
        manifest=manifest,
        space=space,
        cost=manifest.cost_model(),
        predictor=predictor,
        graph=graph,
        weights=weights,
        calibration_NHWC=read_images(path / CALIBRATION, files[CALIBRATION], images),
        report=read_json(path / REPORT, files[REPORT]),
    )


class ModelStore:
    """A folder of published models: ``<root>/<name>/<version>/`` and ``<root>/<name>/current``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> tuple[str, ...]:
        """The models that have a current version, sorted."""
        return tuple(sorted(p.parent.name for p in self.root.glob(f"*/{CURRENT}")))

    def versions(self, name: str) -> tuple[str, ...]:
        """The published versions of a model, sorted; none for an unknown model."""
        found = (self.root / check_component("name", name)).glob(f"*/{MANIFEST}")
        # Versions that are still being written have names that start with a dot.
        return tuple(sorted(p.parent.name for p in found if p.parent.name[0] != "."))

    def current(self, name: str) -> str:
        """The version that is served.

        Raises:
            ModelError: there is no such model, or its pointer is corrupt.
        """
        pointer = self.root / check_component("name", name) / CURRENT
        with naming(pointer):
            return check_version(read_small(pointer, POINTER_BYTES).decode().strip())

    def open(self, name: str, version: str | None = None) -> PublishedModel:
        """Opens a version of a model, by default the current one.

        Raises:
            ModelError: there is none, or it is not usable.
            ValueError: the name or the version is not of the allowed form.
        """
        version = self.current(name) if version is None else check_version(version)
        path = self.root / check_component("name", name) / version
        model = open_model(path)
        stated = (model.manifest.name, model.manifest.version)
        if stated != (name, version):
            raise ModelError(path / MANIFEST, f"is the manifest of {'/'.join(stated)}")
        return model

    def publish(
        self, name: str, version: str, files: Mapping[str, bytes], manifest_without_files: Manifest
    ) -> Path:
        """Writes a version and makes it the current one.

        The version appears whole or not at all: it is written to a temporary sibling, opened as a
        reader would, and renamed. A crash before the pointer is moved leaves the old version
        current (:meth:`point_to` then finishes the work).

        Args:
            name: the model's name, as in the manifest.
            version: the version, as in the manifest.
            files: file name to content, all of :data:`FILES` and perhaps more.
            manifest_without_files: the manifest; its digests are filled in here.

        Returns:
            The folder of the version.

        Raises:
            ModelError: the version exists (versions are immutable), or what would be published
                could not be opened.
            ValueError: the name or version is malformed or differs from the manifest's.
        """
        if (manifest_without_files.name, manifest_without_files.version) != (name, version):
            raise ValueError(f"the manifest is not that of {name}/{version}")
        digests = {
            file: FileDigest(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
            for file, content in sorted(files.items())
        }
        manifest = Manifest.model_validate({**dict(manifest_without_files), "files": digests})
        target = self.root / check_component("name", name) / check_version(version)
        if target.exists():
            raise ModelError(target, PUBLISHED_ALREADY)
        _make_folder(self.root)
        target.parent.mkdir(exist_ok=True)
        sibling = Path(tempfile.mkdtemp(prefix=f".{version}.", dir=target.parent))
        try:
            sibling.chmod(0o755)
            _write(sibling / MANIFEST, manifest.model_dump_json(indent=1).encode())
            for file, content in files.items():
                (sibling / file).parent.mkdir(exist_ok=True)
                _write(sibling / file, content)
            for folder in {(sibling / file).parent for file in files} | {sibling}:
                _sync(folder)
            open_model(sibling)
            _rename(sibling, target)
        except BaseException:
            shutil.rmtree(sibling, ignore_errors=True)
            raise
        _sync(target.parent)
        _sync(self.root)
        self.point_to(name, version)
        return target

    def point_to(self, name: str, version: str) -> None:
        """Makes a published version the current one, for instance to roll back.

        Raises:
            ModelError: the version is not usable.
        """
        self.open(name, version)
        pointer = self.root / name / CURRENT
        # Not named after the process: in containers that share a volume each is number 1.
        descriptor, file = tempfile.mkstemp(prefix=f".{CURRENT}.", dir=pointer.parent)
        os.close(descriptor)
        temporary = Path(file)
        try:
            _write(temporary, f"{version}\n".encode())
            temporary.chmod(0o644)
            temporary.replace(pointer)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync(pointer.parent)


def default_root() -> Path:
    """The folder of the models that ship with the project."""
    return Path(__file__).parent / "models"


def _rename(sibling: Path, target: Path) -> None:
    try:
        sibling.rename(target)
    except OSError as error:
        # Another process was faster: the operating system replaces no folder that is not empty.
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise ModelError(target, PUBLISHED_ALREADY) from error
        raise


def _make_folder(folder: Path) -> None:
    """Makes a folder and its parents, so that they survive a power cut."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _write(file: Path, content: bytes) -> None:
    with file.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    # The entries of a folder survive a power cut only once the folder itself is synchronised.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
