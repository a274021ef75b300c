"""Captured requests and answers of one variant, from S3: one row of a prediction at a time, in order of time."""

import base64
import csv
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sluice.clock import parse_iso

PRODUCTION = "AllTraffic"
SHADOW = "Shadow"


@dataclass(frozen=True)
class Answer:
    """What a version said of one row."""

    row: str
    score: float
    decision: bool


@dataclass(frozen=True)
class Side:
    """What went into the model, or what came out of it: the body as it was, and its content type."""

    content_type: str
    body: bytes


@dataclass(frozen=True)
class Record:
    """One captured request with its answer.

    Attributes:
        ids: the caller's ids of the request: SageMaker's inference id, and the one in the custom attributes.
        payload: of the request's bytes and its minute: what remains to join on where a capture carries no id.
        version: of the model, where the answer says it.
        answers: None if the answer cannot be read.
    """

    moment: datetime
    ids: tuple[str, ...]
    payload: str
    version: str | None
    answers: tuple[Answer, ...] | None


@dataclass(frozen=True)
class Place:
    """Where an endpoint's captures lie: `s3://bucket/prefix/endpoint/variant/yyyy/mm/dd/hh/…jsonl`."""

    bucket: str
    prefix: str
    endpoint: str

    @classmethod
    def of(cls, destination: str, endpoint: str) -> "Place":
        """From `DestinationS3Uri` of the endpoint's capture config."""
        bucket, _, prefix = destination.removeprefix("s3://").partition("/")
        return cls(bucket, prefix.strip("/"), endpoint)

    def folder(self, variant: str) -> str:
        """The key prefix of a variant, with a slash at its end."""
        return "/".join(part for part in (self.prefix, self.endpoint, variant) if part) + "/"


def parse(line: Mapping[str, Any]) -> Record:
    """One line of a capture object."""
    event = line["eventMetadata"]
    moment = parse_iso(event["inferenceTime"])
    sent, answered = sides(line)
    request = b"" if sent is None else sent.body
    identities = [event.get("inferenceId"), *map(_id_of, event.get("customAttributes", []))]
    version, answers = (None, None) if answered is None else read(answered)
    return Record(
        moment=moment,
        ids=tuple(dict.fromkeys(identity for identity in identities if identity)),
        payload=f"{hashlib.sha256(request).hexdigest()[:32]}@{moment:%Y-%m-%dT%H:%M}",
        version=version,
        answers=answers,
    )


def sides(line: Mapping[str, Any]) -> tuple[Side | None, Side | None]:
    """Request and answer of one line; None is one that was not captured."""
    given = (line["captureData"].get(name) for name in ("endpointInput", "endpointOutput"))
    sent, answered = (side and Side(side["observedContentType"], _bytes(side)) for side in given)
    return sent, answered


def _id_of(attributes: str) -> str | None:
    for part in attributes.split(";"):
        name, _, value = part.partition("=")
        if name.strip() == "id" and value.strip():
            return value.strip()
    return None


def _bytes(side: Mapping[str, str] | None) -> bytes:
    if side is None:
        return b""
    if side["encoding"] == "BASE64":
        return base64.b64decode(side["data"])
    return side["data"].encode()


def read(answered: Side) -> tuple[str | None, tuple[Answer, ...] | None]:
    """Version and answers; the answers are None where they are not of the form that our containers give."""
    body, media = answered.body, answered.content_type.partition(";")[0].strip().lower()
    try:
        if media == "application/json":
            document = json.loads(body)
            rows = ((row["id"], row["score"], row["decision"]) for row in document["predictions"])
            return document["model"]["version"], tuple(_answer(*row) for row in rows)
        if media == "text/csv":
            lines = csv.reader(io.StringIO(body.decode(), newline=""), strict=True)
            return None, tuple(_answer(i, float(s), {"true": True, "false": False}[d]) for i, s, d in lines)
        if media == "application/x-npy":
            import numpy as np

            array = np.load(io.BytesIO(body), allow_pickle=False)
            return None, tuple(_answer(*row) for row in array[["id", "score", "decision"]].tolist())
        if media == "application/vnd.apache.arrow.stream":
            import pyarrow as pa

            with pa.ipc.open_stream(body) as stream:
                table = stream.read_all()
            columns = (table.column(name).to_pylist() for name in ("id", "score", "decision"))
            version = (table.schema.metadata or {}).get(b"version")
            answers = tuple(_answer(*row) for row in zip(*columns, strict=True))
            return version.decode() if version else None, answers
    except (ValueError, KeyError, TypeError, IndexError, OSError, csv.Error):
        return None, None
    return None, None


def _answer(row: Any, score: Any, decision: Any) -> Answer:
    if not isinstance(decision, bool) or isinstance(score, bool) or not 0 <= float(score) <= 1:
        raise ValueError("no answer of ours")
    return Answer(str(row), float(score), decision)
