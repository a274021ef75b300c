"""Counts what SageMaker publishes in AWS/SageMaker, window by window. Pure but for the clock it is given."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

NAMESPACE = "AWS/SageMaker"
CONCURRENCY_SECONDS = 10
"""ConcurrentRequestsPerModel is a high-resolution metric of its own, whatever MetricsConfig says."""
_MAX_VALUES = 150
"""Distinct values of one MetricDatum (PutMetricData)."""


@dataclass(frozen=True)
class Key:
    """What a metric belongs to."""

    endpoint: str
    variant: str
    config: str


@dataclass
class _Window:
    started: int
    every: int
    values: dict[str, Counter[float]] = field(default_factory=dict)

    def add(self, metric: str, value: float) -> None:
        self.values.setdefault(metric, Counter())[value] += 1


class Metrics:
    """The open windows. A window belongs to the aligned period in which its first value came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._invocations: dict[Key, tuple[int, _Window]] = {}
        self._concurrency: dict[Key, _Window] = {}
        self._ready: list[dict[str, Any]] = []

    def invocation(
        self, key: Key, every: int, now: float, status: int, model_seconds: float, total_seconds: float
    ) -> None:
        """One request that reached a variant.

        Args:
            every: the period in seconds.
            now: seconds since the epoch.
            status: of the container; 0 if it gave no HTTP answer.
            model_seconds: from sending to the container until its answer was read.
            total_seconds: from the request's first byte until the answer is ready.
        """
        with self._lock:
            window = self._window(key, every, now)
            window.add("Invocations", 1)
            window.add("Invocation4XXErrors", float(400 <= status < 500))
            # SageMaker counts a request that the model never answered as a 5XX: its caller gets a server error.
            window.add("Invocation5XXErrors", float(status == 0 or status >= 500))
            window.add("InvocationModelErrors", float(not 200 <= status < 300))
            window.add("ModelLatency", float(round(model_seconds * 1e6)))
            window.add("OverheadLatency", float(max(0, round((total_seconds - model_seconds) * 1e6))))

    def concurrency(self, key: Key, now: float, under_way: int) -> None:
        """One look at how many requests are under way on one instance."""
        start = int(now) // CONCURRENCY_SECONDS * CONCURRENCY_SECONDS
        with self._lock:
            window = self._concurrency.get(key)
            if window is None or window.started != start:
                if window is not None:
                    self._ready.extend(_data(key, window))
                window = self._concurrency[key] = _Window(start, CONCURRENCY_SECONDS)
            window.add("ConcurrentRequestsPerModel", float(under_way))

    def due(self, now: float) -> list[dict[str, Any]]:
        """The data of every window that has ended."""
        with self._lock:
            for key, (every, window) in list(self._invocations.items()):
                if window.started + every <= now:
                    self._ready.extend(_data(key, window))
                    del self._invocations[key]
            for key, window in list(self._concurrency.items()):
                if window.started + CONCURRENCY_SECONDS <= now:
                    self._ready.extend(_data(key, window))
                    del self._concurrency[key]
            ready, self._ready = self._ready, []
            return ready

    def flush(self, endpoint: str | None = None) -> list[dict[str, Any]]:
        """The data of every open window too (of one endpoint), so that none is lost when a fleet goes."""
        with self._lock:
            for key in [k for k in self._invocations if endpoint in (None, k.endpoint)]:
                self._ready.extend(_data(key, self._invocations.pop(key)[1]))
            for key in [k for k in self._concurrency if endpoint in (None, k.endpoint)]:
                self._ready.extend(_data(key, self._concurrency.pop(key)))
            ready, self._ready = self._ready, []
            return ready

    def give_back(self, data: list[dict[str, Any]]) -> None:
        """Keep data that could not be published for the next time."""
        with self._lock:
            self._ready = data + self._ready

    def _window(self, key: Key, every: int, now: float) -> _Window:
        start = int(now) // every * every
        _, window = self._invocations.get(key, (every, None))
        if window is None or window.started != start:
            if window is not None:
                self._ready.extend(_data(key, window))
            window = _Window(start, every)
            self._invocations[key] = (every, window)
        return window


_UNITS = {
    "Invocations": "None",
    "Invocation4XXErrors": "None",
    "Invocation5XXErrors": "None",
    "InvocationModelErrors": "None",
    "ModelLatency": "Microseconds",
    "OverheadLatency": "Microseconds",
    "ConcurrentRequestsPerModel": "None",
}


def _data(key: Key, window: _Window) -> Iterator[dict[str, Any]]:
    variant = [_dimension("EndpointName", key.endpoint), _dimension("VariantName", key.variant)]
    for metric, counts in window.values.items():
        pairs = list(counts.items())
        for start in range(0, len(pairs), _MAX_VALUES):
            part = pairs[start : start + _MAX_VALUES]
            for dimensions in (variant, [*variant, _dimension("EndpointConfigName", key.config)]):
                yield {
                    "MetricName": metric,
                    "Dimensions": dimensions,
                    "Timestamp": window.started,
                    "Values": [value for value, _ in part],
                    "Counts": [float(count) for _, count in part],
                    "Unit": _UNITS[metric],
                    "StorageResolution": 1 if window.every < 60 else 60,
                }


def _dimension(name: str, value: str) -> Mapping[str, str]:
    return {"Name": name, "Value": value}
