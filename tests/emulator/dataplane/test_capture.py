"""Captures are in SageMaker's form, and none is lost."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from emulator.dataplane.capture import FLUSH_RECORDS, Captures, Exchange, Place, object_key, record
from emulator.dataplane.table import Capture

MOMENT = datetime(2026, 11, 21, 9, 5, 7, 42_000, tzinfo=UTC)
CAPTURE = Capture(
    destination="s3://bucket/a/b/",
    percent=100,
    input=True,
    output=True,
    csv_types=("text/csv",),
    json_types=("application/json",),
    kms_key="key",
)


def exchange(**more: Any) -> Exchange:
    return Exchange(
        **{
            "moment": MOMENT,
            "inference_id": "i",
            "custom_attributes": "id=i",
            "request_type": "text/csv; charset=utf-8",
            "request": b"1,2",
            "answer_type": "application/x-npy",
            "answer": b"\x93NUMPY",
            **more,
        }
    )


def test_a_record() -> None:
    line = record(exchange(), CAPTURE)
    assert line["eventVersion"] == "0"
    assert line["captureData"]["endpointInput"] == {
        "observedContentType": "text/csv; charset=utf-8",
        "mode": "INPUT",
        "data": "1,2",
        "encoding": "CSV",
    }
    assert line["captureData"]["endpointOutput"]["encoding"] == "BASE64"
    event = line["eventMetadata"]
    assert event.pop("eventId")
    assert event == {
        "customAttributes": ["id=i"],
        "inferenceId": "i",
        "inferenceTime": "2026-11-21T09:05:07Z",
    }


@pytest.mark.parametrize(("request_type", "body"), [("text/csv", b"\xff"), ("text/plain", b"x")])
def test_what_is_no_declared_text_is_base64(request_type: str, body: bytes) -> None:
    line = record(exchange(request_type=request_type, request=body), CAPTURE)
    assert line["captureData"]["endpointInput"]["encoding"] == "BASE64"


def test_one_side_alone() -> None:
    line = record(exchange(), CAPTURE.model_copy(update={"input": False}))
    assert set(line["captureData"]) == {"endpointOutput"}


def test_the_key_of_an_object() -> None:
    bucket, key = object_key(Place("flights", "Shadow", CAPTURE), MOMENT)
    assert bucket == "bucket"
    assert key.startswith("a/b/flights/Shadow/2026/11/21/09/05-07-042-")
    assert key.endswith(".jsonl")


def test_buffers_are_written_once_and_a_failure_costs_one_object() -> None:
    written: list[dict[str, Any]] = []

    def put(**arguments: Any) -> None:
        if "/broken/" in arguments["Key"]:
            raise OSError("no bucket")
        written.append(arguments)

    captures = Captures(put)
    full = [captures.add(Place("e", "A", CAPTURE), exchange()) for _ in range(FLUSH_RECORDS)]
    assert full == [False] * (FLUSH_RECORDS - 1) + [True]
    captures.add(Place("broken", "A", CAPTURE), exchange())
    captures.add(Place("f", "A", CAPTURE), exchange())
    captures.flush("e")
    assert len(written) == 1
    captures.flush()
    captures.flush()
    assert [len(put["Body"].splitlines()) for put in written] == [FLUSH_RECORDS, 1]
    assert all(json.loads(line) for put in written for line in put["Body"].splitlines())
    assert (written[0]["ServerSideEncryption"], written[0]["SSEKMSKeyId"]) == ("aws:kms", "key")
