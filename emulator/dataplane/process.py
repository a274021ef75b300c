"""The data plane process: one event loop behind the public port."""

import asyncio
import contextlib
import json
import signal
import socket
import urllib.request
from typing import Any

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

from emulator.dataplane.capture import Captures
from emulator.dataplane.invoke import MAX_BODY, Invoker
from emulator.dataplane.metrics import NAMESPACE
from emulator.dataplane.plane import Plane
from emulator.dataplane.proxy import Proxy
from emulator.dataplane.router import Router
from sluice import aws

KEEP_ALIVE_SECONDS = 3600.0
"""Longer than any client keeps an idle connection, so that it is never the server who closes one just as the
client sends: a POST on such a connection cannot be repeated safely."""


def run(*, listener: socket.socket, control_url: str) -> None:
    """Serve on `listener` until SIGTERM."""
    asyncio.run(_serve(listener, control_url))


async def _serve(listener: socket.socket, control_url: str) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    proxy = Proxy(control_url)
    plane = Plane(Captures(_Put()), lambda data: _publish(control_url, data))
    router = Router(proxy, plane, Invoker(plane))
    server = web.Server(
        router.handle,
        request_factory=_request,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        # Bodies of megabytes in few pieces.
        read_bufsize=1024 * 1024,
        # A body passes as it came: S3 keeps gzip objects, and boto3 sends large PutMetricData compressed.
        auto_decompress=False,
        access_log=None,
    )
    runner = web.ServerRunner(server, shutdown_timeout=2.0)
    await runner.setup()
    listener.setblocking(False)
    await web.SockSite(runner, listener, backlog=1024).start()
    publishing = asyncio.create_task(plane.publish_for_ever())
    await stopping.wait()
    publishing.cancel()
    await runner.cleanup()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5):
            await plane.flush()
    await proxy.close()


def _request(
    message: RawRequestMessage, payload: StreamReader, protocol: Any, writer: Any, task: Any
) -> web.BaseRequest:
    """A request whose `read` takes SageMaker's largest body; the proxy streams and knows no limit."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY)


def _publish(control_url: str, data: list[dict[str, Any]]) -> None:
    request = urllib.request.Request(
        f"{control_url}/_sluice/metrics",
        data=json.dumps({"namespace": NAMESPACE, "data": data}).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=10):
        pass


class _Put:
    """S3's put_object; the client is made at the first call, for importing boto3's models takes a second."""

    def __init__(self) -> None:
        self._client: Any = None

    def __call__(self, **arguments: Any) -> None:
        if self._client is None:
            self._client = aws.client("s3")
        self._client.put_object(**arguments)
