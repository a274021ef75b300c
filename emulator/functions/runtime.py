"""The Runtime API of one execution environment: how a function's process gets its events and answers them.

Lambda Developer Guide, "Using the Lambda runtime API": any program in an image that speaks it is a function.
"""

import json
import queue
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PREFIX = "/2018-06-01/runtime"


@dataclass
class Work:
    """One event on its way through the process."""

    id: str
    body: bytes
    arn: str
    deadline_ms: int
    done: threading.Event = field(default_factory=threading.Event)
    answer: bytes | None = None
    error: bytes | None = None


class RuntimeApi:
    """Served on a port of its own, to one process."""

    def __init__(self) -> None:
        self._next: queue.Queue[Work | None] = queue.Queue()
        self._current: Work | None = None
        self.ready = threading.Event()
        """The process has asked for its first event: its initialisation is over."""
        self.init_error: bytes | None = None
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                if self.path != f"{PREFIX}/invocation/next":
                    return self._send(404, b"{}")
                work = api._take()
                if work is None:
                    return self._send(410, b"{}")
                return self._send(
                    200,
                    work.body,
                    {
                        "Lambda-Runtime-Aws-Request-Id": work.id,
                        "Lambda-Runtime-Deadline-Ms": str(work.deadline_ms),
                        "Lambda-Runtime-Invoked-Function-Arn": work.arn,
                        "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
                    },
                )

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status = api._answered(self.path, body)
                self._send(status, b'{"status":"OK"}' if status == 202 else b"{}")

            def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, name="runtime-api", daemon=True).start()

    def give(self, work: Work) -> None:
        """Let the process have the event when it next asks."""
        self._next.put(work)

    def close(self) -> None:
        """End the server; a process that waits for an event is told that none will come."""
        self._next.put(None)
        threading.Thread(target=self._server.shutdown, daemon=True).start()
        self._server.server_close()

    def _take(self) -> Work | None:
        self.ready.set()
        self._current = self._next.get()
        return self._current

    def _answered(self, path: str, body: bytes) -> int:
        if path == f"{PREFIX}/init/error":
            self.init_error = body
            self.ready.set()
            return 202
        work = self._current
        if work is None or work.done.is_set():
            return 400
        if path == f"{PREFIX}/invocation/{work.id}/response":
            work.answer = body
        elif path == f"{PREFIX}/invocation/{work.id}/error":
            work.error = body
        else:
            return 404
        work.done.set()
        return 202


def problem(kind: str, message: str) -> bytes:
    """An error as a function's caller gets it."""
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
