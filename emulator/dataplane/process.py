"""The data plane process: one event loop behind the public port."""

import asyncio
import logging
import signal
import socket
from pathlib import Path

from aiohttp import web

from emulator.dataplane.proxy import Proxy
from emulator.dataplane.router import Router

KEEP_ALIVE_SECONDS = 3600.0
"""Longer than any client keeps an idle connection, so that it is never the server who closes one just as the
client sends: a POST on such a connection cannot be repeated safely."""
MAX_BODY = 6 * 1024**2
log = logging.getLogger("emulator.dataplane")


def run(*, listener: socket.socket, root: Path, control_url: str) -> None:
    """Serve on `listener` until SIGTERM."""
    asyncio.run(_serve(listener, root, control_url))


async def _serve(listener: socket.socket, root: Path, control_url: str) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    proxy = Proxy(control_url)
    router = Router(proxy)
    server = web.Server(router.handle, keepalive_timeout=KEEP_ALIVE_SECONDS, access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=5.0)
    await runner.setup()
    listener.setblocking(False)
    await web.SockSite(runner, listener, backlog=1024).start()
    await stopping.wait()
    await runner.cleanup()
    await proxy.close()
