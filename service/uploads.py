"""ASGI middleware: bodies may be neither too large, nor too slow, nor too many."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import SlowError, TooLargeError, UnavailableError, answer

_BYTES_PER_S = 1 << 16


class Uploads:
    """Refuses a body that is too large with 413, and one that takes too long with 408.

    And with 503 one for which there is no room beside the bodies of all other requests: what has
    come of a body is held until its request is done.

    Too large it is at the header where there is a Content-Length, else (chunked encoding) while it
    streams. Nothing is done for a request before its body is there, so a slow one takes nobody's
    place.
    """

    def __init__(self, app: ASGIApp, limit_bytes: int, total_bytes: int, timeout_s: float) -> None:
        """Around an app.

        Args:
            app: that.
            limit_bytes: the most bytes of a body.
            total_bytes: the most bytes of all bodies together.
            timeout_s: until a body must be there, and a second more for every 64 KiB of it.
        """
        self._app = app
        self._limit = limit_bytes
        self._total = total_bytes
        self._held = 0
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared[:20]) > self._limit:
            await answer(self._too_large())(scope, receive, send)
            return
        received, whole = 0, False
        start = asyncio.get_running_loop().time()

        async def counted() -> Message:
            nonlocal received, whole
            if whole:  # what may still come is that the client leaves
                return await receive()
            try:
                async with asyncio.timeout_at(start + self._timeout_s + received / _BYTES_PER_S):
                    message = await receive()
            except TimeoutError as error:
                raise SlowError(
                    f"{received} bytes of the body had come after "
                    f"{asyncio.get_running_loop().time() - start:.0f} s: too slow"
                ) from error
            size = len(message.get("body", b""))
            received += size
            self._held += size
            whole = not message.get("more_body", False)
            if received > self._limit:
                raise self._too_large()
            if self._held > self._total:
                raise UnavailableError(
                    f"the bodies of all requests are larger than {self._total} bytes together: "
                    "try again in a moment"
                )
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._held -= received

    def _too_large(self) -> TooLargeError:
        return TooLargeError(
            f"the body is larger than {self._limit} bytes, the most that is taken here",
            max_body_bytes=self._limit,
        )
