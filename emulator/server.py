"""The control process: moto's application with every area of ours installed in it."""

import contextlib
import importlib
import json
import logging
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from emulator import service_models
from emulator.api import PREFIX
from emulator.context import Context

AREAS = (
    "emulator.images",
    "emulator.services",
    "emulator.s3",
    "emulator.ecr",
    "emulator.cloudwatch",
    "emulator.autoscaling",
    "emulator.sagemaker.models",
    "emulator.sagemaker.packages",
    "emulator.sagemaker.jobs",
    "emulator.sagemaker.pipelines",
    "emulator.sagemaker.endpoints",
    "emulator.functions",
    "emulator.faults",
)
"""In the order of their installation: an area may use those before it."""

_INVOCATION = re.compile(r"/endpoints/[^/]+/(async-)?invocations.*")
log = logging.getLogger("emulator")


def install(context: Context) -> None:
    """Install every area, and the API that belongs to none."""
    context.api.add("GET", "/_sluice/health", lambda _: {"status": "ok", "boot_id": context.boot_id})
    context.api.add("GET", "/_sluice/settings", lambda _: context.settings.all())
    context.api.add("PUT", "/_sluice/settings", lambda body: context.settings.update(body or {}))
    for area in AREAS:
        importlib.import_module(area).install(context)


class Application:
    """WSGI: our API, then moto."""

    def __init__(self, context: Context) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        self._api = context.api
        self._endpoint_url = context.endpoint_url
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith(PREFIX):
            return self._api(environ, start_response)
        if _INVOCATION.fullmatch(path):
            # moto would answer for any name; models are served by the data plane alone.
            return _not_implemented(environ, start_response, f"invoke at {self._endpoint_url}")
        try:
            answer: Iterable[bytes] = self._moto(environ, start_response)
            return answer
        except NotImplementedError as error:
            return _not_implemented(environ, start_response, str(error))


def _not_implemented(environ: dict[str, Any], start_response: Any, problem: str) -> Iterable[bytes]:
    """Status 501: moto's own 500 would be tried again by every AWS client, for seconds."""
    action = environ.get("HTTP_X_AMZ_TARGET") or f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO')}"
    message = f"the emulator does not do {action}" + (f": {problem}" if problem else "")
    log.error(message)
    body = json.dumps({"__type": "NotImplemented", "message": message}).encode()
    headers = [
        ("Content-Type", "application/x-amz-json-1.1"),
        ("Content-Length", str(len(body))),
        ("x-amzn-ErrorType", "NotImplemented"),
    ]
    start_response("501 Not Implemented", headers)
    return [body]


def run(*, listener: socket.socket, root: Path, endpoint_url: str, boot_id: str) -> None:
    """Serve on `listener` until SIGTERM, then end everything that was started."""
    service_models.share()  # before moto, which reads them while it is imported
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    control_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    # Our own code in this process talks to this process, never through the router.
    os.environ["AWS_ENDPOINT_URL"] = control_url
    context = Context(root=root, control_url=control_url, endpoint_url=endpoint_url, boot_id=boot_id)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    install(context)
    server = make_server(
        "127.0.0.1",
        0,
        Application(context),
        threaded=True,
        request_handler=MotoRequestHandler,
        fd=listener.fileno(),
    )
    stopping = threading.Event()

    def stop(_number: int, _frame: object) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    # A handler runs when the main thread does, and the kernel may have given the signal to another: so look about.
    parent = os.getppid()
    while not stopping.wait(1.0) and os.getppid() == parent:
        pass
    with contextlib.suppress(Exception):
        context.spawned.stop_all()
    sys.stdout.flush()
    os._exit(0)  # threads of requests and of runners may still wait for something
