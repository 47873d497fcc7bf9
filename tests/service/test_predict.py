import base64
import io
import json
import math
import tempfile
import threading
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.imaging import Picture, prepared
from service.settings import Settings
from tests.disks import DISK_BYTES
from tests.service.running import Running, encoded, picture, running

pytestmark = pytest.mark.anyio

WIDTH, HEIGHT = 50, 40


async def raw(
    service: Running, image: bytes, accept: str = "*/*", **query: object
) -> httpx.Response:
    return await service.http.post(
        "/predict",
        params={name: str(value) for name, value in query.items()},
        content=image,
        headers={"content-type": "image/png", "accept": accept},
    )


async def outputs(service: Running, image: bytes, **query: str | float) -> dict[str, Any]:
    response = await raw(service, image, "application/json", **query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()["outputs"]
    return found


async def reference(
    service: Running, subnet_id: str, image: Image.Image
) -> dict[str, NDArray[np.float32]]:
    """The network's own outputs, from the file that a client would download."""
    content = (await service.http.get(f"/subnet/{subnet_id}/onnx")).content
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    small = image.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
    batch = np.asarray(small, np.float32).transpose(2, 0, 1)[None] / 255
    names = [o.name for o in session.get_outputs()]
    return {n: v[0] for n, v in zip(names, session.run(names, {"image": batch}), strict=True)}


def pixels(output: dict[str, Any]) -> NDArray[Any]:
    with Image.open(io.BytesIO(base64.b64decode(output["data"]))) as image:
        assert image.format == "PNG"
        return np.asarray(image)


async def test_every_kind_of_task_is_answered_at_the_size_of_the_image(service: Running) -> None:
    subnet_id = (await service.dial())["subnet_id"]
    found = await outputs(service, encoded(picture(WIDTH, HEIGHT)), subnet_id=subnet_id)
    expected = await reference(service, subnet_id, picture(WIDTH, HEIGHT))

    animals = found.pop("animals")
    assert animals["kind"] == "classification"
    assert animals["labels"] == ["ant", "bee", "cat"]
    powers = np.exp(expected["animals"])
    assert animals["probabilities"] == pytest.approx(powers / powers.sum(), abs=1e-5)

    for name, output in found.items():
        assert output["kind"] == {"semseg": "segmentation"}.get(name, name)
        assert (output["height"], output["width"]) == (HEIGHT, WIDTH)
        assert pixels(output).shape[:2] == (HEIGHT, WIDTH)
    assert found["semseg"]["encoding"] == "png"
    assert found["semseg"]["labels"] == ["wall", "floor", "box", "ball"]
    assert pixels(found["semseg"]).max() < 4
    assert found["depth"] | {"data": ""} == {
        "kind": "depth",
        "height": HEIGHT,
        "width": WIDTH,
        "encoding": "png16",
        "data": "",
        "scale": 0.001,
        "unit": "m",
    }
    assert pixels(found["depth"]).dtype in (np.uint16, np.int32)
    assert pixels(found["normals"]).shape == (HEIGHT, WIDTH, 3)
    # Interpolation keeps means, up to the weight of borders.
    metres = pixels(found["depth"]) * 0.001
    assert metres.mean() == pytest.approx(expected["depth"].mean(), rel=0.05)


async def test_an_image_of_the_network_s_own_size_is_answered_exactly(service: Running) -> None:
    subnet_id = (await service.dial())["subnet_id"]
    image = picture(32, 32)
    expected = await reference(service, subnet_id, image)
    response = await raw(service, encoded(image), "application/x-npz", subnet_id=subnet_id)
    assert response.headers["content-type"] == "application/x-npz"
    with np.load(io.BytesIO(response.content), allow_pickle=False) as arrays:
        np.testing.assert_allclose(arrays["semseg.logits"], expected["semseg"], atol=1e-5)
        for name in ("depth", "edges", "saliency"):
            if expected[name].shape[1:] == (32, 32):
                np.testing.assert_allclose(arrays[name], expected[name][0], atol=1e-5)
            assert arrays[name].shape == (32, 32)
        np.testing.assert_allclose(np.linalg.norm(arrays["normals"], axis=-1), 1, atol=1e-4)
        assert arrays["semseg"].dtype == np.uint16
        assert arrays["animals"].sum() == pytest.approx(1)


async def test_the_three_ways_to_send_an_image_are_one(service: Running) -> None:
    subnet_id = (await service.dial())["subnet_id"]
    image = encoded(picture())
    expected = await outputs(service, image, subnet_id=subnet_id)
    files = {"image": ("any name.bin", image, "application/octet-stream")}
    ways: list[dict[str, Any]] = [
        {"files": files, "data": {"subnet_id": subnet_id}},
        {"files": files, "params": {"subnet_id": subnet_id}},
        {"files": files, "data": {"request": json.dumps({"subnet_id": subnet_id})}},
        {"json": {"image": base64.b64encode(image).decode(), "subnet_id": subnet_id}},
        {"json": {"image": base64.encodebytes(image).decode(), "subnet_id": subnet_id}},
        {
            "content": image,
            "headers": {"content-type": "image/x-whatever; charset=x"},
            "params": {"request": json.dumps({"subnet_id": subnet_id})},
        },
    ]
    for way in ways:
        response = await service.http.post("/predict", **way)
        assert response.status_code == 200, response.text
        assert response.json()["outputs"] == expected


async def test_a_large_image_in_a_form_needs_no_room_on_the_disk(
    service: Running, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (800, 800, 3), dtype=np.uint8)
    image = encoded(Image.fromarray(noise))
    assert len(image) > DISK_BYTES
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    sent = await service.http.post(f"/predict?budget={service.gmacs(0)}", files={"image": image})
    assert sent.status_code == 200, sent.text


async def test_brief_predictions_of_a_worker_with_one_thread_are_the_same(
    settings: Settings,
) -> None:
    async with running(settings.model_copy(update={"threads": 1})) as service:
        assert service.runtime.predictions.lanes.runs_brief_work_here
        subnet_id = (await service.dial())["subnet_id"]
        image = encoded(picture(), "JPEG")
        first, *others = [await outputs(service, image, subnet_id=subnet_id) for _ in range(20)]
        service.runtime.threads.predict.shutdown()
        assert await outputs(service, image, subnet_id=subnet_id) == first
    assert all(other == first for other in others)


async def test_a_progressive_image_is_not_taken_for_a_brief_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran_in: list[threading.Thread] = []

    def seen(*given: Any) -> Picture:  # noqa: ANN401
        ran_in.append(threading.current_thread())
        return prepared(*given)

    monkeypatch.setattr("service.prediction.prepared", seen)
    async with running(settings.model_copy(update={"threads": 1})) as service:
        monkeypatch.setattr("service.scheduling.brief.LONGEST_S", math.inf)
        subnet_id = (await service.dial())["subnet_id"]
        for progressive in (False, True):
            image = encoded(picture(), "JPEG", progressive=progressive)
            await outputs(service, image, subnet_id=subnet_id)
            await outputs(service, image, subnet_id=subnet_id)
    here = [thread is threading.main_thread() for thread in ran_in]
    assert here == [False, True, False, True]


async def test_a_dial_can_be_sent_with_the_image(service: Running) -> None:
    dial = {"budget": {"gmacs": service.gmacs(0.5)}, "preference": {"depth": 1.0}}
    image = encoded(picture())
    answer = await service.http.post(
        "/predict", json={"image": base64.b64encode(image).decode(), **dial}
    )
    assert answer.json()["cache"] == "miss"
    subnet_id = answer.json()["subnet_id"]
    assert subnet_id == (await service.dial(0.5, preference={"depth": 1.0}))["subnet_id"]
    flat = {"budget": service.gmacs(0.5), "preference.depth": 1.0}
    nested = {"budget": json.dumps(dial["budget"]), "preference": json.dumps(dial["preference"])}
    for query in (flat, nested, {"request": json.dumps(dial)}):
        response = (await raw(service, image, **query)).json()
        assert (response["subnet_id"], response["cache"]) == (subnet_id, "hit")
        assert set(response["timings_ms"]) == {"decode", "infer", "encode"}
        assert response["gmacs"] <= service.gmacs(0.5)


async def test_kept_tasks_are_the_only_ones_answered(service: Running) -> None:
    found = await outputs(
        service, encoded(picture()), budget=service.gmacs(0.5), tasks="depth, edges"
    )
    assert set(found) == {"depth", "edges"}


async def test_exif_orientation_is_honoured(service: Running) -> None:
    subnet_id = (await service.dial())["subnet_id"]
    upright = picture(48, 32)
    expected = await outputs(service, encoded(upright), subnet_id=subnet_id)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    turned = encoded(upright.transpose(Image.Transpose.ROTATE_90), exif=exif)
    assert await outputs(service, turned, subnet_id=subnet_id) == expected
    assert (expected["depth"]["height"], expected["depth"]["width"]) == (32, 48)


async def test_pictures_are_for_people(service: Running) -> None:
    subnet_id = (await service.dial())["subnet_id"]
    image = encoded(picture(WIDTH, HEIGHT))
    for task in ("semseg", "depth", "normals", "edges", "saliency"):
        response = await raw(service, image, "image/png", subnet_id=subnet_id, task=task)
        assert response.headers["content-type"] == "image/png"
        with Image.open(io.BytesIO(response.content)) as drawn:
            assert drawn.size == (WIDTH, HEIGHT)
            assert drawn.mode == ("L" if task in ("edges", "saliency") else "RGB")
    labels = pixels((await outputs(service, image, subnet_id=subnet_id))["semseg"])
    response = await raw(service, image, "image/png", subnet_id=subnet_id, task="semseg")
    palette = np.array(service.model.manifest.task("semseg").palette)
    with Image.open(io.BytesIO(response.content)) as drawn:
        assert np.array_equal(np.asarray(drawn), palette[labels])


async def test_a_header_on_several_lines_is_one(service: Running) -> None:
    lines = [("content-type", "image/png"), ("accept", "text/html")]
    lines.append(("accept", "application/x-npz"))
    response = await service.http.post(
        f"/predict?budget={service.gmacs(0.5)}", content=encoded(picture()), headers=lines
    )
    assert response.headers["content-type"] == "application/x-npz"


@pytest.mark.parametrize(
    ("accept", "task", "status"),
    [
        ("image/png", "animals", 406),  # a classification has no picture
        ("image/png", None, 422),
        ("image/png", "unknown", 422),
        ("text/html", None, 406),
        ("application/json;q=0", None, 406),
    ],
)
async def test_an_answer_that_cannot_be_given_is_explained(
    service: Running, accept: str, task: str | None, status: int
) -> None:
    query = {"subnet_id": (await service.dial())["subnet_id"]} | ({"task": task} if task else {})
    response = await raw(service, encoded(picture()), accept, **query)
    assert response.status_code == status
    assert response.json()["error"]


async def test_a_small_image_is_answered_at_its_own_size(service: Running) -> None:
    subnet_id = (await service.dial())["subnet_id"]
    found = await outputs(service, encoded(picture(1, 3)), subnet_id=subnet_id)
    assert pixels(found["semseg"]).shape == (3, 1)


async def test_a_subnetwork_of_another_process_can_be_predicted_with(service: Running) -> None:
    subnet_id = (await service.dial())["subnet_id"]
    assert subnet_id not in service.runtime.sessions
    await outputs(service, encoded(picture()), subnet_id=subnet_id)
    assert subnet_id in service.runtime.sessions
    assert await service.metric("slimdial_sessions") == 1
    assert await service.metric("slimdial_session_bytes") > 0
    assert await service.metric("slimdial_inference_duration_seconds_count", model="tiny") == 1
