"""The data plane's state: which endpoints answer, the instances behind them, and what has to be published."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from emulator.dataplane.capture import Captures, Exchange, Place
from emulator.dataplane.faults import DataFaults
from emulator.dataplane.metrics import Key, Metrics
from emulator.dataplane.table import Endpoint, Fleet, Instance
from emulator.dataplane.upstream import Answer, Upstream

CAPTURE_SECONDS = 10.0
SAMPLE_SECONDS = 0.5
Publish = Callable[[list[dict[str, Any]]], None]
log = logging.getLogger("emulator.dataplane")


class Plane:
    """Everything is touched from the event loop alone; what blocks runs in threads."""

    def __init__(self, captures: Captures, publish: Publish) -> None:
        """
        Args:
            publish: sends metric data; blocks; raises if it cannot.
        """
        self.endpoints: dict[str, Endpoint] = {}
        self.upstreams: dict[str, Upstream] = {}
        self.captures = captures
        self.metrics = Metrics()
        self.faults = DataFaults()
        self.settings: Mapping[str, Any] = {}
        self._publish = publish
        self._tasks: set[asyncio.Task[Any]] = set()

    def set_endpoint(self, endpoint: Endpoint) -> None:
        """Replace an endpoint's fleets. Instances that are gone get no new request; `drain` waits for theirs."""
        self.endpoints[endpoint.name] = endpoint
        for fleet in endpoint.fleets:
            for instance in fleet.instances:
                if instance.id not in self.upstreams:
                    self.upstreams[instance.id] = Upstream(instance.port)

    async def ask(
        self, endpoint: str, fleet: Fleet, instance: Instance, head: bytes, body: bytes, timeout: float
    ) -> Answer:
        """The answer of one instance, or what a fault puts in its place.

        Raises:
            NotSentError, BrokenError, TimeoutError: as `Upstream.send`.
        """
        upstream = self.upstreams[instance.id]
        effect = self.faults.invocation(endpoint, fleet)
        if effect is None:
            return await upstream.send(head, body, timeout)
        answer = await upstream.send(head, body, timeout, effect.delay_seconds)
        if effect.failed_by is None:
            return answer
        return Answer(500, {"content-type": "text/plain"}, f"fault {effect.failed_by}".encode())

    def capture(self, endpoint: str, fleet: Fleet, exchange: Exchange) -> None:
        """Keep an exchange for S3, by the fleet's percentage."""
        capture = fleet.capture
        if capture is None or (capture.percent < 100 and random.random() * 100 >= capture.percent):
            return
        if self.faults.loses_capture(endpoint, fleet.variant):
            return
        if self.captures.add(Place(endpoint, fleet.variant, capture), exchange):
            self.spawn(asyncio.to_thread(self.captures.flush, endpoint))

    async def drain(self, instances: list[str], timeout: float) -> int:
        """Wait until nothing is under way on instances that are out of every fleet, then forget them.

        Returns how many requests were still under way after `timeout` seconds.
        """
        upstreams = [self.upstreams[i] for i in instances if i in self.upstreams]
        try:
            async with asyncio.timeout(timeout):
                for upstream in upstreams:
                    await upstream.drained()
        except TimeoutError:
            log.warning("requests are still under way after %.0f s", timeout)
        left = sum(upstream.outstanding for upstream in upstreams)
        for instance in instances:
            if instance in self.upstreams:
                self.upstreams.pop(instance).close()
        return left

    async def flush(self, endpoint: str | None = None) -> None:
        """Publish every open window and write every capture (of one endpoint)."""
        data = self.metrics.flush(endpoint)
        await asyncio.gather(self._send(data), asyncio.to_thread(self.captures.flush, endpoint))

    def spawn(self, work: Any) -> None:
        """Run a coroutine beside everything else."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def publish_for_ever(self) -> None:
        """Sample concurrency, publish windows as they end, write captures."""
        written = time.monotonic()
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            now = time.time()
            for endpoint in list(self.endpoints.values()):
                for fleet in endpoint.fleets:
                    key = Key(endpoint.name, fleet.variant, fleet.config)
                    for instance in fleet.instances:
                        self.metrics.concurrency(key, now, self.upstreams[instance.id].outstanding)
            data = self.metrics.due(now)
            if data:
                self.spawn(self._send(data))
            if time.monotonic() - written >= CAPTURE_SECONDS:
                written = time.monotonic()
                self.spawn(asyncio.to_thread(self.captures.flush))

    async def _send(self, data: list[dict[str, Any]]) -> None:
        if not data:
            return
        try:
            await asyncio.to_thread(self._publish, data)
        except Exception:
            log.exception("%d metric data wait for the next time", len(data))
            self.metrics.give_back(data)
