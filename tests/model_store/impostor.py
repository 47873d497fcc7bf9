"""Something that listens where Redis should, and is not Redis."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

Answer = Callable[[bytes], Awaitable[bytes]]
"""What is sent back for the bytes that came."""


@contextlib.asynccontextmanager
async def impostor(path: Path, answer: Answer) -> AsyncIterator[str]:
    """Listens on a Unix socket; yields its URL."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while asked := await reader.read(1 << 16):
                writer.write(await answer(asked))
                await writer.drain()
        writer.transport.abort()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(talk(reader, writer))
        talks.add(task)
        task.add_done_callback(talks.discard)

    server = await asyncio.start_unix_server(connected, path)
    async with server:
        yield f"unix://{path}"
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks)


def always(reply: bytes) -> Answer:
    """The same answer to every command, however many came at once."""

    async def answer(asked: bytes) -> bytes:
        return reply * asked.count(b"*")  # a command starts with the number of its arguments

    return answer


NONSENSE = {
    "text": always(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "bytes": always(b"\x00\xff\xfe\r\n"),
    "an endless line": always(b"+" + b"x" * (1 << 20)),
    "no number where one belongs": always(b":many\r\n"),
    "no length where one belongs": always(b"$lots\r\n"),
    "a negative length": always(b"$-7\r\n"),
    "a length that never comes": always(b"$1000000\r\nx"),
    "lists in lists": always(b"*1\r\n" * 20_000),
    "half an answer": always(b"$10\r\nhalf"),
    "an integer": always(b":5\r\n"),
    "nothing": always(b"_\r\n"),
    "a list": always(b"*2\r\n:1\r\n$1\r\nx\r\n"),
    "an empty list": always(b"*0\r\n"),
    "a map": always(b"%1\r\n+key\r\n+value\r\n"),
    "a double": always(b",1.5\r\n"),
    "other text": always(b"+other\r\n"),
    "other bytes": always(b"$5\r\nother\r\n"),
    "an error": always(b"-ERR I am not Redis\r\n"),
    "an error without words": always(b"-\r\n"),
}
"""Answers that are none, by what they are: first those that break the protocol, then others."""
