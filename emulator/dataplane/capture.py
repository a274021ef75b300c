"""Data capture: what went in and out of the model, as JSON Lines in S3, in SageMaker's form."""

import base64
import json
import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from emulator.dataplane.table import Capture
from sluice.clock import iso

FLUSH_RECORDS = 500
FLUSH_BYTES = 8 * 1024**2
log = logging.getLogger("emulator.capture")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer."""

    moment: datetime
    inference_id: str | None
    custom_attributes: str | None
    request_type: str
    request: bytes
    answer_type: str
    answer: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Whose exchanges go into one object."""

    endpoint: str
    variant: str
    capture: Capture


def record(exchange: Exchange, capture: Capture) -> dict[str, Any]:
    """One line of a capture object."""
    data: dict[str, Any] = {}
    if capture.input:
        data["endpointInput"] = _side("INPUT", exchange.request_type, exchange.request, capture)
    if capture.output:
        data["endpointOutput"] = _side("OUTPUT", exchange.answer_type, exchange.answer, capture)
    event: dict[str, Any] = {"eventId": str(uuid.uuid4())}
    if exchange.custom_attributes is not None:
        event["customAttributes"] = [exchange.custom_attributes]
    if exchange.inference_id is not None:
        event["inferenceId"] = exchange.inference_id
    event["inferenceTime"] = iso(exchange.moment)
    return {"captureData": data, "eventMetadata": event, "eventVersion": "0"}


def _side(mode: str, content_type: str, body: bytes, capture: Capture) -> dict[str, str]:
    encoding, data = _encode(content_type, body, capture)
    return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}


def _encode(content_type: str, body: bytes, capture: Capture) -> tuple[str, str]:
    plain = content_type.partition(";")[0].strip().lower()
    for encoding, types in (("CSV", capture.csv_types), ("JSON", capture.json_types)):
        if plain in types:
            try:
                return encoding, body.decode("utf-8")
            except UnicodeDecodeError:
                break
    # SageMaker's default for every type that CaptureContentTypeHeader does not name.
    return "BASE64", base64.b64encode(body).decode("ascii")


def object_key(place: Place, moment: datetime) -> tuple[str, str]:
    """Bucket and key: `{prefix}/{endpoint}/{variant}/yyyy/mm/dd/hh/MM-SS-mmm-<uuid>.jsonl`."""
    bucket, _, prefix = place.capture.destination.removeprefix("s3://").partition("/")
    moment = moment.astimezone(UTC)
    parts = [prefix.strip("/"), place.endpoint, place.variant, moment.strftime("%Y/%m/%d/%H")]
    name = f"{moment:%M-%S}-{moment.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
    return bucket, "/".join([*(part for part in parts if part), name])


Put = Callable[..., Any]


class Captures:
    """Buffers exchanges and writes them. `add` is cheap; encoding and writing happen in `flush`, off the loop."""

    def __init__(self, put: Put) -> None:
        """
        Args:
            put: S3's put_object.
        """
        self._put = put
        self._lock = threading.Lock()
        self._buffers: dict[Place, list[Exchange]] = {}
        self._bytes = 0

    def add(self, place: Place, exchange: Exchange) -> bool:
        """Keep one exchange; True if there is enough to write now."""
        with self._lock:
            buffer = self._buffers.setdefault(place, [])
            buffer.append(exchange)
            self._bytes += len(exchange.request) + len(exchange.answer)
            return len(buffer) >= FLUSH_RECORDS or self._bytes >= FLUSH_BYTES

    def flush(self, endpoint: str | None = None) -> None:
        """Write everything (of one endpoint), an object for each place. Blocks.

        An object that cannot be written is logged and dropped, as SageMaker does: capture never holds up serving.
        """
        with self._lock:
            chosen = {p: self._buffers.pop(p) for p in list(self._buffers) if endpoint in (None, p.endpoint)}
            self._bytes -= sum(len(e.request) + len(e.answer) for b in chosen.values() for e in b)
        for place, exchanges in chosen.items():
            lines = [json.dumps(record(e, place.capture), separators=(",", ":")) for e in exchanges]
            bucket, key = object_key(place, exchanges[0].moment)
            arguments: dict[str, Any] = {
                "Bucket": bucket,
                "Key": key,
                "Body": ("\n".join(lines) + "\n").encode(),
                "ContentType": "application/jsonlines",
            }
            if place.capture.kms_key:
                arguments |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": place.capture.kms_key}
            try:
                self._put(**arguments)
            except Exception:
                log.exception("%d captured requests of %s are lost", len(exchanges), place.endpoint)
