import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.errors import BadRequestError, TooLargeError
from service.oip.reading import Bounds, Request, binary_outputs, json_length, read, tensor, wanted
from service.oip.schemas import InferBody, InferOutput
from service.oip.writing import encode, size

BOUNDS = Bounds(height=4, width=5, batch=3)
SHAPE = [2, 3, 4, 5]


def values(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random(SHAPE, dtype=np.float32)


def as_json(data: object, **changes: object) -> bytes:
    tensor = {"name": "image", "shape": SHAPE, "datatype": "FP32", "data": data}
    return json.dumps({"inputs": [tensor | changes]}).encode()


def as_bytes(content: bytes, pad: int = 0, **changes: object) -> tuple[bytes, str]:
    tensor = {
        "name": "image",
        "shape": SHAPE,
        "datatype": "FP32",
        "parameters": {"binary_data_size": len(content)},
    }
    head = json.dumps({"inputs": [tensor | changes]}).encode() + b" " * pad
    return head + content, str(len(head))


def taken_apart(body: bytes, length: str | None = None) -> Request:
    return read(body, json_length(body, length), BOUNDS)


def parsed(body: bytes, length: str | None = None) -> NDArray[np.float32]:
    return tensor(taken_apart(body, length), BOUNDS)


@given(pad=st.integers(0, 7), seed=st.integers(0, 99))
def test_a_tensor_is_the_same_in_json_nested_or_flat_and_in_bytes(pad: int, seed: int) -> None:
    expected = values(seed)
    bodies = [
        (as_json(expected.tolist()), None),
        (as_json(expected.ravel().tolist()), None),
        as_bytes(expected.astype("<f4").tobytes(), pad),
    ]
    for body, length in bodies:
        found = parsed(body, length)
        assert found.dtype == np.float32
        assert found.flags.c_contiguous
        assert found.flags.aligned
        assert np.array_equal(found, expected)


def test_bytes_that_align_are_not_copied() -> None:
    content = values().tobytes()
    for pad in range(16):
        body, length = as_bytes(content, pad)
        request = taken_apart(body, length)
        whole = np.frombuffer(body, np.uint8)
        address = whole.ctypes.data + int(length)
        if address % 4 == 0:
            assert np.shares_memory(tensor(request, BOUNDS), whole)
            return
    pytest.fail("no header of sixteen aligned its tensor")


FLAT = values().ravel().tolist()
ZEROS = values().tobytes()


@pytest.mark.parametrize(
    ("body", "length", "says"),
    [
        (b"", None, "JSON"),
        (b"[]", None, "object"),
        (b'{"inputs": []}', None, "inputs"),
        (as_json(FLAT, name="picture"), None, "'image'"),
        (as_json(FLAT, datatype="FP64"), None, "FP32"),
        (as_json(FLAT, shape=[3, 4, 5]), None, "expected"),
        (as_json(FLAT, shape=[2, 3, 5, 4]), None, "expected"),
        (as_json(FLAT, shape=[0, 3, 4, 5]), None, "1 to 3"),
        (as_json(FLAT, shape=[4, 3, 4, 5]), None, "1 to 3"),
        (as_json(FLAT, shape=[-2, 3, 4, 5]), None, "shape"),
        (as_json(FLAT, shape=[10**30, 3, 4, 5]), None, "1 to 3"),
        (as_json(FLAT[:-1]), None, "do not fit"),
        (as_json([FLAT, FLAT[1:]]), None, "not numbers"),
        (as_json([str(v) for v in FLAT]), None, "not numbers"),
        (as_json([None] * len(FLAT)), None, "not numbers"),
        (as_json([True] * len(FLAT)), None, "not numbers"),
        (as_json([10**400] * len(FLAT)), None, "not numbers"),
        (as_json([1e39] * len(FLAT)), None, "too large"),
        (as_json(None), None, "neither"),
        (as_json(FLAT, parameters={"shared_memory_region": "a"}), None, "not supported"),
        (as_json(FLAT, parameters={"binary_data_size": 480}), None, "both"),
        (as_bytes(ZEROS)[0], None, "JSON"),
        (as_bytes(ZEROS)[0], "-1", "number of bytes"),
        (as_bytes(ZEROS)[0], "1e2", "number of bytes"),
        (as_bytes(ZEROS)[0], "²", "number of bytes"),
        (as_bytes(ZEROS)[0], "99999", "has"),
        (*as_bytes(ZEROS[:-1]), "takes 480 bytes"),
        (*as_bytes(ZEROS, parameters={"binary_data_size": 476}), "takes 480 bytes"),
        (*as_bytes(ZEROS + b"x", parameters={"binary_data_size": 480}), "481 bytes"),
        (*as_bytes(ZEROS, parameters={"binary_data_size": True}), "says True"),
        (*as_bytes(ZEROS, parameters={}), "belong to no input"),
    ],
)
def test_what_is_no_input_is_refused_in_words(body: bytes, length: str | None, says: str) -> None:
    with pytest.raises(BadRequestError, match=says):
        parsed(body, length)


def test_two_inputs_are_refused() -> None:
    twice = json.loads(as_json(FLAT))
    twice["inputs"] *= 2
    with pytest.raises(BadRequestError, match="one input"):
        parsed(json.dumps(twice).encode())


@pytest.mark.parametrize(("height", "width"), [(40, 50), (1, 5000), (5000, 1)])
def test_json_of_as_many_images_as_are_taken_is_read_and_of_many_more_is_not(
    height: int, width: int
) -> None:
    def sent(batch: int) -> bytes:
        ones = np.ones((batch, 3, height, width), int)
        return as_json(ones.tolist(), shape=list(ones.shape))

    bounds = Bounds(height, width, batch=3)
    assert tensor(read(sent(3), len(sent(3)), bounds), bounds).sum() == 9 * height * width
    with pytest.raises(TooLargeError, match="send less at a time"):
        read(sent(4), len(sent(4)), bounds)


@pytest.mark.parametrize("part", [b"[]", b"{}", b'"a":1', b"1"])
def test_json_of_more_parts_than_a_request_has_is_not_parsed(
    part: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("service.oip.reading.parse_json")
    body = b'{"parameters": {"a": [%s]}}' % b",".join(5000 * [part])
    with pytest.raises(TooLargeError, match="are allowed"):
        read(body, len(body), BOUNDS)


def outputs(*names: str, **parameters: bool) -> list[InferOutput]:
    return [InferOutput(name=n, parameters=dict(parameters)) for n in names]


def test_outputs_come_in_the_order_of_the_request_and_all_if_none_is_named() -> None:
    tasks = ("depth", "edges")
    assert wanted(outputs("edges", "depth"), tasks) == ("edges", "depth")
    assert wanted([], tasks) == tasks
    for odd in (
        outputs("normals"),
        outputs("edges", "edges"),
        outputs("edges", classification=True),
    ):
        with pytest.raises(BadRequestError):
            wanted(odd, tasks)


def test_an_output_s_own_wish_for_bytes_wins_over_the_request_s() -> None:
    def asked(every: object, own: object) -> frozenset[str]:
        body: dict[str, Any] = json.loads(as_json(FLAT))
        body["parameters"] = {} if every is None else {"binary_data_output": every}
        parameters = {} if own is None else {"binary_data": own}
        body["outputs"] = [{"name": "depth", "parameters": parameters}]
        return binary_outputs(InferBody.model_validate(body), ("depth", "edges"))

    assert asked(None, None) == set()
    assert asked(True, None) == {"depth", "edges"}
    assert asked(True, False) == {"edges"}
    assert asked(False, True) == {"depth"}
    with pytest.raises(BadRequestError):
        asked(1, None)


@given(
    shapes=st.lists(
        st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple), min_size=1, max_size=4
    ),
    choice=st.sets(st.integers(0, 3)),
)
def test_what_is_written_is_read_back(shapes: list[tuple[int, ...]], choice: set[int]) -> None:
    rng = np.random.default_rng(0)
    given_ = {f"t{i}": rng.normal(size=s).astype(np.float32) for i, s in enumerate(shapes)}
    binary = frozenset(n for i, n in enumerate(given_) if i in choice)
    encoded = encode({"model_name": "m", "id": 'a"b'}, given_, binary)
    length = encoded.header_length
    assert (length is None) == (not binary)
    answer = json.loads(encoded.content[:length])
    assert (answer["model_name"], answer["id"]) == ("m", 'a"b')
    tail = encoded.content[length:] if length is not None else b""
    for described in answer["outputs"]:
        name = described["name"]
        if name in binary:
            count = described["parameters"]["binary_data_size"]
            found, tail = np.frombuffer(tail[:count], "<f4"), tail[count:]
        else:
            found = np.array(described["data"], np.float32)
        assert np.array_equal(found.reshape(described["shape"]), given_[name])
    assert not tail
    assert [o["name"] for o in answer["outputs"]] == list(given_)


def test_a_tensor_of_many_pieces_is_one_list_in_json() -> None:
    long = np.arange(100_000, dtype=np.float32)
    answer = json.loads(encode({"a": 1}, {"t": long}, frozenset()).content)
    assert answer["outputs"][0]["data"] == long.tolist()


def test_numbers_that_json_has_no_words_for_are_null() -> None:
    odd = np.array([np.nan, np.inf, 1], np.float32)
    answer = json.loads(encode({"a": 1}, {"t": odd}, frozenset()).content)
    assert answer["outputs"][0]["data"] == [None, None, 1]


@given(st.integers(1, 4), st.booleans())
def test_sizes_are_foreseen(batch: int, in_bytes: bool) -> None:
    tensors = {"t": np.random.default_rng(0).random((batch, 1000), dtype=np.float32)}
    binary = frozenset(tensors if in_bytes else ())
    content = encode({"a": 1}, tensors, binary).content
    assert len(content) == pytest.approx(size({"t": (1000,)}, batch, binary), rel=0.1)


def test_a_request_knows_what_follows_its_json() -> None:
    body, length = as_bytes(b"abcd")
    assert bytes(taken_apart(body, length).tail) == b"abcd"
    assert not taken_apart(as_json(FLAT)).tail
