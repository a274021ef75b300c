"""Hands a request to the control process as it came: same path bytes, same Host, same body."""

import aiohttp
from aiohttp import web
from yarl import URL

from emulator.api import LOST

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
    }
)
_CHUNK = 256 * 1024


class Proxy:
    """A client of the control process. moto's HTTP server closes every connection, so none is kept."""

    def __init__(self, control_url: str) -> None:
        self._base = control_url
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )

    async def close(self) -> None:
        await self._session.close()

    async def forward(self, request: web.BaseRequest) -> web.StreamResponse:
        """The control process's answer to `request`, streamed both ways.

        The Host header is kept: signatures cover it and S3 finds virtual-host buckets by it.
        """
        headers = [
            (name, value) for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP
        ]
        body: aiohttp.StreamReader | bytes | None = None
        if request.headers.get("Transfer-Encoding"):
            # moto wants a length; clients send chunks only for bodies of unknown length.
            body = await request.content.read()
        elif request.headers.get("Content-Length", "0") != "0":
            body = request.content
        try:
            async with self._session.request(
                request.method,
                URL(self._base + request.raw_path, encoded=True),
                headers=headers,
                data=body,
                allow_redirects=False,
            ) as answer:
                if LOST in answer.headers:
                    return _break(request)
                return await _copy(request, answer)
        except aiohttp.ClientConnectionError as error:
            return web.json_response({"message": f"the control process did not answer: {error}"}, status=503)


def _break(request: web.BaseRequest) -> web.Response:
    """Close the client's connection before any answer; the answer given here goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _copy(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, reason=answer.reason)
    for name, value in answer.headers.items():
        if name.lower() not in _HOP_BY_HOP:
            response.headers.add(name, value)
    await response.prepare(request)
    if request.method != "HEAD":
        async for chunk in answer.content.iter_chunked(_CHUNK):
            await response.write(chunk)
    await response.write_eof()
    return response
