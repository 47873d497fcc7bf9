"""NVIDIA's own client against the service in a process of its own."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
import tritonclient.http as triton  # type: ignore[import-untyped]
from numpy.typing import NDArray

from tests.service.process import serving

TASKS = ["animals", "semseg", "depth", "normals", "edges", "saliency"]
DIAL = {"gmacs": 0.005, "preference.depth": 1.0}


@pytest.fixture
def client(url: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(url.removeprefix("http://")) as client:
        yield client


def images(count: int = 2) -> NDArray[np.float32]:
    return np.random.default_rng(count).random((count, 3, 32, 32), dtype=np.float32)


def tensor(values: NDArray[np.float32], binary: bool = True) -> triton.InferInput:
    found = triton.InferInput("image", list(values.shape), "FP32")
    found.set_data_from_numpy(values, binary_data=binary)
    return found


def test_the_server_describes_itself(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.get_server_metadata()["name"] == "slimdial"
    assert set(client.get_server_metadata()["extensions"]) == {
        "binary_tensor_data",
        "statistics",
        "model_configuration",
        "model_repository",
    }


def test_a_model_describes_its_tensors(client: triton.InferenceServerClient) -> None:
    assert client.is_model_ready("tiny")
    described = client.get_model_metadata("tiny")
    assert described["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 3, 32, 32]}]
    assert [o["name"] for o in described["outputs"]] == TASKS
    config = client.get_model_config("tiny")
    assert config["max_batch_size"] == 32
    assert config["input"] == [{"name": "image", "data_type": "TYPE_FP32", "dims": [3, 32, 32]}]
    found = client.infer("tiny", [tensor(images(3))])
    for output, configured in zip(described["outputs"], config["output"], strict=True):
        values = found.as_numpy(output["name"])
        assert [-1, *values.shape[1:]] == output["shape"]
        assert output["shape"] == [-1, *configured["dims"]]


def test_every_way_to_send_and_to_get_tensors_gives_what_the_network_gives(
    client: triton.InferenceServerClient, url: str
) -> None:
    x = images()
    version = client.infer("tiny", [tensor(x)], parameters=DIAL).get_response()["model_version"]
    session = ort.InferenceSession(httpx.get(f"{url}/subnet/{version}/onnx").content)
    names = [o.name for o in session.get_outputs()]
    expected = dict(zip(names, session.run(names, {"image": x}), strict=True))
    for send_bytes in (True, False):
        for get_bytes in (True, False):
            found = client.infer(
                "tiny",
                [tensor(x, send_bytes)],
                model_version=version,
                outputs=[triton.InferRequestedOutput(n, binary_data=get_bytes) for n in TASKS],
                request_id="abc",
            )
            assert found.get_response()["id"] == "abc"
            for name in TASKS:
                np.testing.assert_allclose(found.as_numpy(name), expected[name], atol=1e-5)


def test_without_a_version_it_is_the_full_network_or_that_of_the_parameters(
    client: triton.InferenceServerClient, url: str
) -> None:
    full = client.infer("tiny", [tensor(images())]).get_response()
    largest = httpx.get(f"{url}/models/tiny").json()["budget"]["max_gmacs"]
    assert full["parameters"]["gmacs"] == largest
    again = client.infer("tiny", [tensor(images())]).get_response()
    assert again["model_version"] == full["model_version"]
    small = client.infer("tiny", [tensor(images())], parameters=DIAL).get_response()
    dialled = {"budget": {"gmacs": 0.005}, "preference": {"depth": 1.0}}
    subnet = httpx.post(f"{url}/subnet", json=dialled).json()
    assert small["model_version"] == subnet["subnet_id"]
    assert small["parameters"] == {"subnet_id": subnet["subnet_id"], "gmacs": subnet["gmacs"]}


def test_only_the_outputs_that_are_asked_for_come(client: triton.InferenceServerClient) -> None:
    wanted = [triton.InferRequestedOutput("edges"), triton.InferRequestedOutput("depth")]
    found = client.infer("tiny", [tensor(images())], outputs=wanted).get_response()
    assert [o["name"] for o in found["outputs"]] == ["edges", "depth"]


def test_errors_are_the_protocol_s(client: triton.InferenceServerClient) -> None:
    def refused(status: str, **changes: object) -> str:
        request = {"model_name": "tiny", "inputs": [tensor(images())]} | changes
        with pytest.raises(triton.InferenceServerException) as error:
            client.infer(**request)
        assert error.value.status() == status
        return str(error.value.message())

    assert "tiny" in refused("404", model_name="other")
    assert "deadbeef" in refused("404", model_version="deadbeef")
    assert "12345" in refused("404", model_version="12345")
    assert "1 to 32" in refused("400", inputs=[tensor(images(33))])
    assert "[1, 3, 16, 16]" in refused("400", inputs=[tensor(np.ones((1, 3, 16, 16), "f4"))])
    assert "teeth" in refused("400", outputs=[triton.InferRequestedOutput("teeth")])
    assert "GMACs" in refused("422", parameters={"gmacs": 1e-6})
    assert "gmac" in refused("422", parameters={"gmac": 1})
    assert "chosen already" in refused("400", parameters={"gmacs": 1}, model_version="a" * 32)
    assert "sequence_id" in refused("422", sequence_id=7)
    assert "compressed" in refused("415", request_compression_algorithm="gzip")
    assert not client.is_model_ready("other")
    with pytest.raises(triton.InferenceServerException, match="unknown model"):
        client.get_model_metadata("other")


def test_a_request_may_have_little_time(client: triton.InferenceServerClient) -> None:
    with pytest.raises(triton.InferenceServerException) as error:
        client.infer("tiny", [tensor(images())], parameters={"gmacs": 0.0031}, timeout=1)
    assert error.value.status() == "504"


def test_statistics_count_images_and_runs(client: triton.InferenceServerClient) -> None:
    first = client.infer("tiny", [tensor(images())], parameters={"gmacs": 0.004})
    version = first.get_response()["model_version"]

    def counted() -> dict[str, int]:
        (found,) = client.get_inference_statistics("tiny", version)["model_stats"]
        assert found["subnet_id"] == version
        return {name: found[name] for name in ("inference_count", "execution_count")}

    before = counted()
    client.infer("tiny", [tensor(images(3))], model_version=version)
    assert counted() == {
        "inference_count": before["inference_count"] + 3,
        "execution_count": before["execution_count"] + 1,
    }
    # perf_analyzer takes no other versions than numbers.
    everything = client.get_inference_statistics()["model_stats"]
    number = next(s["version"] for s in everything if s["subnet_id"] == version)
    assert int(number) < 2**63
    assert client.is_model_ready("tiny", number)
    assert (
        client.infer("tiny", [tensor(images())], model_version=number).get_response()[
            "model_version"
        ]
        == version
    )


def test_models_are_loaded_and_unloaded(models_root: Path, tmp_path: Path) -> None:
    with (
        serving(["--models-root", str(models_root)], tmp_path) as process,
        triton.InferenceServerClient(process.url.removeprefix("http://")) as client,
    ):
        index = client.get_model_repository_index
        assert index() == [{"name": "tiny", "version": "", "state": "READY", "reason": ""}]
        dial = {"gmacs": {"string_value": "0.005"}, "preference.depth": {"string_value": "1"}}
        client.load_model("tiny", config=json.dumps({"parameters": dial}))
        ((version),) = (entry["version"] for entry in index())
        assert client.get_model_metadata("tiny")["versions"] == [version]
        asked = {"tiny": version}
        assert client.is_model_ready(*asked.popitem())
        config = client.get_model_config("tiny", version)["parameters"]
        assert config["subnet_id"]["string_value"] == version
        assert float(config["gmacs"]["string_value"]) <= 0.005

        client.unload_model("tiny")
        assert not client.is_model_ready("tiny")
        assert [entry["state"] for entry in index()] == ["UNAVAILABLE"]
        with pytest.raises(triton.InferenceServerException) as error:
            client.infer("tiny", [tensor(images())], model_version=version)
        assert error.value.status() == "503"
        assert httpx.get(f"{process.url}/healthz").json()["sessions"]["count"] == 0

        client.load_model("tiny")  # the full network
        assert client.is_model_ready("tiny")
        found = client.infer("tiny", [tensor(images())], model_version=version)
        assert found.get_response()["model_version"] == version
        with pytest.raises(triton.InferenceServerException, match="nothing else"):
            client.load_model("tiny", config='{"max_batch_size": 4}')
        with pytest.raises(triton.InferenceServerException, match="not taken over HTTP"):
            client.load_model("tiny", config="{}", files={"file:1/model.onnx": b"x"})
