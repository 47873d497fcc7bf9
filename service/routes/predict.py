"""``/predict``: an image in, one answer per task out."""

import asyncio
import base64
import contextlib
import string
from functools import partial

from fastapi import APIRouter, Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import Response

from model_store.published import PublishedModel
from service.accept import negotiate
from service.bodies import media_type, parse_json, refuse_compressed, refuse_intricate
from service.errors import BadRequestError, UnprocessableError, UnsupportedMediaError
from service.examples import example_of
from service.openapi import prediction_body, problems
from service.patience import Patience, seconds_of
from service.prediction import Sent, Source
from service.queries import query_in, query_of
from service.routes.deps import runtime_of
from service.routes.direct import Direct
from service.schemas import PredictAnswer, PredictBody, PredictQuery
from service.security.access import needs

router = APIRouter(tags=["prediction"], dependencies=[needs("predict")], route_class=Direct)

_FORM_FIELD_BYTES = 1 << 16
_CHARSETS = (b"utf-8", b"utf8", b"us-ascii")
_WHITESPACE = string.whitespace.encode()


@router.post(
    "/predict",
    summary="Predict with a sub-network",
    response_class=Response,
    openapi_extra=prediction_body(),
    responses={
        200: {
            "model": PredictAnswer,
            "content": {"application/x-npz": {}, "image/png": {}},
        },
        **problems(400, 404, 406, 413, 415, 422, 429, 503, 504),
    },
)
async def predict(request: Request) -> Response:
    """Send the image as a multipart file field `image`, as the raw body, or in base64 JSON.

    JSON may name an `example` of the model instead; what is predicted is then measured against its
    ground truth.

    Name a `subnet_id`, or a `budget` and a `preference`. Dense outputs have the size of the image
    (EXIF orientation applied): segmentation as a PNG of class indices, depth as a 16-bit PNG in
    units of `scale`, normals and probabilities as 8-bit PNGs (`value = pixel * scale + offset`).
    `Accept: application/x-npz` gives arrays, `Accept: image/png` with `task` gives a picture.
    """
    runtime = runtime_of(request)
    seconds = seconds_of(request.headers, runtime.settings.request_timeout_s)
    form = negotiate(",".join(request.headers.getlist("accept")))
    query, source = await _read(request)
    async with Patience(request.receive, seconds) as allowed:
        answered = await runtime.predictions.predict(query, source, form, allowed)
    served = {"x-subnet-id": answered.subnet_id, "x-gmacs": f"{answered.gmacs:.9g}"}
    return Response(answered.content, media_type=answered.media_type, headers=served)


async def _read(request: Request) -> tuple[PredictQuery, Source]:
    refuse_compressed(request)
    kind = media_type(request)
    if kind == "multipart/form-data":
        return await _from_form(request)
    if kind.startswith("image/"):
        return query_in(request.scope["query_string"]), await request.body()
    if kind == "application/json":
        if request.query_params:
            raise UnprocessableError("with a JSON body, everything goes into the JSON")
        # A body of many megabytes takes long enough to parse to hold up others.
        asked = await asyncio.to_thread(_parsed, await request.body())
        return asked, partial(_from_json, asked)
    raise UnsupportedMediaError(
        "send the image as multipart/form-data (file field `image`), as the raw body with "
        "Content-Type: image/jpeg, image/png or image/webp, or as JSON with `image` in base64"
    )


class _InMemory(MultiPartParser):
    """A form whose file never touches the disk, which may be full: bodies are bounded anyway."""

    spool_max_size = 0  # means without bound


async def _from_form(request: Request) -> tuple[PredictQuery, Source]:
    _, parameters = parse_options_header(request.headers["content-type"])
    # Python's others are slow to read (punycode), or give what is no text (utf-7).
    if parameters.get(b"charset", b"utf-8").lower() not in _CHARSETS:
        raise BadRequestError("the form is in another charset than UTF-8: leave out charset=")
    async with contextlib.aclosing(request.stream()) as stream:
        form = _InMemory(
            request.headers, stream, max_files=1, max_fields=300, max_part_size=_FORM_FIELD_BYTES
        )
        try:
            fields = await form.parse()
        except MultiPartException as error:
            raise BadRequestError(f"the form cannot be read: {error.message}") from error
    try:
        image = fields.get("image")
        if not isinstance(image, UploadFile):
            raise UnprocessableError("the file field `image` is missing")
        text = [(n, v) for n, v in fields.multi_items() if isinstance(v, str)]
        query = query_of([*request.query_params.multi_items(), *text])
        content = await image.read()
    finally:
        await fields.close()
    return query, content


def _parsed(body: bytes) -> PredictBody:
    refuse_intricate(body)
    return parse_json(body, PredictBody)


def _from_json(asked: PredictBody, model: PublishedModel) -> Sent:
    if asked.example is not None:
        example = example_of(model, asked.example)
        return Sent(example.picture, example)
    try:
        # Not split and joined: that makes an object of every piece, and nobody else runs meanwhile.
        packed = (asked.image or "").encode("ascii").translate(None, _WHITESPACE)
        return Sent(base64.b64decode(packed, validate=True))
    except ValueError as error:
        raise UnprocessableError(f"image is not valid base64: {error}") from error
