"""Traffic and rows, against a server that stands where SageMaker's runtime does."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from endpoints import rows
from endpoints.traffic import Invoker, Replay, Request, SlowBody
from sluice.paths import ROOT
from workloads.contract import Workload


@dataclass
class Runtime:
    """What the server saw."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)
    fail_every: int = 0


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    seen = Runtime()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                seen.bodies.append(body)
                seen.ids.append(self.headers["X-Amzn-SageMaker-Inference-Id"])
                seen.attributes.append(self.headers["X-Amzn-SageMaker-Custom-Attributes"])
                seen.connections.add(self.client_address)
                fails = seen.fail_every and len(seen.bodies) % seen.fail_every == 0
            answer = {"message": "busy"} if fails else {"predictions": [], "model": {"version": "1.1"}}
            content = json.dumps(answer).encode()
            self.send_response(503 if fails else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Amzn-SageMaker-Custom-Attributes", f"{seen.attributes[-1]};version=1.1")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    seen.url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", seen.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    yield seen
    server.shutdown()
    server.server_close()


def requests(count: int, slow: int = -1) -> Iterator[Request]:
    for number in range(count):
        yield Request(f"id-{number}", "application/json", b'{"instances": [%d]}' % number, number == slow)


def test_every_request_goes_out_once_with_its_id(runtime: Runtime) -> None:
    told: list[int] = []
    loop = Replay("flights-local", requests(100), Invoker("flights-local"), rate=80, seconds=None)
    result = loop.run(lambda now: told.append(now.sent))
    assert (result.sent, result.ok, result.failed) == (100, 100, 0)
    assert sorted(runtime.ids) == sorted(f"id-{n}" for n in range(100))
    assert set(runtime.attributes) == {f"id=id-{n}" for n in range(100)}
    assert result.versions == {"1.1": 100}
    assert told[-1] == 100
    # Kept alive: far fewer connections than requests.
    assert len(runtime.connections) < 50


def test_reading_the_data_is_no_latency_of_the_endpoint(runtime: Runtime) -> None:
    def late() -> Iterator[Request]:
        time.sleep(3)
        yield from requests(20)

    result = Replay("flights-local", late(), Invoker("flights-local"), rate=50, seconds=None).run()
    assert result.p50 is not None
    assert result.p50 < 2000


def test_failures_are_counted_and_not_repeated(runtime: Runtime) -> None:
    runtime.fail_every = 5
    loop = Replay("flights-local", requests(50), Invoker("flights-local"), rate=200, seconds=None)
    result = loop.run()
    assert (result.sent, result.ok, result.failed) == (50, 40, 10)
    assert result.codes == {"200": 40, "503": 10}
    assert len(runtime.bodies) == 50
    assert len(result.errors) == 5


def test_a_slow_request_holds_up_no_other(runtime: Runtime) -> None:
    loop = Replay("flights-local", requests(60, slow=3), Invoker("flights-local"), rate=60, seconds=None)
    result = loop.run()
    assert (result.ok, result.slow) == (60, 1)
    # It comes last, though it was sent fourth, and whole.
    assert runtime.ids[-1] == "id-3"
    assert runtime.bodies[-1] == b'{"instances": [3]}'
    assert result.seconds > 3


def test_a_slow_body_stops_half_way_only_while_it_is_sent() -> None:
    waits: list[float] = []
    body = SlowBody(b"0123456789", waits.append)
    assert body.read() == b"0123456789"
    body.seek(0)
    body.sending = True
    assert (body.read(64), waits) == (b"01234", [])
    assert (body.read(64), waits) == (b"56789", [3.0])
    assert body.read(64) == b""


def test_rows_are_those_of_the_schema_in_order_of_time() -> None:
    workload = Workload.load("flights")
    source = rows.since(workload, datetime(2013, 4, 1, tzinfo=UTC))
    sample = [next(source) for _ in range(1500)]
    assert all(set(row) == set(workload.fields) for row in sample)
    times = [row["departed_at"] for row in sample]
    assert times == sorted(times)
    assert times[0] >= "2013-04-01T00:00:00"


@pytest.mark.parametrize("content_type", ["application/json", "application/vnd.apache.arrow.stream"])
def test_replay_ends_well_on_sigterm_with_its_summary(
    runtime: Runtime, tmp_path: Path, content_type: str
) -> None:
    summary = tmp_path / "summary.json"
    arguments = ["replay", "flights", "--rate", "30", "--no-land", "--summary", str(summary), "--json"]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "sluice.cli",
            *arguments,
            "--slow-every",
            "10",
            "--content-type",
            content_type,
        ],
        cwd=ROOT,
        env={**os.environ, "SLUICE_LOCAL": str(tmp_path / "local"), "AWS_ENDPOINT_URL": runtime.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(600):
        if len(runtime.bodies) >= 40:
            break
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=180)
    assert process.returncode == 0, error
    told = json.loads(out)
    assert told == json.loads(summary.read_text())
    assert told["sent"] == told["ok"] == len(runtime.bodies) >= 40
    assert told["slow"] == told["sent"] // 10
    assert len(set(runtime.ids)) == len(runtime.ids)
