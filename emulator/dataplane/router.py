"""The front router: who serves a request that came to the public port."""

import json
import re
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from emulator.dataplane import errors
from emulator.dataplane.invoke import Invoker
from emulator.dataplane.plane import Plane
from emulator.dataplane.proxy import Proxy
from emulator.dataplane.table import Endpoint

_INVOCATION = re.compile(
    r"/endpoints/([^/?]+)/(invocations|async-invocations|invocations-response-stream)(?:\?.*)?"
)
INTERNAL = "/_sluice/dataplane/"


class Router:
    """Sends each request to the data plane or to the control process."""

    def __init__(self, proxy: Proxy, plane: Plane, invoker: Invoker) -> None:
        self._proxy = proxy
        self._plane = plane
        self._invoker = invoker

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to any request."""
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            # The client holds its body back until it reads this (boto3 does for every S3 put).
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        path = request.raw_path
        if request.method == "POST" and path.startswith("/endpoints/"):
            match = _INVOCATION.fullmatch(path)
            if match is not None:
                name, kind = unquote(match[1]), match[2]
                if kind == "invocations":
                    return await self._invoker.invoke(request, name)
                problem = (
                    f"Endpoint {name} of account does not support {kind}: it serves real-time invocations."
                )
                return errors.error(400, "ValidationError", problem)
        if path.startswith(INTERNAL):
            return await self._internal(request, path.removeprefix(INTERNAL))
        return await self._proxy.forward(request)

    async def _internal(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        """What the control process tells the data plane."""
        body: Any = json.loads(await request.read() or b"null")
        answer: dict[str, Any] = {}
        match request.method, path.partition("/")[0]:
            case "PUT", "endpoints":
                self._plane.set_endpoint(Endpoint.model_validate(body))
            case "DELETE", "endpoints":
                self._plane.endpoints.pop(unquote(path.partition("/")[2]), None)
            case "POST", "drain":
                answer["left"] = await self._plane.drain(body["instances"], float(body["timeout"]))
            case "POST", "flush":
                await self._plane.flush(body["endpoint"])
            case "GET", "status":
                answer["under_way"] = {name: u.outstanding for name, u in self._plane.upstreams.items()}
                answer["copies_dropped"] = self._invoker.mirror.dropped
                answer["faults"] = self._plane.faults.counts()
            case "PUT", "settings":
                self._plane.settings = body
            case "PUT", "faults":
                self._plane.faults.set(body)
            case _:
                return web.json_response({"error": f"no {request.method} {path}"}, status=404)
        return web.json_response(answer)
