"""The WSGI application of a serving container, without a framework: any WSGI server can host it."""

import gc
import io
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from endpoints.serving.answers import Predictions, encode, negotiate
from endpoints.serving.attributes import echoed, inference_id
from endpoints.serving.codecs import JSON, decode, media_type
from endpoints.serving.metrics import Metrics
from endpoints.serving.model import Served, load
from endpoints.serving.refusal import RefusedError
from endpoints.serving.settings import Settings, available_cores, settings
from endpoints.serving.text import preload
from endpoints.serving.warmup import bodies
from sluice.paths import opt_ml

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Log = Callable[[bytes], Any]

_PHRASES = {
    200: "200 OK",
    400: "400 Bad Request",
    404: "404 Not Found",
    405: "405 Method Not Allowed",
    406: "406 Not Acceptable",
    413: "413 Content Too Large",
    415: "415 Unsupported Media Type",
    500: "500 Internal Server Error",
    503: "503 Service Unavailable",
}
_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


class Application:
    """`/ping`, `/invocations` and `/metrics`.

    Args:
        limits: bounds of a request and how many may be answered at once.
        loader: gives the model; runs once, in `prepare`.
        log: takes one line a request.
    """

    def __init__(self, limits: Settings, loader: Callable[[], Served], metrics: Metrics, log: Log) -> None:
        self._limits = limits
        self._loader = loader
        self._metrics = metrics
        self._log = log
        self._served: Served | None = None
        self._ready = False
        """Kept once it is true, so that `/ping` costs nothing."""
        self._waiting_for = "the model is being loaded"
        self._slots = threading.BoundedSemaphore(limits.threads)

    def prepare(self) -> None:
        """Load the model and let it answer made-up requests through all of `/invocations`, one of each content
        type; only then is the container ready. A failure is kept: `/ping` names it and never says 200."""
        try:
            served = self._loader()
            preload()
            for content_type, body in bodies(served, (1, min(64, self._limits.max_rows))):
                if len(body) > self._limits.max_bytes:
                    continue
                status, answer, _ = self._answer(served, _request_of(content_type, body))
                if status != 200:
                    raise RuntimeError(f"warm-up as {content_type} was answered {status}: {answer.decode()}")
            # What is here now stays; looking through it again and again would hold up requests.
            gc.freeze()
            self._served = served
            self._metrics.ready()
        except Exception as error:  # noqa: BLE001 - whatever stops the model, the container must say so and not die
            self._waiting_for = f"the model cannot serve: {type(error).__name__}: {error}"
            traceback.print_exc(file=sys.stderr)

    @property
    def ready(self) -> bool:
        """Whether every worker of the container can answer: a request may reach any of them."""
        if not self._ready and self._served is not None:
            self._ready = self._metrics.ready_workers >= self._limits.workers
            self._waiting_for = "another worker of this container is loading the model"
        return self._ready

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path == "/invocations" and method == "POST":
            return self._invocations(environ, start_response)
        if path == "/ping" and method in ("GET", "HEAD"):
            if self.ready:
                return _send(start_response, 200, b"", JSON)
            return _send(start_response, 503, _error(self._waiting_for), JSON)
        if path == "/metrics" and method == "GET":
            labels = self._served.labels if self._served else {}
            return _send(start_response, 200, self._metrics.render(labels), "text/plain; version=0.0.4")
        status = 405 if path in ("/invocations", "/ping", "/metrics") else 404
        return _send(start_response, status, _error(f"there is no {method} {path[:100]}"), JSON)

    def _invocations(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        began = time.perf_counter()
        self._metrics.started()
        status, body, content_type, rows = 500, _error("the request could not be answered"), JSON, 0
        identity = inference_id(environ)
        try:
            if not self._slots.acquire(blocking=False):
                raise RefusedError(503, f"{self._limits.threads} requests are being answered already")
            try:
                if self._served is None:
                    raise RefusedError(503, self._waiting_for)
                status, body, (content_type, rows) = self._answer(self._served, environ)
            finally:
                self._slots.release()
        except RefusedError as refused:
            status, body = refused.status, _error(refused.problem)
        finally:
            seconds = time.perf_counter() - began
            self._metrics.finished(status, seconds, rows)
            line: dict[str, Any] = {
                "id": identity,
                "rows": rows,
                "ms": round(seconds * 1000, 3),
                "code": status,
            }
            if status != 200:
                line["error"] = orjson.loads(body)["error"]
            self._log(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        version = self._served.version if self._served else None
        return _send(start_response, status, body, content_type, ((_ATTRIBUTES, echoed(identity, version)),))

    def _answer(self, served: Served, environ: Mapping[str, Any]) -> tuple[int, bytes, tuple[str, int]]:
        """Status, body, and the body's content type with the number of rows predicted."""
        try:
            encoding = environ.get("HTTP_CONTENT_ENCODING") or "identity"
            if encoding.lower() != "identity":
                raise RefusedError(415, f"the body is encoded as {encoding[:40]!r}; send it as it is")
            sent = environ.get("CONTENT_TYPE") or JSON
            accepted = negotiate(environ.get("HTTP_ACCEPT"), media_type(sent)[0])
            table = decode(sent, self._read(environ), served.names, self._limits.max_rows)
            columns = served.checked(table)
            scores = served.score(columns)
            answer = Predictions(
                ids=columns[served.workload.id].tolist(),
                scores=scores,
                decisions=scores >= served.workload.threshold,
                workload=served.workload.name,
                version=served.version,
            )
            return 200, encode(accepted, answer), (accepted, table.rows)
        except RefusedError as refused:
            return refused.status, _error(refused.problem), (JSON, 0)
        except Exception:  # noqa: BLE001 - a fault of the model is a 500 of this request, and its trace is the log's
            traceback.print_exc(file=sys.stderr)
            return 500, _error("the model could not answer; the container's log says why"), (JSON, 0)

    def _read(self, environ: Mapping[str, Any]) -> bytes:
        limit = self._limits.max_bytes
        declared = environ.get("CONTENT_LENGTH") or ""
        if declared.isdecimal() and int(declared) > limit:
            raise RefusedError(413, f"{declared} bytes are more than the {limit} that one request may have")
        body: bytes = environ["wsgi.input"].read(limit + 1)
        if len(body) > limit:
            raise RefusedError(413, f"the body is larger than the {limit} bytes that one request may have")
        return body


def create() -> Application:
    """The application of this process, as the environment describes it; loads the model in the background, so
    that `/ping` can say that it is not ready yet."""
    limits = settings(os.environ, available_cores())
    folder = os.environ.get("SLUICE_METRICS_FOLDER")
    application = Application(
        limits,
        lambda: load(limits.workload, opt_ml() / "model", limits.version),
        Metrics(Path(folder) if folder else None),
        lambda line: os.write(1, line),
    )
    threading.Thread(target=application.prepare, daemon=True, name="prepare").start()
    return application


def _send(
    start: StartResponse, status: int, body: bytes, content_type: str, more: Iterable[tuple[str, str]] = ()
) -> list[bytes]:
    start(_PHRASES[status], [("Content-Type", content_type), ("Content-Length", str(len(body))), *more])
    return [body]


def _error(problem: str) -> bytes:
    return orjson.dumps({"error": problem})


def _request_of(content_type: str, body: bytes) -> Mapping[str, Any]:
    return {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
