"""The front router: who serves a request that came to the public port."""

from aiohttp import web

from emulator.dataplane.proxy import Proxy


class Router:
    """Sends each request to the data plane or to the control process."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to any request."""
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            # The client holds its body back until it reads this (boto3 does for every S3 put).
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await self._proxy.forward(request)
