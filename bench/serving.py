"""How much of a request is the model: `python -m bench.serving [--seconds 60] [--write]`.

Real flights as requests over HTTP to one worker on one core, in each content type, against two others measured in
the same rounds: the floor, which is xgboost's `inplace_predict` alone on the same matrix, and the container that
bench/naive.py is. Every figure is a ratio inside one round, for a machine's load moves all of them together.
`--write` leaves the raw figures and the table in docs/benchmarks/.
"""

import argparse
import csv
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import xgboost
from rich.console import Console
from rich.table import Table

from endpoints.serving.bodies import ENCODERS
from endpoints.serving.codecs import CONTENT_TYPES, CSV, JSON
from pipelines.steps.preparation import prepare
from pipelines.steps.tables import typed
from sluice import ports
from sluice.paths import ROOT
from workloads import modules
from workloads.contract import Workload
from workloads.flights import source
from workloads.modules import Description

WORKLOAD = "flights"
SIZES = (1, 10_000)
REPEATS = {1: 100, 10_000: 3}
NAMES = dict(zip(CONTENT_TYPES, ("JSON", "CSV", "npy", "Arrow"), strict=True))
OURS, NAIVE, FLOOR = "sluice", "naive", "floor"
OUT = ROOT / "docs" / "benchmarks"
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sample:
    """One measurement: milliseconds a request, median of the wall's and mean of the processor time: the server's, or of
    the floor our own."""

    round: int
    who: str
    rows: int
    body: str
    wall_ms: float
    cpu_ms: float


@dataclass(frozen=True)
class Server:
    """A container under test."""

    process: subprocess.Popen[bytes]
    port: int
    ready_seconds: float

    def cpu_seconds(self) -> float:
        """Processor time of the process and its children, living ones too."""
        return sum(_cpu(pid) for pid in _family(self.process.pid))


def main() -> None:
    """Measure, print, and write if asked to."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument(
        "--seconds", type=float, default=60, help="how long all of it goes on, but three rounds at least"
    )
    options.add_argument("--write", action="store_true", help="into docs/benchmarks")
    given = options.parse_args()
    until = time.monotonic() + given.seconds
    # This process stands for the floor: one core for it as for the servers.
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder, ExitStack() as stack:
        rows, x = model_and_rows(Path(folder) / "model")
        starts = {OURS: _ours(Path(folder)), NAIVE: _naive(Path(folder))}
        cold = {who: _cold(command) for who, command in starts.items()}
        servers = {who: stack.enter_context(running(*command)) for who, command in starts.items()}
        booster = xgboost.Booster({"nthread": 1}, model_file=Path(folder) / "model" / "model.ubj")
        samples = list(measure(servers, booster, rows, x, until))
    rendered = table(samples)
    Console().print(rendered)
    say = f"ours {cold[OURS]:.2f} s, naive {cold[NAIVE]:.2f} s (median of 3)"
    Console().print(f"from the start of the process to an answer: {say}")
    if given.write:
        write(samples, say)


def model_and_rows(folder: Path) -> tuple[list[dict[str, Any]], npt.NDArray[np.float32]]:
    """A model trained on the first quarter into `folder`; rows of the flights after it and their features."""
    workload = Workload.load(WORKLOAD)
    first, last = workload.tour[0].train_until, workload.tour[0].evaluated_until
    prepared = prepare(workload, source.load_observations(), source.load_labels(), first, last)
    folder.mkdir()
    modules.method(WORKLOAD).train(prepared.x, prepared.y, workload.hyperparameters, workload.seed).save(
        folder
    )
    Description(
        kind="model",
        workload=WORKLOAD,
        version="1.0",
        method=workload.method,
        change="method",
        code_hash="",
        features=modules.features(WORKLOAD).FEATURES,
    ).write(folder)
    frame = prepared.evaluation.select(list(workload.fields)).head(max(SIZES))
    columns, _ = typed(workload, frame)
    moment = pl.col(workload.time).dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return frame.with_columns(moment).to_dicts(), modules.features(WORKLOAD).features(columns)


def measure(
    servers: dict[str, Server],
    booster: xgboost.Booster,
    rows: list[dict[str, Any]],
    x: npt.NDArray[np.float32],
    until: float,
) -> Iterator[Sample]:
    """Rounds until the time is over, three at least; in each, everything once and side by side."""
    bodies = {(size, kind): ENCODERS[kind](rows[:size]) for size in SIZES for kind in CONTENT_TYPES}
    number = 0
    while number < 3 or time.monotonic() < until:
        for size in SIZES:
            scoring = partial(booster.inplace_predict, x[:size])
            yield Sample(number, FLOOR, size, "", *_timed(scoring, REPEATS[size]))
            for kind in CONTENT_TYPES:
                for who, server in servers.items():
                    if who == OURS or kind in (JSON, CSV):
                        figures = _asked(server, kind, bodies[size, kind], REPEATS[size])
                        yield Sample(number, who, size, NAMES[kind], *figures)
        number += 1


def _timed(call: Callable[[], object], repeats: int) -> tuple[float, float]:
    walls, before = [], time.process_time()
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        walls.append(time.perf_counter() - began)
    return median(walls) * 1e3, (time.process_time() - before) / repeats * 1e3


def _asked(server: Server, kind: str, body: bytes, repeats: int) -> tuple[float, float]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.connect()
    # http.client sends head and body apart; without this the body waits for the head's acknowledgement.
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    before, walls = server.cpu_seconds(), []
    for _ in range(repeats):
        began = time.perf_counter()
        connection.request("POST", "/invocations", body, {"Content-Type": kind})
        response = connection.getresponse()
        answer = response.read()
        walls.append(time.perf_counter() - began)
        if response.status != 200:
            raise RuntimeError(f"{kind} was answered {response.status}: {answer[:200]!r}")
    connection.close()
    return median(walls) * 1e3, (server.cpu_seconds() - before) / repeats * 1e3


def _ours(folder: Path) -> tuple[list[str], dict[str, str], int]:
    port = ports.free()
    environment = {
        "SLUICE_WORKLOAD": WORKLOAD,
        "SLUICE_OPT_ML": str(folder),
        "SLUICE_BIND_HOST": "127.0.0.1",
        "SAGEMAKER_BIND_TO_PORT": str(port),
    }
    return [sys.executable, "-m", "endpoints.serving", "serve"], environment, port


def _naive(folder: Path) -> tuple[list[str], dict[str, str], int]:
    port = ports.free()
    return [sys.executable, "-m", "bench.naive", str(port), str(folder / "model" / "model.ubj")], {}, port


@contextmanager
def running(command: list[str], environment: dict[str, str], port: int) -> Iterator[Server]:
    """The server while it runs, ready."""
    began = time.perf_counter()
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
    process = subprocess.Popen(command, env=given, stdout=subprocess.DEVNULL, cwd=ROOT)
    try:
        while not _ready(port):
            if process.poll() is not None:
                raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
            time.sleep(0.005)
        yield Server(process, port, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait(30)


def _ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _cold(command: tuple[list[str], dict[str, str], int]) -> float:
    seconds = []
    for _ in range(3):
        with running(*command) as server:
            seconds.append(server.ready_seconds)
    return median(seconds)


def _family(pid: int) -> list[int]:
    """The process and all below it. /proc, because the standard library tells nothing of processes that live."""
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(descendant for child in below for descendant in _family(int(child)))]


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        # Nanoseconds of what the scheduler gave each thread: a tick of the clock is longer than most requests.
        spent = [int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    except OSError:
        return 0.0
    return sum(spent) / 1e9 if any(spent) else (int(fields[11]) + int(fields[12])) / _TICK


def ratio(samples: list[Sample], rows: int, of: tuple[str, str], over: tuple[str, str]) -> float:
    """Median over the rounds of the processor time of one (who, body) over that of another. Wall time would be that
    of the machine's other work as well; it stands in the raw figures."""
    found = {(s.round, s.who, s.body): s.cpu_ms for s in samples if s.rows == rows}
    rounds = {number for number, *_ in found}
    return median(found[number, *of] / found[number, *over] for number in rounds)


def table(samples: list[Sample]) -> Table:
    """Medians by rows and content type."""
    out = Table(title=f"one worker, one core, {1 + max(s.round for s in samples)} rounds")
    for heading in HEADINGS:
        out.add_column(heading, justify="right")
    for line in lines(samples):
        out.add_row(*line)
    return out


HEADINGS = ("rows", "body", "wall ms", "cpu ms", "floor ms", "cpu / floor", "naive cpu ms", "naive / ours")


def lines(samples: list[Sample]) -> Iterator[tuple[str, ...]]:
    """The table's cells."""

    def middle(who: str, rows: int, body: str, what: str = "cpu_ms") -> float:
        return float(
            median(getattr(s, what) for s in samples if (s.who, s.rows, s.body) == (who, rows, body))
        )

    for rows in SIZES:
        for kind, body in NAMES.items():
            peer = kind in (JSON, CSV)
            yield (
                f"{rows:,}",
                body,
                f"{middle(OURS, rows, body, 'wall_ms'):.3g}",
                f"{middle(OURS, rows, body):.3g}",
                f"{middle(FLOOR, rows, ''):.3g}",
                f"{ratio(samples, rows, (OURS, body), (FLOOR, '')):.2f}",
                f"{middle(NAIVE, rows, body):.3g}" if peer else "",
                f"{ratio(samples, rows, (NAIVE, body), (OURS, body)):.1f}" if peer else "",
            )


def write(samples: list[Sample], say: str) -> None:
    """The raw figures as CSV and the table as Markdown."""
    OUT.mkdir(parents=True, exist_ok=True)
    with (OUT / "serving.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["round", "who", "rows", "body", "wall_ms", "cpu_ms"])
        writer.writerows(
            [s.round, s.who, s.rows, s.body, f"{s.wall_ms:.4f}", f"{s.cpu_ms:.4f}"] for s in samples
        )
    head = [f"| {' | '.join(HEADINGS)} |", "|" + "---:|" * len(HEADINGS)]
    text = TEXT.format(
        date=datetime.now(UTC).date(),
        rounds=1 + max(s.round for s in samples),
        cores=os.cpu_count(),
        load=os.getloadavg()[0],
        python=platform.python_version(),
        xgboost=xgboost.__version__,
        numpy=np.__version__,
        table="\n".join([*head, *(f"| {' | '.join(line)} |" for line in lines(samples))]),
        say=say,
    )
    (OUT / "serving.md").write_text(text, encoding="utf-8")


TEXT = """# Serving against its model

Written by `python -m bench.serving --write` on {date}: {cores} cores, load {load:.1f}, Python {python}, numpy {numpy},
xgboost {xgboost}; {rounds} rounds in which everything was measured side by side. Raw figures:
[serving.csv](serving.csv). Compare ratios, not milliseconds: the machine is shared.

{table}

Floor: `inplace_predict` of the same trees on the same matrix, one thread, no HTTP, nothing read or checked. Ours reads,
checks every field of every row, scores, and answers over HTTP. Naive (`bench/naive.py`) checks nothing: `json` or
`csv`, Python row by row, a DMatrix, under the same server. The ratios are of the servers' processor time, whole
process and HTTP included: medians of the ratios of the rounds.

From the start of the process to an answer: {say}. Ours says 200 to `/ping` only after it has
answered requests of each content type.
"""

if __name__ == "__main__":
    main()
