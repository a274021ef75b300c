"""InvokeEndpoint."""

import time
import uuid
from datetime import UTC, datetime

from aiohttp import web

from emulator.context import ACCOUNT, REGION
from emulator.dataplane import errors
from emulator.dataplane.metrics import Key
from emulator.dataplane.mirror import Copy, Mirror
from emulator.dataplane.plane import Plane
from emulator.dataplane.table import Fleet, Instance, UnknownVariantError, choose_fleet, choose_instance
from emulator.dataplane.upstream import Answer, BrokenError, NotSentError

MAX_BODY = 6 * 1024**2
MODEL_SECONDS = 60.0
"""A container has to answer within 60 seconds (InvokeEndpoint)."""
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"
_UNSUPPORTED = (
    "X-Amzn-SageMaker-Target-Model",
    "X-Amzn-SageMaker-Target-Container-Hostname",
    "X-Amzn-SageMaker-Inference-Component",
    "X-Amzn-SageMaker-Session-Id",
)
_TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency metrics "
    "for each container in Amazon CloudWatch, resolve the issue, and try again."
)


class Invoker:
    """Serves invocations."""

    def __init__(self, plane: Plane, model_seconds: float = MODEL_SECONDS) -> None:
        self._plane = plane
        self._seconds = model_seconds
        self.mirror = Mirror(plane, model_seconds)

    async def invoke(self, request: web.BaseRequest, name: str) -> web.StreamResponse:
        """The answer to `POST /endpoints/{name}/invocations`."""
        begin = time.perf_counter()
        headers = request.headers
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return errors.too_large(MAX_BODY)
        if name not in self._plane.endpoints:
            return errors.not_found(name, ACCOUNT)
        for header in _UNSUPPORTED:
            if header in headers:
                return errors.error(
                    400, "ValidationError", f"{header} is not supported by endpoint {name} of one model."
                )
        content_type = headers.get("Content-Type", "application/octet-stream")
        inference_id, attributes = headers.get(INFERENCE_ID), headers.get(ATTRIBUTES)
        head = _head(content_type, headers.get("Accept"), inference_id, attributes, len(body))
        moment = datetime.now(UTC)
        try:
            reached = await self._ask(name, headers.get("X-Amzn-SageMaker-Target-Variant"), head, body)
        except UnknownVariantError as unknown:
            return errors.error(400, "ValidationError", f"Variant {unknown} of endpoint {name} not found.")
        if reached is None:
            return errors.error(503, "ServiceUnavailable", f"Endpoint {name} has no instance in service.")
        fleet, answer, problem, model_seconds = reached
        copy = Copy(head, body, content_type, inference_id, attributes)
        self.mirror.offer(name, copy)
        status = answer.status if answer is not None else 0
        if answer is not None and 200 <= status < 300:
            self._plane.capture(name, fleet, copy.exchange(moment, answer))
            response = _answer(fleet.variant, answer)
        else:
            original = answer.body if answer is not None else problem.encode()
            response = errors.model_error(name, ACCOUNT, REGION, fleet.variant, status, original)
        self._plane.metrics.invocation(
            Key(name, fleet.variant, fleet.config),
            fleet.publish_seconds,
            time.time(),
            status,
            model_seconds,
            time.perf_counter() - begin,
        )
        return response

    async def _ask(
        self, name: str, target: str | None, head: bytes, body: bytes
    ) -> tuple[Fleet, Answer | None, str, float] | None:
        """Send to one instance; to another only if nothing was sent. None if no instance takes it.

        Raises:
            UnknownVariantError: if `target` names no production variant.
        """
        tried: frozenset[str] = frozenset()
        while True:
            chosen = self._choose(name, target, tried)
            if chosen is None:
                return None
            fleet, instance = chosen
            sent = time.perf_counter()
            try:
                answer = await self._plane.ask(name, fleet, instance, head, body, self._seconds)
                return fleet, answer, "", time.perf_counter() - sent
            except NotSentError:
                tried |= {instance.id}
            except BrokenError as error:
                return (
                    fleet,
                    None,
                    f"The connection to the container broke: {error}",
                    time.perf_counter() - sent,
                )
            except TimeoutError:
                return fleet, None, _TIMED_OUT, time.perf_counter() - sent

    def _choose(self, name: str, target: str | None, avoid: frozenset[str]) -> tuple[Fleet, Instance] | None:
        # Looked up anew for each try: the fleets may have changed while the last one failed.
        endpoint = self._plane.endpoints.get(name)
        if endpoint is None:
            return None
        fleet = choose_fleet(endpoint, target)
        if fleet is None:
            return None
        upstreams = self._plane.upstreams
        for candidate in (fleet, *(f for f in endpoint.of("production") if f is not fleet)):
            if target is not None and candidate.variant != target:
                continue
            under_way = {i.id: upstreams[i.id].outstanding for i in candidate.instances}
            instance = choose_instance(candidate, under_way, avoid)
            if instance is not None:
                return candidate, instance
        return None


def _head(
    content_type: str, accept: str | None, inference_id: str | None, attributes: str | None, length: int
) -> bytes:
    """The head of the container's request: SageMaker passes these headers on and no others."""
    lines = ["POST /invocations HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {content_type}"]
    if accept is not None:
        lines.append(f"Accept: {accept}")
    if inference_id is not None:
        lines.append(f"{INFERENCE_ID}: {inference_id}")
    if attributes is not None:
        lines.append(f"{ATTRIBUTES}: {attributes}")
    lines += [f"Content-Length: {length}", "", ""]
    return "\r\n".join(lines).encode("utf-8", errors="surrogateescape")


def _answer(variant: str, answer: Answer) -> web.Response:
    headers = {
        "Content-Type": answer.headers.get("content-type", "application/octet-stream"),
        "x-Amzn-Invoked-Production-Variant": variant,
        "x-amzn-RequestId": str(uuid.uuid4()),
    }
    attributes = answer.headers.get(ATTRIBUTES.lower())
    if attributes is not None:
        headers[ATTRIBUTES] = attributes
    return web.Response(body=answer.body, status=200, headers=headers)
