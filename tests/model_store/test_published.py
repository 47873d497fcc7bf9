"""Opening a published model: what it gives, and every corruption that is refused.

A refusal names the file and the reason.
"""

import io
import json
import os
import re
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import numpy as np
import onnx
import pytest
import safetensors.numpy

from model_store.published import FILES, ModelError, ModelStore, PublishedModel, open_model
from model_store.verified import read_images
from tests.tiny import CALIBRATION_IMAGES, tiny_images

ALL_FILES = ("manifest.json", *FILES)


def refused(version: Path, file: str, reason: str = ".") -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        open_model(version)
    assert caught.value.file == version / file
    assert str(version / file) in str(caught.value)
    assert caught.value.reason


def forge(version: Path, file: str, content: bytes) -> None:
    """Replaces a file and makes the manifest agree, as somebody hostile would."""
    (version / file).write_bytes(content)
    manifest = json.loads((version / "manifest.json").read_bytes())
    manifest["files"][file] = {"sha256": sha256(content).hexdigest(), "bytes": len(content)}
    (version / "manifest.json").write_text(json.dumps(manifest))


def test_a_model_opens_with_all_its_parts(tiny: PublishedModel) -> None:
    assert tiny.manifest.name == "tiny"
    assert tiny.digest == sha256((tiny.path / "manifest.json").read_bytes()).hexdigest()
    assert tiny.calibration_NHWC.shape == (CALIBRATION_IMAGES, 32, 32, 3)
    np.testing.assert_array_equal(tiny.calibration_NHWC, tiny_images(CALIBRATION_IMAGES, 0))
    assert tiny.report["full"]["depth"] == {"loss": 1.0}
    assert tiny.predictor.tasks == tiny.space.tasks
    assert tiny.cost.of(tiny.space.largest()) > tiny.cost.of(tiny.space.smallest())


def test_nothing_of_a_model_can_be_written_to(tiny: PublishedModel) -> None:
    assert not tiny.calibration_NHWC.flags.writeable
    assert not any(w.flags.writeable for w in tiny.graph.weights.values())


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_a_flipped_byte_is_found(version: Path, file: str, place: float) -> None:
    content = bytearray((version / file).read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    (version / file).write_bytes(content)
    refused(version, file, "has digest .*, the manifest says")


@pytest.mark.parametrize("file", FILES)
def test_a_truncated_file_is_found(version: Path, file: str) -> None:
    content = (version / file).read_bytes()
    (version / file).write_bytes(content[:-1])
    refused(version, file, f"has {len(content) - 1} bytes, the manifest says {len(content)}")


@pytest.mark.parametrize("file", ALL_FILES)
def test_an_empty_file_is_found(version: Path, file: str) -> None:
    (version / file).write_bytes(b"")
    refused(version, file)


@pytest.mark.parametrize("file", ALL_FILES)
def test_a_missing_file_is_found(version: Path, file: str) -> None:
    (version / file).unlink()
    refused(version, file, "is missing")


@pytest.mark.parametrize("file", ALL_FILES)
def test_a_link_is_not_followed(version: Path, file: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (version / file).rename(outside)
    (version / file).symlink_to(outside)
    refused(version, file, "is not a plain file")


def test_a_pipe_does_not_block(version: Path) -> None:
    (version / "report.json").unlink()
    os.mkfifo(version / "report.json")
    refused(version, "report.json", "is not a plain file")


def test_a_folder_that_does_not_exist_is_no_model(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "manifest.json", "is missing")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "Expecting"),
        (b"[]", "a JSON object expected"),
        (b"\xff\xfe\x00", "decode"),
        (b"{}", "schema version 1 expected, found None"),
        (b'{"schema_version": 2, "novelty": 1}', "schema version 1 expected, found 2"),
        (b'{"schema_version": 1, "name": "\x00"}', "control character"),
        (b'{"schema_version": 1, "divisor": NaN}', "NaN is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_corrupt_manifest_is_refused(version: Path, content: bytes, reason: str) -> None:
    (version / "manifest.json").write_bytes(content)
    refused(version, "manifest.json", reason)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("novelty", 1, "novelty: Extra inputs"),
        ("name", "../x", "name: String should match"),
        ("divisor", 5, "divisor"),
        ("files", {}, "states no digest of supernet.onnx"),
        ("files", {"../x": {"sha256": "0" * 64, "bytes": 1}}, "files"),
    ],
)
def test_a_manifest_that_is_not_sound_is_refused(
    version: Path, field: str, value: object, reason: str
) -> None:
    manifest = json.loads((version / "manifest.json").read_bytes())
    (version / "manifest.json").write_text(json.dumps({**manifest, field: value}))
    refused(version, "manifest.json", reason)


def _outside(version: Path) -> bytes:
    model = onnx.load(version / "supernet.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../../secret"
    return bytes(model.SerializeToString())


def _not_finite(version: Path) -> bytes:
    content = bytearray((version / "supernet.onnx.data").read_bytes())
    content[:4] = np.float32(np.nan).tobytes()
    return bytes(content)


def _predictor(change: Callable[[dict[str, np.ndarray]], object]) -> Callable[[Path], bytes]:
    def content(version: Path) -> bytes:
        tensors = safetensors.numpy.load_file(version / "predictor.safetensors")
        tensors = {name: np.array(t) for name, t in tensors.items()}
        change(tensors)
        return safetensors.numpy.save(tensors)

    return content


def _npz(**arrays: object) -> Callable[[Path], bytes]:
    def content(version: Path) -> bytes:  # noqa: ARG001
        stream = io.BytesIO()
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
        return stream.getvalue()

    return content


def _raw_npz(*members: bytes) -> Callable[[Path], bytes]:
    def content(version: Path) -> bytes:  # noqa: ARG001
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("images.npy", b"".join(members))
        return stream.getvalue()

    return content


def _spoilt_npz(spoil: Callable[[bytearray, int], None]) -> Callable[[Path], bytes]:
    """The right archive after a change, given where its central directory starts."""

    def content(version: Path) -> bytes:
        spoilt = bytearray((version / "calibration.npz").read_bytes())
        spoil(spoilt, spoilt.rindex(b"PK\x01\x02"))
        return bytes(spoilt)

    return content


def _encrypt(archive: bytearray, directory: int) -> None:
    archive[6] |= 1
    archive[directory + 8] |= 1


def _compress_otherwise(archive: bytearray, directory: int) -> None:
    archive[directory + 10] = 99


def _damage(archive: bytearray, directory: int) -> None:
    start = 30 + archive[26] + archive[28]  # a fixed header, the name, what is added to it
    archive[start:directory] = b"\xff" * (directory - start)


def _header(shape: tuple[int, ...], descr: str = "|u1") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"shape": shape, "fortran_order": False, "descr": descr}
    )
    return stream.getvalue()


def _plain(content: bytes) -> Callable[[Path], bytes]:
    return lambda version: content  # noqa: ARG005


RIGHT = (CALIBRATION_IMAGES, 32, 32, 3)
UNENDING = b"\x93NUMPY\x01\x00\x06\x00{'a':("
"""An array whose header ends in the middle of an expression."""
SHAPE = re.escape(f"uint8 images {RIGHT} expected")


@pytest.mark.parametrize(
    ("file", "content", "named", "reason"),
    [
        ("supernet.onnx", _plain(b"not a model"), "supernet.onnx", "is not an ONNX model"),
        ("supernet.onnx", _plain(b""), "supernet.onnx", "operator set"),
        ("supernet.onnx", _outside, "supernet.onnx", "outside supernet.onnx.data"),
        ("supernet.onnx.data", _plain(b"x"), "supernet.onnx", "takes .* bytes"),
        ("supernet.onnx.data", _plain(b""), "supernet.onnx.data", "empty"),
        ("supernet.onnx.data", _not_finite, "supernet.onnx", "not finite"),
        (
            "predictor.safetensors",
            _predictor(lambda t: t["heads.weight"].fill(np.nan)),
            "predictor.safetensors",
            "heads.weight holds values that are not finite",
        ),
        (
            "predictor.safetensors",
            _predictor(lambda t: t.pop("heads.bias")),
            "predictor.safetensors",
            "missing or unknown tensors: heads.bias",
        ),
        (
            "predictor.safetensors",
            _predictor(lambda t: t.update({"heads.bias": np.zeros(3, np.float32)})),
            "predictor.safetensors",
            "heads.bias must be float32",
        ),
        ("predictor.safetensors", _plain(b"x" * 100), "predictor.safetensors", "header"),
        ("calibration.npz", _plain(b"not a zip"), "calibration.npz", "not a zip file"),
        ("calibration.npz", _npz(pictures=np.zeros(1)), "calibration.npz", "one array 'images'"),
        (
            "calibration.npz",
            _npz(images=np.zeros(1), more=np.zeros(1)),
            "calibration.npz",
            "one array 'images'",
        ),
        ("calibration.npz", _npz(images=np.array([{}])), "calibration.npz", SHAPE),
        ("calibration.npz", _npz(images=np.zeros(RIGHT)), "calibration.npz", SHAPE),
        ("calibration.npz", _npz(images=np.zeros((1, 32, 32, 3), "u1")), "calibration.npz", SHAPE),
        ("calibration.npz", _raw_npz(_header((1 << 40,))), "calibration.npz", SHAPE),
        ("calibration.npz", _raw_npz(_header(RIGHT), b"123"), "calibration.npz", "bytes of images"),
        (
            "calibration.npz",
            _raw_npz(_header(RIGHT), bytes(1 << 24)),
            "calibration.npz",
            "bytes of images",
        ),
        ("calibration.npz", _raw_npz(b"garbage!"), "calibration.npz", "magic"),
        ("calibration.npz", _raw_npz(UNENDING), "calibration.npz", "cannot be read: .*EOF"),
        ("calibration.npz", _spoilt_npz(_encrypt), "calibration.npz", "is encrypted"),
        ("calibration.npz", _spoilt_npz(_compress_otherwise), "calibration.npz", "compression"),
        ("calibration.npz", _spoilt_npz(_damage), "calibration.npz", "decompressing"),
        ("report.json", _plain(b'{"loss": NaN}'), "report.json", "NaN is not JSON"),
        ("report.json", _plain(b'{"loss": Infinity}'), "report.json", "Infinity is not JSON"),
        ("report.json", _plain(b"3"), "report.json", "a JSON object expected"),
    ],
)
def test_hostile_content_is_refused_even_with_a_right_digest(
    version: Path, file: str, content: Callable[[Path], bytes], named: str, reason: str
) -> None:
    forge(version, file, content(version))
    refused(version, named, reason)


def test_calibration_images_cannot_ask_for_much_memory(version: Path) -> None:
    digest = open_model(version).manifest.files["calibration.npz"]
    with pytest.raises(ModelError, match="exceed the limit"):
        read_images(version / "calibration.npz", digest, (65_536, 8192, 8192, 3))


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("input", "height"), 64, r"'image' must be float32 \[N, 3, 64, 32\]"),
        (("tasks", 1, "kind"), "classification", r"'semseg' must be float32 \[N, 4\]"),
        (("tasks", 0, "classes"), 2, r"'animals' must be float32 \[N, 2\]"),
    ],
)
def test_a_graph_that_does_not_fit_the_manifest_is_refused(
    version: Path, path: tuple[str | int, ...], value: object, reason: str
) -> None:
    manifest = json.loads((version / "manifest.json").read_bytes())
    manifest["tasks"][0]["labels"] = []
    found = manifest
    for step in path[:-1]:
        found = found[step]
    found[path[-1]] = value
    (version / "manifest.json").write_text(json.dumps(manifest))
    refused(version, "supernet.onnx", reason)


def test_a_graph_that_computes_other_shapes_than_it_states_is_refused(version: Path) -> None:
    manifest = json.loads((version / "manifest.json").read_bytes())
    manifest["tasks"][0].update(labels=[], classes=2)
    (version / "manifest.json").write_text(json.dumps(manifest))
    model = onnx.load(version / "supernet.onnx", load_external_data=False)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 2
    forge(version, "supernet.onnx", model.SerializeToString())
    refused(version, "supernet.onnx", "the graph's shapes do not fit together: .*animals")


def test_a_huge_file_is_not_read_into_memory(version: Path) -> None:
    (version / "manifest.json").unlink()
    with (version / "manifest.json").open("wb") as stream:
        stream.truncate(1 << 40)
    refused(version, "manifest.json", "more than the limit")


def test_a_model_may_have_more_files_than_it_needs(version: Path) -> None:
    (version / "examples").mkdir()
    (version / "examples" / "1.png").touch()
    forge(version, "examples/1.png", b"a picture")
    assert open_model(version).manifest.files["examples/1.png"].bytes == 9
    (version / "examples" / "1.png").write_bytes(b"A picture")
    refused(version, "examples/1.png", "has digest")


def test_what_was_verified_is_what_is_used(version: Path) -> None:
    """Whoever replaces a file once it was opened comes too late: none is opened again."""
    expected = {file: (version / file).read_bytes() for file in ALL_FILES}
    real = Path.open

    def then_replaced(self: Path, mode: str = "r", buffering: int = -1) -> IO[Any]:
        stream = real(self, mode, buffering)
        spoilt = self.with_name("spoilt")
        with real(spoilt, "wb") as content:
            content.write(bytes(len(expected[self.name])))
        spoilt.replace(self)
        return stream

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", then_replaced)
        model = open_model(version)
    assert model.weights.bytes.tobytes() == expected["supernet.onnx.data"]
    assert model.report == json.loads(expected["report.json"])


def test_a_version_under_another_name_is_refused(version: Path) -> None:
    version.rename(version.with_name("2"))
    with pytest.raises(ModelError, match="is the manifest of tiny/1"):
        ModelStore(version.parent.parent).open("tiny", "2")
