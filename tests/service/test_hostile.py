"""Whatever is sent is answered with 4xx problem+json that says what was wrong."""

import base64
import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from service.settings import Settings
from tests.service.running import Running, chunk, encoded, picture, running

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def service(
    models_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """One for all of them: none may leave a trace."""
    data_dir = tmp_path_factory.mktemp("data")
    async with running(Settings(models_root=models_root, data_dir=data_dir)) as service:
        yield service


JSON = {"content-type": "application/json"}
OK = {"gmacs": 0.005}


def refused(response: httpx.Response, *statuses: int) -> str:
    assert response.status_code in statuses, (response.status_code, response.text[:300])
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["title"]
    assert problem["error"] == problem["detail"]
    error: str = problem["error"]
    assert error
    assert "Traceback" not in response.text
    return error


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ("", 400, "JSON"),
        ("{", 400, "JSON"),
        ("not json", 400, "JSON"),
        ('{"budget": {"gmacs": NaN}}', 422, "gmacs"),
        ('{"budget": {"gmacs": Infinity}}', 422, "gmacs"),
        ('{"budget": {"gmacs": 1e999}}', 422, "gmacs"),
        ('{"budget": {"gmacs": 1e308}}', 422, "gmacs"),
        ('{"budget": {"gmacs": -1}}', 422, "gmacs"),
        ('{"budget": {"gmacs": 0}}', 422, "gmacs"),
        ('{"budget": {"gmacs": "4"}}', 422, "gmacs"),
        ('{"budget": {"gmacs": true}}', 422, "gmacs"),
        ('{"budget": {"gmacs": null}}', 422, "gmacs"),
        ('{"budget": {"gmacs": [1]}}', 422, "gmacs"),
        ('{"budget": {"gmacs": %s}}' % ("9" * 5000), 400, "number"),
        ('{"budget": {"gmacs": 1, "gflops": 1}}', 422, "gflops"),
        ('{"budget": 1}', 422, "budget"),
        ('{"preference": {}}', 422, "budget"),
        ("[]", 422, ""),
        ("null", 422, ""),
        ('"text"', 422, ""),
        ("[" * 30_000, 400, "JSON"),
        ('{"budget": ' + '{"a":' * 5_000 + "1" + "}" * 5_000 + "}", 400, "JSON"),
        ('{"budget": {"gmacs": 1}, "unknown": 1}', 422, "unknown"),
        ('{"budget": {"gmacs": 1}, "preference": {"depth": 1.1}}', 422, "depth"),
        ('{"budget": {"gmacs": 1}, "preference": {"depth": -0.1}}', 422, "depth"),
        ('{"budget": {"gmacs": 1}, "preference": {"depth": NaN}}', 422, "depth"),
        ('{"budget": {"gmacs": 1}, "preference": {"depth": "1"}}', 422, "depth"),
        ('{"budget": {"gmacs": 1}, "preference": {"nope": 1}}', 422, "depth"),
        ('{"budget": {"gmacs": 1}, "preference": {"": 1}}', 422, ""),
        ('{"budget": {"gmacs": 1}, "preference": [1]}', 422, "preference"),
        ('{"budget": {"gmacs": 1}, "tasks": []}', 422, "tasks"),
        ('{"budget": {"gmacs": 1}, "tasks": ["nope"]}', 422, "depth"),
        ('{"budget": {"gmacs": 1}, "tasks": "depth"}', 422, "tasks"),
        ('{"budget": {"gmacs": 1}, "tasks": [1]}', 422, "tasks"),
        ('{"budget": {"gmacs": 1}, "search": "magic"}', 422, "search"),
        ('{"budget": {"gmacs": 1}, "precision": "int8"}', 422, "precision"),
        ('{"budget": {"gmacs": 1}, "model": "nope"}', 404, "tiny"),
        ('{"budget": {"gmacs": 1}, "model": "../../etc/passwd"}', 404, "tiny"),
        ('{"budget": {"gmacs": 1}, "model": ""}', 422, "model"),
        ('{"budget": {"gmacs": 1}, "model": "\\ud800"}', 400, "JSON"),
        ('{"budget": {"gmacs": 1e-12}}', 422, "GMACs"),
    ],
)
async def test_a_dial_that_makes_no_sense(
    service: Running, body: str, status: int, says: str
) -> None:
    response = await service.http.post("/subnet", content=body, headers=JSON)
    assert says in refused(response, status)


async def test_bytes_that_are_no_text(service: Running) -> None:
    response = await service.http.post("/subnet", content=b"\xff\xfe\x00", headers=JSON)
    refused(response, 400)


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("path", ["/subnet", "/predict"])
async def test_a_body_of_another_type(service: Running, path: str, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    response = await service.http.post(path, content=b"{}", headers=headers)
    refused(response, 415)


@pytest.mark.parametrize(
    "path",
    [
        "/subnet",
        "/predict",
        "/curve",
        "/subnet/x/latency",
        "/v2/models/tiny/infer",
        "/v2/repository/index",
        "/v2/repository/models/tiny/load",
        "/v2/repository/models/tiny/unload",
    ],
)
async def test_a_body_that_is_compressed(service: Running, path: str) -> None:
    body = gzip.compress(json.dumps({"budget": OK}).encode())
    headers = {**JSON, "content-encoding": "gzip"}
    response = await service.http.post(path, content=body, headers=headers)
    assert "Content-Encoding" in refused(response, 415)
    headers["content-encoding"] = "Identity"
    response = await service.http.post(path, content=b"{", headers=headers)
    refused(response, 400)


async def test_a_body_that_is_too_large_with_a_length(service: Running) -> None:
    limit = service.runtime.settings.max_body_bytes
    for path in ("/subnet", "/predict"):
        headers = {"content-type": "image/png", "content-length": str(limit + 1)}
        refused(await service.http.post(path, content=b"", headers=headers), 413)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/subnet", "application/json"),
        ("/predict?subnet_id=x", "image/png"),
        ("/predict", "application/json"),
        ("/predict", "multipart/form-data; boundary=b"),
    ],
)
async def test_a_body_without_a_length_is_read_no_further_than_allowed(
    settings: Settings, path: str, kind: str
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--b\r\ncontent-disposition: form-data; name="image"; filename="x"\r\n\r\n'
        while True:
            sent += 1 << 16
            assert sent < 10 << 20
            yield b"0" * (1 << 16)

    limited = settings.model_copy(update={"max_body_bytes": 1 << 20})
    async with running(limited) as service:
        response = await service.http.post(path, content=endless(), headers={"content-type": kind})
        refused(response, 413)
        assert sent <= 2 << 20


def header(width: int, height: int, colours: int) -> bytes:
    """The first chunk of a PNG of 8 bits."""
    sides = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return chunk(b"IHDR", sides + bytes((8, colours, 0, 0, 0)))


END = chunk(b"IEND", b"")


def bomb(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and has no pixels."""
    pixels = chunk(b"IDAT", zlib.compress(b""))
    return b"\x89PNG\r\n\x1a\n" + header(width, height, 2) + pixels + END


def followed(image: Image.Image, *chunks: bytes) -> bytes:
    """A PNG with chunks behind its pixels."""
    return encoded(image).removesuffix(END) + b"".join(chunks) + END


def damaged() -> bytes:
    content = bytearray(encoded(picture(200, 200), "JPEG"))
    content[len(content) // 2 :] = b""
    return bytes(content)


def gif() -> bytes:
    return encoded(picture(), "GIF")


@pytest.mark.parametrize(
    ("image", "statuses"),
    [
        (b"", (415, 422)),
        (b"this is not an image", (415,)),
        (b"\x89PNG\r\n\x1a\n", (415, 422)),
        (encoded(picture())[:60], (415, 422)),
        (damaged(), (422,)),
        (b"\xff\xd8\xff" + bytes(100), (415, 422)),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", (415, 422)),
        (gif(), (415,)),
        (encoded(picture(), "BMP"), (415,)),
        (encoded(picture(), "TIFF"), (415,)),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", (415,)),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", (415,)),
        (bomb(8_000, 8_000), (413,)),
        (bomb(12_000, 12_000), (413,)),
        (bomb(60_000, 60_000), (413,)),
        (bomb(2**31 - 1, 2**31 - 1), (413, 415)),
        (bomb(65_536, 1), (413,)),
        (bomb(1, 65_536), (413,)),
        (bomb(65_535, 1), (422,)),
        (bomb(1_000, 1_000), (422,)),
        (bomb(0, 0), (415, 422)),
        (followed(Image.new("RGB", (5, 4)), chunk(b"iCCP", b"a\0")), (422,)),
        (followed(Image.new("L", (5, 4)), header(7, 9, 3), chunk(b"tRNS", bytes(2))), (422,)),
    ],
)
async def test_what_is_no_image_or_too_much_of_one(
    service: Running, image: bytes, statuses: tuple[int, ...]
) -> None:
    query = {"budget": str(service.gmacs(0.1))}
    response = await service.http.post(
        "/predict", params=query, content=image, headers={"content-type": "image/jpeg"}
    )
    refused(response, *statuses)
    response = await service.http.post("/predict", data=query, files={"image": ("x.png", image)})
    refused(response, *statuses)


async def test_an_image_with_more_pixels_or_bytes_than_allowed(settings: Settings) -> None:
    limited = settings.model_copy(update={"max_pixels": 100, "max_image_bytes": 2_000})
    async with running(limited) as service:
        for image in (encoded(Image.new("RGB", (11, 10))), bytes(2_001)):
            response = await service.http.post(
                "/predict",
                params={"budget": str(service.gmacs(0.1))},
                content=image,
                headers={"content-type": "image/png"},
            )
            assert "allowed" in refused(response, 413)


async def test_outputs_that_would_be_too_large(settings: Settings) -> None:
    limited = settings.model_copy(update={"max_output_bytes": 100_000})
    async with running(limited) as service:
        image = encoded(Image.new("RGB", (200, 200)))
        for accept, tasks, status in (
            ("application/json", "semseg,depth,normals", 422),
            ("application/json", "edges", 200),
            ("application/x-npz", "edges", 422),
        ):
            response = await service.http.post(
                "/predict",
                params={"budget": str(service.gmacs(0.1)), "tasks": tasks},
                content=image,
                headers={"content-type": "image/png", "accept": accept},
            )
            assert response.status_code == status
            if status == 422:
                assert "fewer tasks" in refused(response, 422)


IMAGE = base64.b64encode(encoded(picture())).decode()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"image": IMAGE}, 422),
        ({"budget": OK}, 422),
        ({"image": 1, "budget": OK}, 422),
        ({"image": "%%%", "budget": OK}, 422),
        ({"image": "é", "budget": OK}, 422),
        ({"image": "", "budget": OK}, 422),
        ({"image": "YWJj", "budget": OK}, 415),
        ({"image": IMAGE, "subnet_id": "0" * 32}, 404),
        ({"image": IMAGE, "subnet_id": "../x"}, 404),
        ({"image": IMAGE, "subnet_id": "0" * 32, "budget": OK}, 422),
        ({"image": IMAGE, "subnet_id": "0" * 32, "preference": {"depth": 1}}, 422),
        ({"image": IMAGE, "preference": {"depth": 1}}, 422),
        ({"image": IMAGE, "budget": OK, "tasks": ["nope"]}, 422),
        ({"image": IMAGE, "budget": OK, "extra": 1}, 422),
        ({"image": IMAGE, "budget": {"gmacs": 1e-9}}, 422),
        ({"image": IMAGE, "budget": OK, "model": "nope"}, 404),
        ([IMAGE], 422),
    ],
)
async def test_a_json_prediction_that_makes_no_sense(
    service: Running, body: object, status: int
) -> None:
    refused(await service.http.post("/predict", json=body), status)


async def test_base64_in_short_pieces_takes_as_much_memory_as_in_one(service: Running) -> None:
    async def peak(image: str) -> int:
        tracemalloc.start()
        try:
            answer = await service.http.post("/predict", json={"image": image, "budget": OK})
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        refused(answer, 415)
        return most

    await peak("AAAA")  # builds the sub-network
    pieces = 500_000 * "AA "
    assert await peak(pieces) < 1.5 * await peak(len(pieces) * "A")


async def test_nan_and_nesting_in_a_json_prediction(service: Running) -> None:
    nan = '{"image": "", "budget": {"gmacs": NaN}}'
    refused(await service.http.post("/predict", content=nan, headers=JSON), 422)
    for depth, status in ((1_000, 400), (100_000, 413)):
        deep = '{"image": ' + "[" * depth
        refused(await service.http.post("/predict", content=deep, headers=JSON), status)


@pytest.mark.parametrize("part", [[], {}, {"a": 1}, "a"])
async def test_a_json_prediction_of_more_parts_than_one_has_is_not_parsed(
    service: Running, part: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [f"task{i}" for i in range(256)]
    largest = {"image": IMAGE, "budget": OK, "tasks": tasks, "preference": dict.fromkeys(tasks, 1)}
    assert "unknown tasks" in refused(await service.http.post("/predict", json=largest), 422)
    monkeypatch.delattr("service.routes.predict.parse_json")
    answer = await service.http.post("/predict", json={"tasks": 5000 * [part]})
    assert "4096 are allowed" in refused(answer, 413)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 422),
        ("budget=x", 422),
        ("budget=NaN", 422),
        ("budget=-1", 422),
        ("budget=[1]", 422),
        ('budget={"gmacs":1,"x":2}', 422),
        ("budget=1&budget=2", 422),
        ("budget=1&budget.gmacs=2", 422),
        ("budget.gmacs.x=1", 422),
        ("budget=1&preference=1", 422),
        ("budget=1&preference.depth=2", 422),
        ("budget=1&preference.nope=1", 422),
        ("budget=1&preference.=1", 422),
        ("budget=1&tasks=", 422),
        ("budget=1&tasks=nope", 422),
        ("budget=1&nope=1", 422),
        ("budget=1&task=nope", 422),
        ("subnet_id=", 422),
        ("subnet_id=x&budget=1", 422),
        ("request=", 400),
        ("request={", 400),
        ("request={}", 422),
        ('request={"subnet_id":"x"}&budget=1', 422),
        ("&".join(f"a{i}=1" for i in range(1000)), 422),
        ("budget=" + "[" * 1000, 422),
        ("%00=%ff&budget=1", 422),
    ],
)
async def test_a_query_that_makes_no_sense(service: Running, query: str, status: int) -> None:
    response = await service.http.post(
        f"/predict?{query}", content=encoded(picture()), headers={"content-type": "image/png"}
    )
    refused(response, status)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\n\r\n--b--"),
        ("multipart/form-data; boundary=b", b"--b\r\ngarbage"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\ncontent-disposition: form-data; name="image"\r\n\r\ntext\r\n--b--\r\n',
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\ncontent-disposition: form-data; name="budget"\r\n\r\n'
            + b"1" * 100_000
            + b"\r\n--b--\r\n",
        ),
    ],
)
async def test_a_form_that_makes_no_sense(service: Running, kind: str, body: bytes) -> None:
    response = await service.http.post("/predict", content=body, headers={"content-type": kind})
    refused(response, 400, 413, 422)


@pytest.mark.parametrize("name", ["tasks", "preference.depth", "request"])
async def test_a_form_of_more_text_than_any_dial(service: Running, name: str) -> None:
    short = {name: 200 * [100 * "[1],"]}
    answer = await service.http.post("/predict", data=short, files={"image": encoded(picture())})
    assert "65536 characters together" in refused(answer, 413)


async def test_two_images_in_one_form(service: Running) -> None:
    image = encoded(picture())
    files = [("image", ("a.png", image)), ("image", ("b.png", image))]
    refused(await service.http.post("/predict?budget=1", files=files), 400, 422)


@pytest.mark.parametrize(
    "charset", ["utf-7", "unicode_escape", "utf-16", "punycode", "undefined", "base64", "nope", ""]
)
async def test_a_form_in_another_charset_is_not_read(service: Running, charset: str) -> None:
    async def form() -> AsyncIterator[bytes]:
        raise AssertionError
        yield b""

    kind = f"multipart/form-data; boundary=b; charset={charset}"
    answer = await service.http.post("/predict", content=form(), headers={"content-type": kind})
    assert "UTF-8" in refused(answer, 400)


@pytest.mark.parametrize("charset", ["", ";charset=utf-8", ';charset="UTF8"', ";Charset=US-ASCII"])
@pytest.mark.parametrize("text", [b"+2AA-", rb"\ud800", b"\xff", b"\xed\xa0\x80"])
async def test_a_form_of_what_is_no_text(service: Running, charset: str, text: bytes) -> None:
    kind = f"multipart/form-data; boundary=b{charset}"
    for name, status in ((b"request", 400), (b"model", 422), (text, 422)):
        form = b""
        for field in (b'"image"; filename="x"', b'"%s"' % name):
            form += b"--b\r\nContent-Disposition: form-data; name=%s\r\n\r\n" % field
            form += text + b"\r\n"
        form += b"--b--\r\n"
        answer = await service.http.post("/predict", content=form, headers={"content-type": kind})
        refused(answer, status)


async def test_an_error_quotes_no_more_than_a_person_reads(service: Running) -> None:
    name = "a" * 9000
    said = refused(await service.http.get(f"/models/{name}"), 404)
    assert said.startswith("unknown model 'aaa")
    assert len(said) < 1100
    refusal = await service.http.post("/predict", json={100_000 * "a": 1, "image": ""})
    assert "aaa" in refused(refusal, 422)
    assert len(refusal.content) < 5000


async def test_paths_and_methods_that_are_not_there(service: Running) -> None:
    refused(await service.http.get("/nope"), 404)
    refused(await service.http.get("/models/nope"), 404)
    refused(await service.http.get("/models/..%2f..%2fetc"), 404)
    refused(await service.http.delete("/subnet"), 405)
    assert (await service.http.get("/predict")).headers["allow"] == "POST"
    assert (await service.http.head("/predict")).headers["allow"] == "POST"
    for path in ("/livez", "/readyz", "/openapi.json", "/page/icon.svg"):
        assert (await service.http.delete(path)).headers["allow"] == "GET, HEAD"


async def test_after_all_that_the_service_still_works(service: Running) -> None:
    for body in ("[" * 30_000, '{"budget": {"gmacs": NaN}}', json.dumps({"budget": OK})[:-1]):
        await service.http.post("/subnet", content=body, headers=JSON)
    assert (await service.dial())["cache"] == "miss"
