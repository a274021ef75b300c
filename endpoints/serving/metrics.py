"""Counts of this container for Prometheus, summed over its worker processes.

SageMaker's detailed observability scrapes `/metrics` on the container's port; one scrape reaches one worker, so each
worker writes its counts into a file of its own and any of them sums all.
"""

import mmap
import os
import threading
from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path

CODES = (200, 400, 404, 405, 406, 413, 415, 500, 503)
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_LATENCY = len(CODES)
_SUM = _LATENCY + len(BUCKETS) + 1
_ROWS = _SUM + 1
_IN_FLIGHT = _ROWS + 1
_READY = _IN_FLIGHT + 1
_SIZE = _READY + 1
_CODE = {code: index for index, code in enumerate(CODES)}


class Metrics:
    """The counts of one worker.

    Args:
        folder: where the workers of one container keep their counts; None for a process alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        zeros = array("d", bytes(8 * _SIZE))
        self._values: memoryview[float] = memoryview(zeros)
        if folder is not None:
            # Shared memory, so that a count is a store and never a call to the system.
            with (folder / f"{os.getpid()}.counts").open("w+b") as file:
                file.write(zeros.tobytes())
                file.flush()
                self._values = memoryview(mmap.mmap(file.fileno(), 8 * _SIZE)).cast("d")

    def ready(self) -> None:
        """This worker can answer."""
        with self._lock:
            self._values[_READY] = 1

    @property
    def ready_workers(self) -> int:
        """How many workers of the container can answer."""
        return int(self._total()[_READY])

    def started(self) -> None:
        """A request for predictions has come."""
        with self._lock:
            self._values[_IN_FLIGHT] += 1

    def finished(self, code: int, seconds: float, rows: int) -> None:
        """That request is answered with `code`; `rows` were predicted."""
        bucket = bisect_left(BUCKETS, seconds)
        with self._lock:
            self._values[_IN_FLIGHT] -= 1
            self._values[_CODE[code]] += 1
            self._values[_LATENCY + bucket] += 1
            self._values[_SUM] += seconds
            self._values[_ROWS] += rows

    def _total(self) -> Sequence[float]:
        if self._folder is None:
            with self._lock:
                return self._values.tolist()
        total = [0.0] * _SIZE
        for file in sorted(self._folder.glob("*.counts")):
            content = file.read_bytes()
            # A worker that has only just made its file has not filled it.
            if len(content) == 8 * _SIZE:
                total = [one + other for one, other in zip(total, array("d", content), strict=True)]
        return total

    def render(self, model: Mapping[str, str]) -> bytes:
        """Prometheus' text format 0.0.4; `model` are the labels of the served model, empty before it is loaded."""
        total = self._total()
        lines = ["# TYPE sluice_requests_total counter"]
        lines += [
            f'sluice_requests_total{{code="{code}"}} {int(total[index])}'
            for index, code in enumerate(CODES)
            if total[index] or code == 200
        ]
        lines.append("# TYPE sluice_request_seconds histogram")
        cumulative = list(accumulate(map(int, total[_LATENCY : _LATENCY + len(BUCKETS) + 1])))
        for bound, count in zip((*BUCKETS, "+Inf"), cumulative, strict=True):
            lines.append(f'sluice_request_seconds_bucket{{le="{bound}"}} {count}')
        lines.append(f"sluice_request_seconds_sum {total[_SUM]:.6f}")
        lines.append(f"sluice_request_seconds_count {cumulative[-1]}")
        lines += ["# TYPE sluice_rows_total counter", f"sluice_rows_total {int(total[_ROWS])}"]
        lines += ["# TYPE sluice_in_flight gauge", f"sluice_in_flight {int(total[_IN_FLIGHT])}"]
        lines += ["# TYPE sluice_ready_workers gauge", f"sluice_ready_workers {int(total[_READY])}"]
        if model:
            labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in model.items())
            lines += ["# TYPE sluice_model_info gauge", f"sluice_model_info{{{labels}}} 1"]
        return ("\n".join(lines) + "\n").encode()


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
