"""ASGI middleware: bodies may be neither too large nor too slow."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import SlowError, TooLargeError, answer

_BYTES_PER_S = 1 << 16


class Uploads:
    """Refuses a body that is too large with 413, and one that takes too long with 408.

    Too large it is at the header where there is a Content-Length, else (chunked encoding) while it
    streams. Nothing is done for a request before its body is there, so a slow one takes nobody's
    place.
    """

    def __init__(self, app: ASGIApp, limit_bytes: int, timeout_s: float) -> None:
        """Around an app.

        Args:
            app: that.
            limit_bytes: the most bytes of a body.
            timeout_s: until a body must be there, and a second more for every 64 KiB of it.
        """
        self._app = app
        self._limit = limit_bytes
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
            received += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if received > self._limit:
                raise self._too_large()
            return message

        await self._app(scope, counted, send)

    def _too_large(self) -> TooLargeError:
        return TooLargeError(
            f"the body is larger than {self._limit} bytes, the most that is taken here",
            max_body_bytes=self._limit,
        )
