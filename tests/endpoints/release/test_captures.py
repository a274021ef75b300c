"""Captures, as they are read whatever a container answered."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from endpoints.release.captures import Answer, parse
from endpoints.serving.answers import Predictions, encode

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def line(media: str, body: bytes, encoding: str, **event: Any) -> dict[str, Any]:
    data = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode()
    side = {"observedContentType": media, "mode": "OUTPUT", "data": data, "encoding": encoding}
    return json.loads(
        json.dumps(
            {
                "captureData": {
                    "endpointInput": {
                        **side,
                        "mode": "INPUT",
                        "observedContentType": "text/csv",
                        "data": "",
                        "encoding": "CSV",
                    },
                    "endpointOutput": side,
                },
                "eventMetadata": {"eventId": "e", "inferenceTime": "2026-11-21T12:00:05Z", **event},
                "eventVersion": "0",
            }
        )
    )


ANSWER = Predictions(["a", "b,c"], np.array([0.25, 0.75]), np.array([False, True]), "parcels", "1.1")


@pytest.mark.parametrize(
    ("media", "encoding", "version"),
    [
        ("application/json", "JSON", "1.1"),
        ("application/json; charset=utf-8", "BASE64", "1.1"),
        ("text/csv", "CSV", None),
        ("application/x-npy", "BASE64", None),
        ("application/vnd.apache.arrow.stream", "BASE64", "1.1"),
    ],
)
def test_captures_are_read_in_every_type_a_container_answers(
    media: str, encoding: str, version: str | None
) -> None:
    body = encode(media.partition(";")[0], ANSWER)
    read = parse(line(media, body, encoding, inferenceId="i", customAttributes=["id=own;colour=red"]))
    assert read.answers == (Answer("a", 0.25, False), Answer("b,c", 0.75, True))
    assert (read.version, read.ids) == (version, ("i", "own"))
    assert read.moment == NOON + timedelta(seconds=5)


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("application/json", b'{"error": "no"}'),
        ("application/json", b"<html>"),
        (
            "application/json",
            b'{"predictions": [{"id": "a", "score": 7, "decision": true}], "model": {"version": "1"}}',
        ),
        (
            "application/json",
            b'{"predictions": [{"id": "a", "score": null, "decision": true}], "model": {"version": "1"}}',
        ),
        ("text/csv", b"a,0.5,maybe\n"),
        ("text/csv", b"a,nan,true\n"),
        ("text/html", b"hello"),
        ("application/x-npy", b"\x80\x04pickle"),
        ("application/vnd.apache.arrow.stream", b"x"),
    ],
)
def test_an_answer_of_another_form_is_unreadable(media: str, body: bytes) -> None:
    assert parse(line(media, body, "BASE64")).answers is None
