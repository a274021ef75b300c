"""The application without a server around it, on the rule of `flights`."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from endpoints.serving.app import Application
from endpoints.serving.metrics import Metrics
from endpoints.serving.model import load
from endpoints.serving.settings import settings
from endpoints.serving.warmup import rows
from workloads.contract import Workload

LIMITS = replace(settings({"SLUICE_WORKLOAD": "flights"}, 1), max_rows=50, max_bytes=100_000)
ROW = rows(Workload.load("flights").needed("1.0"), 1)[0]


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    folder = tmp_path_factory.mktemp("model")
    description = {"kind": "incumbent", "workload": "flights", "version": "0", "method": 1}
    (folder / "model.json").write_text(
        json.dumps({**description, "change": "incumbent", "code_hash": "c0de"})
    )
    one = Application(LIMITS, lambda: load("flights", folder), Metrics(), lambda line: None)
    one.prepare()
    assert one.ready
    yield one


def ask(application: Application, body: bytes, **environ: str) -> tuple[int, Any]:
    said: list[str] = []
    given = {
        "PATH_INFO": "/invocations",
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **environ,
    }
    answer = b"".join(application(given, lambda status, headers: said.append(status)))
    return int(said[0].split()[0]), orjson.loads(answer)


def instances(*sent: dict[str, Any]) -> bytes:
    return json.dumps({"instances": sent}).encode()


@pytest.mark.parametrize(
    ("body", "environ", "status", "says"),
    [
        (b"", {}, 400, "the request has no body"),
        (b"\x1f\x8b", {"HTTP_CONTENT_ENCODING": "gzip"}, 415, "encoded as 'gzip'; send it as it is"),
        (instances(ROW), {"CONTENT_TYPE": "application/json; charset=utf-16"}, 415, "'utf-16' is not utf-8"),
        (instances(ROW), {"HTTP_ACCEPT": "text/html"}, 406, "none of 'text/html'"),
        (instances(*[ROW] * 51), {}, 413, "51 rows are more than the 50"),
        (b" " * 100_001, {}, 413, "100001 bytes are more than the 100000"),
        (b" " * 100_001, {"CONTENT_LENGTH": ""}, 413, "larger than the 100000 bytes"),
        (instances(ROW, {**ROW, "distance": True}), {}, 400, "row 1, field distance: True is not a number"),
        (instances({**ROW, "distance": 2**70}), {}, 400, "row 0, field distance: 1.18059e+21 is above 6000"),
        (instances({**ROW, "flight_id": 7}), {}, 400, "row 0, field flight_id: 7 is not text"),
        (instances({**ROW, "colour": 1}), {}, 400, "row 0, field colour: is not a field"),
        (instances({**ROW, "weekday": 0, "origin": "SFO"}, {**ROW, "origin": "X"}), {}, 400, "row 1, field"),
    ],
)
def test_what_is_refused_is_told(
    application: Application, body: bytes, environ: dict[str, str], status: int, says: str
) -> None:
    code, answer = ask(application, body, **environ)
    assert code == status
    assert says in answer["error"]


def test_a_row_sent_twice_is_answered_twice_and_in_order(application: Application) -> None:
    sent = [{**ROW, "flight_id": name, "dep_delay": late} for name, late in (("a", 0), ("b", 20), ("a", 30))]
    code, answer = ask(application, instances(*sent), HTTP_CONTENT_ENCODING="identity", HTTP_ACCEPT="*/*")
    assert code == 200
    assert [(row["id"], row["decision"]) for row in answer["predictions"]] == [
        ("a", False),
        ("b", True),
        ("a", True),
    ]


def test_text_numbers_and_left_out_nullable_fields_are_read(application: Application) -> None:
    sent = {name: value for name, value in ROW.items() if name != "temp"} | {"distance": "1400", "humid": ""}
    assert ask(application, instances(sent))[0] == 200
