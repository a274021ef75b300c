"""Copies of production requests to the shadow: beside the answer, never in its way."""

import logging
import random
import time
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from emulator.dataplane.capture import Exchange
from emulator.dataplane.metrics import Key
from emulator.dataplane.plane import Plane
from emulator.dataplane.table import SHADOW, Fleet, choose_instance, mirror_share
from emulator.dataplane.upstream import Answer, BrokenError, NotSentError

MAX_WAITING = 1000
MAX_WAITING_BYTES = 64 * 1024**2
PER_INSTANCE = 16
"""Copies under way on one shadow instance. A shadow that stalls keeps this many, the rest waits or is dropped."""
log = logging.getLogger("emulator.mirror")


@dataclass(frozen=True, slots=True)
class Copy:
    """A request to be repeated."""

    head: bytes
    body: bytes
    content_type: str
    inference_id: str | None
    custom_attributes: str | None

    def exchange(self, moment: datetime, answer: Answer) -> Exchange:
        """The request with an answer to it."""
        return Exchange(
            moment,
            self.inference_id,
            self.custom_attributes,
            self.content_type,
            self.body,
            answer.headers.get("content-type", "application/octet-stream"),
            answer.body,
        )


class Mirror:
    """One queue for each shadow fleet."""

    def __init__(self, plane: Plane, timeout: float) -> None:
        self._plane = plane
        self._timeout = timeout
        self._waiting: dict[tuple[str, str], deque[Copy]] = {}
        self._bytes = 0
        self._under_way: dict[tuple[str, str], int] = {}
        self.dropped = 0
        """Copies that were never sent: the shadow was behind, or went."""

    def offer(self, endpoint_name: str, copy: Copy) -> None:
        """Copy a request to each shadow of the endpoint by its share. Returns at once."""
        endpoint = self._plane.endpoints.get(endpoint_name)
        if endpoint is None:
            return
        for fleet in endpoint.of(SHADOW):
            share = mirror_share(endpoint, fleet)
            if share < 1.0 and random.random() >= share:
                continue
            key = (endpoint_name, fleet.config)
            queue = self._waiting.setdefault(key, deque())
            if len(queue) >= MAX_WAITING or self._bytes + len(copy.body) > MAX_WAITING_BYTES:
                self.dropped += 1
                if self.dropped % 1000 == 1:
                    log.warning("the shadow of %s is behind: %d copies dropped", endpoint_name, self.dropped)
                continue
            queue.append(copy)
            self._bytes += len(copy.body)
            if self._under_way.get(key, 0) < PER_INSTANCE * len(fleet.instances):
                self._under_way[key] = self._under_way.get(key, 0) + 1
                self._plane.spawn(self._work(key))

    async def _work(self, key: tuple[str, str]) -> None:
        """Send what waits, then end."""
        try:
            while queue := self._waiting.get(key):
                copy = queue.popleft()
                self._bytes -= len(copy.body)
                fleet = self._fleet(key)
                if fleet is not None:
                    await self._send(key[0], fleet, copy)
                else:
                    self.dropped += 1
            if self._fleet(key) is None:
                self._waiting.pop(key, None)
        finally:
            self._under_way[key] -= 1

    def _fleet(self, key: tuple[str, str]) -> Fleet | None:
        endpoint = self._plane.endpoints.get(key[0])
        shadows = endpoint.of(SHADOW) if endpoint is not None else ()
        return next((fleet for fleet in shadows if fleet.config == key[1]), None)

    async def _send(self, endpoint: str, fleet: Fleet, copy: Copy) -> None:
        plane = self._plane
        under_way = {i.id: plane.upstreams[i.id].outstanding for i in fleet.instances}
        instance = choose_instance(fleet, under_way)
        if instance is None:
            return
        moment, begin = datetime.now(UTC), time.perf_counter()
        answer: Answer | None = None
        try:
            answer = await plane.ask(endpoint, fleet, instance, copy.head, copy.body, self._timeout)
        except (NotSentError, BrokenError, TimeoutError):
            log.debug("the shadow of %s gave no answer", endpoint)
        spent = time.perf_counter() - begin
        key = Key(endpoint, fleet.variant, fleet.config)
        status = answer.status if answer is not None else 0
        plane.metrics.invocation(key, fleet.publish_seconds, time.time(), status, spent, spent)
        if answer is None or not 200 <= status < 300:
            return
        exchange = copy.exchange(moment, answer)
        if not plane.settings.get("shadow_inference_id"):
            # AWS does not say that a shadow's capture repeats the caller's inference id; it is off by default.
            exchange = replace(exchange, inference_id=None)
        plane.capture(endpoint, fleet, exchange)
