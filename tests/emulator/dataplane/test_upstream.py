"""The client of serving processes: it reads any HTTP/1.1 and knows whether a request was sent."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from emulator.dataplane.upstream import BrokenError, NotSentError, Upstream

HEAD = b"POST /invocations HTTP/1.1\r\nContent-Length: 1\r\n\r\n"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def with_server(serve: Serve, work: Callable[[Upstream], Awaitable[Any]]) -> Any:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    upstream = Upstream(server.sockets[0].getsockname()[1])
    try:
        return await work(upstream)
    finally:
        upstream.close()
        server.close()


def answers(*parts: bytes, close: bool = False) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.002)
            if close:
                break
        writer.close()

    return serve


@pytest.mark.parametrize(
    ("parts", "close"),
    [
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",), False),
        ((b"HTTP/1.1 20", b"0 OK\r\nContent-Le", b"ngth: 5\r\n\r\nhe", b"llo"), False),
        ((b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",), False),
        (
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", b"2;x\r\nlo\r\n0\r\n\r\n"),
            False,
        ),
        ((b"HTTP/1.0 200 OK\r\n\r\nhel", b"lo"), True),
    ],
)
def test_it_reads_an_answer(parts: tuple[bytes, ...], close: bool) -> None:
    async def work(upstream: Upstream) -> list[bytes]:
        return [(await upstream.send(HEAD, b"x", 5)).body for _ in range(3)]

    assert asyncio.run(with_server(answers(*parts, close=close), work)) == [b"hello"] * 3


def test_nothing_was_sent_where_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        async def work() -> None:
            await Upstream(port).send(HEAD, b"x", 5)

        with pytest.raises(NotSentError):
            asyncio.run(work())


@pytest.mark.parametrize(
    "parts", [(), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel",), (b"no HTTP at all\r\n\r\n",)]
)
def test_a_broken_answer_is_told_apart(parts: tuple[bytes, ...]) -> None:
    async def work(upstream: Upstream) -> None:
        await upstream.send(HEAD, b"x", 5)

    with pytest.raises(BrokenError):
        asyncio.run(with_server(answers(*parts, close=True), work))


def test_a_time_out_and_draining() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        await asyncio.sleep(0.3)
        writer.close()

    async def work(upstream: Upstream) -> None:
        task = asyncio.create_task(upstream.send(HEAD, b"x", 0.1))
        await asyncio.sleep(0.01)
        assert upstream.outstanding == 1
        with pytest.raises(TimeoutError):
            await task
        await upstream.drained()
        assert upstream.outstanding == 0

    asyncio.run(with_server(silent, work))
