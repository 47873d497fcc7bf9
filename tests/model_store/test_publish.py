"""Publishing: whole or not at all, never twice, and always something that opens."""

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_store.published import FILES, ModelError, ModelStore, default_root
from tests.disks import DISK_BYTES, fill
from tests.tiny import publish_tiny, tiny_model_files


def test_a_published_version_is_the_current_one(tmp_path: Path) -> None:
    path = publish_tiny(tmp_path)
    store = ModelStore(tmp_path)
    assert path == tmp_path / "tiny" / "1"
    assert store.names() == ("tiny",)
    assert store.versions("tiny") == ("1",)
    assert store.current("tiny") == "1"
    assert sorted(p.name for p in path.iterdir()) == sorted((*FILES, "manifest.json"))


def test_the_last_version_is_current_and_the_others_stay(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    publish_tiny(tmp_path, version="2", seed=1)
    store = ModelStore(tmp_path)
    assert store.versions("tiny") == ("1", "2")
    assert store.open("tiny").manifest.version == "2"
    assert store.open("tiny", "1").manifest.version == "1"


def test_the_current_version_can_be_rolled_back(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    publish_tiny(tmp_path, version="2", seed=1)
    ModelStore(tmp_path).point_to("tiny", "1")
    assert ModelStore(tmp_path).current("tiny") == "1"


def test_only_a_usable_version_can_become_current(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    with pytest.raises(ModelError, match="is missing"):
        ModelStore(tmp_path).point_to("tiny", "2")
    assert ModelStore(tmp_path).current("tiny") == "1"


def test_a_version_is_never_overwritten(tmp_path: Path) -> None:
    path = publish_tiny(tmp_path)
    before = (path / "manifest.json").read_bytes()
    with pytest.raises(ModelError, match="published already"):
        publish_tiny(tmp_path, seed=1)
    assert (path / "manifest.json").read_bytes() == before


def test_what_does_not_open_is_not_published(tmp_path: Path) -> None:
    files, manifest = tiny_model_files()
    with pytest.raises(ModelError, match=r"calibration.npz: .*not a zip file"):
        ModelStore(tmp_path).publish("tiny", "1", {**files, "calibration.npz": b"x"}, manifest)
    del files["report.json"]
    with pytest.raises(ModelError, match=r"states no digest of report.json"):
        ModelStore(tmp_path).publish("tiny", "1", files, manifest)
    assert list((tmp_path / "tiny").iterdir()) == []


@pytest.mark.parametrize("file", ["../x", "/tmp/x", "a/b/c", "manifest.json"])
def test_files_outside_of_the_folder_are_refused(tmp_path: Path, file: str) -> None:
    files, manifest = tiny_model_files()
    with pytest.raises(ValueError, match="files"):
        ModelStore(tmp_path).publish("tiny", "1", {**files, file: b"x"}, manifest)
    assert not (tmp_path / "tiny").exists()


def test_a_name_other_than_the_manifests_is_refused(tmp_path: Path) -> None:
    files, manifest = tiny_model_files()
    with pytest.raises(ValueError, match="not that of other/1"):
        ModelStore(tmp_path).publish("other", "1", files, manifest)


def test_examples_are_published_beside_the_rest(tmp_path: Path) -> None:
    files, manifest = tiny_model_files()
    path = ModelStore(tmp_path).publish("tiny", "1", {**files, "examples/1.png": b"x"}, manifest)
    assert (path / "examples" / "1.png").read_bytes() == b"x"


def test_no_version_takes_the_place_of_the_pointer(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    files, manifest = tiny_model_files()
    named = manifest.model_copy(update={"version": "current"})
    with pytest.raises(ValueError, match="cannot be named 'current'"):
        ModelStore(tmp_path).publish("tiny", "current", files, named)
    publish_tiny(tmp_path, version="2", seed=1)
    assert ModelStore(tmp_path).current("tiny") == "2"


class Crash(Exception):
    """The process dies."""


def crash_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """Makes the given one of the calls that change the disk fail, and nothing clean up after it."""
    calls = itertools.count(1)

    def watched(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            if next(calls) == step:
                raise Crash
            return real(*args, **kwargs)

        return call

    for name in ("fsync", "rename", "replace", "mkdir"):
        patch.setattr(os, name, watched(getattr(os, name)))
    patch.setattr(shutil, "rmtree", lambda *_args, **_kwargs: None)


def published_despite_a_crash(root: Path, step: int) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        crash_at(step, patch)
        try:
            publish_tiny(root, version="2", seed=1)
        except Crash:
            return False
    return True


def test_a_crash_anywhere_leaves_the_old_version_or_the_new_one(tmp_path: Path) -> None:
    for step in itertools.count(1):
        root = tmp_path / str(step)
        publish_tiny(root)
        done = published_despite_a_crash(root, step)
        store = ModelStore(root)
        # Whatever is listed opens, and what is current is listed.
        for version in store.versions("tiny"):
            assert store.open("tiny", version).manifest.version == version
        assert store.current("tiny") in store.versions("tiny")
        if done:
            break
        # And the work can be finished.
        if "2" not in store.versions("tiny"):
            publish_tiny(root, version="2", seed=1)
        store.point_to("tiny", "2")
        assert store.open("tiny").manifest.version == "2"
    assert store.current("tiny") == "2"
    assert step > 10, "publishing has at least as many steps that may fail"


def test_every_folder_in_which_something_was_made_is_synchronised(tmp_path: Path) -> None:
    """Else a power cut takes what was made there, though all that is in it was written."""
    unsafe: set[int] = set()

    def making(real: Callable[..., None], made: int) -> Callable[..., None]:
        def call(*given: Any) -> None:  # noqa: ANN401
            real(*given)
            unsafe.add(Path(given[made]).parent.stat().st_ino)

        return call

    def synchronise(descriptor: int) -> None:
        unsafe.discard(os.fstat(descriptor).st_ino)

    with pytest.MonkeyPatch.context() as patch:
        for name, made in (("mkdir", 0), ("rename", 1), ("replace", 1)):
            patch.setattr(os, name, making(getattr(os, name), made))
        patch.setattr(os, "fsync", synchronise)
        for root in (tmp_path, tmp_path / "a" / "new" / "one"):
            publish_tiny(root)
            assert not unsafe


def test_of_two_that_publish_at_once_one_is_refused(tmp_path: Path) -> None:
    """The second finds the folder there only when it renames its own."""
    files, manifest = tiny_model_files()
    real = Path.rename

    def late(self: Path, target: Path) -> Path:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(Path, "rename", real)
            publish_tiny(tmp_path, seed=1)
        return real(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", late)
        with pytest.raises(ModelError, match="published already"):
            ModelStore(tmp_path).publish("tiny", "1", files, manifest)
    assert ModelStore(tmp_path).open("tiny").manifest.provenance.seed == 1
    assert sorted(p.name for p in (tmp_path / "tiny").iterdir()) == ["1", "current"]


def test_two_that_move_the_pointer_at_once_do_not_meet(tmp_path: Path) -> None:
    """Though both have the same process number, as the first process of every container has."""
    publish_tiny(tmp_path)
    publish_tiny(tmp_path, version="2", seed=1)
    store, real = ModelStore(tmp_path), Path.replace

    def late(self: Path, target: Path) -> Path:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(Path, "replace", real)
            store.point_to("tiny", "2")
        return real(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", late)
        store.point_to("tiny", "1")
    assert store.current("tiny") == "1"
    assert sorted(p.name for p in (tmp_path / "tiny").iterdir()) == ["1", "2", "current"]
    assert (tmp_path / "tiny" / "current").stat().st_mode & 0o777 == 0o644


def test_unknown_models_and_corrupt_pointers_are_refused(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    assert store.names() == ()
    assert store.versions("tiny") == ()
    with pytest.raises(ModelError, match="is missing"):
        store.open("tiny")
    publish_tiny(tmp_path)
    (tmp_path / "tiny" / "current").write_text("../../etc")
    with pytest.raises(ModelError, match="current: version must match"):
        store.open("tiny")


def a_link(pointer: Path) -> None:
    pointer.symlink_to(pointer.with_name("elsewhere"))
    pointer.with_name("elsewhere").write_text("1\n")


def a_folder(pointer: Path) -> None:
    pointer.mkdir()


def too_large(pointer: Path) -> None:
    with pointer.open("wb") as stream:
        stream.truncate(1 << 40)


def not_text(pointer: Path) -> None:
    pointer.write_bytes(b"\xff")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (a_link, "is not a plain file"),
        (os.mkfifo, "is not a plain file"),
        (a_folder, "is not a plain file"),
        (too_large, "more than the limit"),
        (not_text, "decode"),
    ],
)
def test_a_pointer_that_is_no_small_plain_file_is_refused(
    tmp_path: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    publish_tiny(tmp_path)
    pointer = tmp_path / "tiny" / "current"
    pointer.unlink()
    spoil(pointer)
    with pytest.raises(ModelError, match=f"current: .*{reason}"):
        ModelStore(tmp_path).current("tiny")


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".."])
def test_names_that_are_paths_are_refused(tmp_path: Path, name: str) -> None:
    store = ModelStore(tmp_path)
    for ask in (store.versions, store.current, store.open):
        with pytest.raises(ValueError, match="name must match"):
            ask(name)
    with pytest.raises(ValueError, match="version must match"):
        store.open("tiny", name)


def test_the_models_that_ship_lie_in_the_package() -> None:
    assert default_root().parent.name == "model_store"


def test_on_a_full_disk_the_version_before_stays_current_and_nothing_is_left(
    small_disk: Path,
) -> None:
    publish_tiny(small_disk)
    files, manifest = tiny_model_files(version="2")
    large = {**files, "examples/0.png": bytes(DISK_BYTES)}
    with pytest.raises(OSError, match="No space left"):
        ModelStore(small_disk).publish("tiny", "2", large, manifest)
    fill(small_disk)
    with pytest.raises(OSError, match="No space left"):
        ModelStore(small_disk).point_to("tiny", "1")
    assert ModelStore(small_disk).open("tiny").manifest.version == "1"
    assert {p.name for p in (small_disk / "tiny").iterdir()} == {"1", "current"}
