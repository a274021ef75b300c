"""HTTP/1.1 to one serving process over kept connections, knowing of every failure whether the request was sent.

A general client hides that, and it decides whether a POST may be tried on another instance.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

MAX_IDLE_SECONDS = 4.0
"""Shorter than any server's idle limit (uvicorn's 5 s is the shortest known): a connection that the server is
about to close is never used, so no request is lost in one."""


class NotSentError(Exception):
    """No byte of the request reached the instance: it may be tried elsewhere."""


class BrokenError(Exception):
    """The connection ended, or the answer was no HTTP, after the request was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the container answered; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Connection(asyncio.Protocol):
    """One connection, one exchange at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.idle_since = 0.0
        self._buffer = bytearray()
        self._waiter: asyncio.Future[Answer] | None = None
        self._head: tuple[int, dict[str, str]] | None = None
        self._need: int | None = None
        self._chunked = False
        self._body = bytearray()
        self.keep = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.keep = False
        if self._waiter is None or self._waiter.done():
            return
        if self._head is not None and self._need is None and not self._chunked:
            self._finish(bytes(self._buffer))  # a body that ends with the connection, as HTTP/1.0 sends it
        else:
            self._waiter.set_exception(BrokenError(str(exc or "the connection was closed")))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._waiter is None or self._waiter.done():
            self.close()  # bytes that nobody asked for
            return
        try:
            self._parse()
        except ValueError as error:
            self.keep = False
            if not self._waiter.done():
                self._waiter.set_exception(BrokenError(f"the answer is no HTTP: {error}"))
            self.close()

    async def exchange(self, head: bytes, body: bytes) -> Answer:
        if self.transport is None or self.transport.is_closing():
            raise NotSentError("the connection was closed")
        self._head, self._need, self._chunked, self._body = None, None, False, bytearray()
        self._waiter = asyncio.get_running_loop().create_future()
        if len(body) < 65536:
            self.transport.write(head + body)
        else:
            self.transport.write(head)
            self.transport.write(body)
        return await self._waiter

    def close(self) -> None:
        self.keep = False
        if self.transport is not None:
            self.transport.close()

    def _parse(self) -> None:
        while self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > 65536:
                    raise ValueError("headers of more than 64 KiB")
                return
            self._read_head(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
        if self._chunked:
            self._read_chunks()
        elif self._need is not None and len(self._buffer) >= self._need:
            body = bytes(self._buffer[: self._need])
            del self._buffer[: self._need]
            self._finish(body)

    def _read_head(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1."):
            raise ValueError(first[:80])
        status = int(rest[:3])
        if 100 <= status < 200:
            return
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        connection = headers.get("connection", "").lower()
        self.keep = connection != "close" and (version != "HTTP/1.0" or connection == "keep-alive")
        self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        if status in (204, 304):
            self._need = 0
        elif "content-length" in headers:
            self._need = int(headers["content-length"])
        self._head = (status, headers)

    def _read_chunks(self) -> None:
        while True:
            end = self._buffer.find(b"\r\n")
            if end < 0:
                return
            size = int(bytes(self._buffer[:end]).split(b";")[0], 16)
            if len(self._buffer) < end + 2 + size + 2:
                return
            self._body += self._buffer[end + 2 : end + 2 + size]
            del self._buffer[: end + 2 + size + 2]
            if size == 0:
                self._finish(bytes(self._body))
                return

    def _finish(self, body: bytes) -> None:
        assert self._head is not None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(Answer(self._head[0], self._head[1], body))


class Upstream:
    """One instance: its idle connections and how many requests are under way on it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[_Connection] = []
        self.outstanding = 0
        self._empty = asyncio.Event()
        self._empty.set()

    async def send(self, head: bytes, body: bytes, timeout: float, delay: float = 0.0) -> Answer:
        """The answer to one request.

        Args:
            delay: seconds that a slow model is made slower by; they count as the model's.

        Raises:
            NotSentError: nothing was sent; the instance does not take connections.
            BrokenError: it was sent and no whole answer came.
            TimeoutError: no answer within `timeout` seconds.
        """
        self.outstanding += 1
        self._empty.clear()
        try:
            async with asyncio.timeout(timeout):
                if delay:
                    await asyncio.sleep(delay)
                connection = await self._connection()
                try:
                    answer = await connection.exchange(head, body)
                except BaseException:
                    connection.close()
                    raise
            if connection.keep:
                connection.idle_since = time.monotonic()
                self._idle.append(connection)
            else:
                connection.close()
            return answer
        finally:
            self.outstanding -= 1
            if self.outstanding == 0:
                self._empty.set()

    async def drained(self) -> None:
        """Return when no request is under way."""
        await self._empty.wait()

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    async def _connection(self) -> _Connection:
        oldest = time.monotonic() - MAX_IDLE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            transport = connection.transport
            if (
                connection.keep
                and connection.idle_since > oldest
                and transport
                and not transport.is_closing()
            ):
                return connection
            connection.close()
        try:
            _, made = await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", self._port)
        except OSError as error:
            raise NotSentError(str(error)) from error
        return made
