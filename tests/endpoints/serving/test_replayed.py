"""Captured requests asked again: of the application itself, and as the job that SageMaker runs."""

import base64
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from endpoints.release.comparison import Replayed
from endpoints.serving.app import Application
from endpoints.serving.bodies import ENCODERS
from endpoints.serving.metrics import Metrics
from endpoints.serving.model import load
from endpoints.serving.replayed import Counts, newest_first, prepared, replay
from endpoints.serving.settings import settings
from endpoints.serving.warmup import rows
from sluice.errors import SluiceError
from tests.endpoints.serving.conftest import environment, write_model
from workloads.contract import Workload

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DESCRIPTION = {"kind": "incumbent", "workload": "flights", "version": "0", "method": 1}
SAMPLE = [
    {**row, "flight_id": f"f-{number}", "dep_delay": late}
    for number, (row, late) in enumerate(
        zip(rows(Workload.load("flights").needed("1.0"), 4), (0, 14, 15, 90), strict=True)
    )
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rule of `flights` as a model directory."""
    made = tmp_path_factory.mktemp("model")
    (made / "model.json").write_text(
        json.dumps({**DESCRIPTION, "change": "incumbent", "code_hash": "c0de"}), encoding="utf-8"
    )
    return made


@pytest.fixture(scope="module")
def application(folder: Path) -> Iterator[Application]:
    limits = settings({"SLUICE_WORKLOAD": "flights"}, 1)
    made = Application(limits, lambda: load("flights", folder), Metrics(), lambda _: None)
    made.prepare()
    yield made


def ask(application: Application, content_type: str, body: bytes) -> tuple[str, bytes]:
    """Content type and body of an answer, as a caller gets it and a capture keeps it."""
    headers: dict[str, str] = {}
    environ = {
        "PATH_INFO": "/invocations",
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": content_type,
        "wsgi.input": io.BytesIO(body),
    }
    answer = b"".join(application(environ, lambda _, said: headers.update(said)))
    return headers["Content-Type"], answer


def line(sent: tuple[str, bytes], answered: tuple[str, bytes] | None, moment: datetime = NOON) -> bytes:
    """A line of a capture object, in SageMaker's form."""

    def side(mode: str, content_type: str, body: bytes) -> dict[str, str]:
        data = base64.b64encode(body).decode()
        return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": "BASE64"}

    data = {"endpointInput": side("INPUT", *sent)}
    if answered is not None:
        data["endpointOutput"] = side("OUTPUT", *answered)
    event = {"eventId": "e", "inferenceId": "i-1", "inferenceTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
    return json.dumps({"captureData": data, "eventMetadata": event, "eventVersion": "0"}).encode()


def captured(application: Application, content_type: str = "application/json", **changes: Any) -> bytes:
    """A request with the application's answer; `changes` are of the first prediction of a JSON answer."""
    sent = content_type, ENCODERS[content_type](SAMPLE)
    kind, answer = ask(application, *sent)
    if changes:
        document = json.loads(answer)
        document["predictions"][0] |= changes
        answer = json.dumps(document).encode()
    return line(sent, (kind, answer))


def replayed(application: Application, *lines: bytes, **given: Any) -> Counts:
    return replay(application, lines, given.pop("version", "0"), given.pop("since", NOON), **given)


@pytest.mark.parametrize("content_type", ENCODERS)
def test_the_same_image_answers_the_same_in_every_format(application: Application, content_type: str) -> None:
    counts = replayed(application, captured(application, content_type), captured(application, content_type))
    assert counts == Counts(requests=2, rows=8, equal=8)


@pytest.mark.parametrize(
    ("changes", "equal", "different"),
    [
        ({"score": 0.1 + 9e-7}, 4, 0),
        ({"score": 0.1 + 2e-6}, 3, 1),
        ({"decision": True}, 3, 1),
        # Then it cannot be told which row was answered, and none counts.
        ({"id": "another"}, 0, 4),
    ],
)
def test_a_row_is_equal_within_a_millionth(
    application: Application, changes: dict[str, Any], equal: int, different: int
) -> None:
    sent = ENCODERS["application/json"](SAMPLE)
    score = json.loads(ask(application, "application/json", sent)[1])["predictions"][0]["score"]
    if "score" in changes:
        changes = {"score": score + changes["score"] - 0.1}
    counts = replayed(application, captured(application, **changes))
    assert (counts.rows, counts.equal, counts.different) == (4, equal, different)
    assert bool(counts.examples) == bool(different)
    if "score" in changes:
        assert counts.largest_difference == pytest.approx(changes["score"] - score)


def test_refusals_have_to_be_the_same(application: Application) -> None:
    sent = "application/json", json.dumps({"instances": [{**SAMPLE[0], "weekday": 9}]}).encode()
    refused = ask(application, *sent)
    assert b"weekday" in refused[1]
    assert replayed(application, line(sent, refused)) == Counts(requests=1, refused=1)

    other = (refused[0], b'{"error": "the model could not answer"}')
    answered = ask(application, "application/json", ENCODERS["application/json"](SAMPLE[:1]))
    for before in (other, answered):
        counts = replayed(application, line(sent, before))
        assert (counts.refused, counts.equal, counts.different) == (0, 0, 1), before
    # And one that was refused and is answered now is no equal either.
    good = "application/json", ENCODERS["application/json"](SAMPLE[:1])
    assert replayed(application, line(good, refused)).different == 1


def test_what_another_version_answered_is_left_out(application: Application) -> None:
    counts = replayed(application, captured(application), version="1.0")
    assert counts == Counts(others=1)
    # CSV says no version, so the moment decides.
    csv = captured(application, "text/csv")
    assert replayed(application, csv, version="1.0") == Counts(requests=1, rows=4, equal=4)
    later = NOON.replace(hour=13)
    assert replayed(application, csv, version="1.0", since=later) == Counts(others=1)


def test_what_cannot_be_read_is_counted_and_proves_nothing(application: Application) -> None:
    sent = "application/json", ENCODERS["application/json"](SAMPLE)
    lines = [
        line(sent, None),
        line(sent, ("text/html", b"<html>")),
        line(sent, ("application/json", b'{"predictions": 7}')),
        b"no json",
        b'{"captureData": {}}',
    ]
    assert replayed(application, *lines) == Counts(unreadable=5)


def test_it_ends_after_as_many_rows_as_are_wanted(application: Application) -> None:
    lines = [captured(application)] * 5
    assert replayed(application, *lines, most_rows=6).rows == 8


def test_the_newest_objects_come_first(tmp_path: Path) -> None:
    for name in ("2026/11/21/12/59-58-000-b", "2026/11/21/13/00-01-000-a", "2026/11/21/12/01-00-000-c"):
        path = tmp_path / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name[-1]}1\n\n{name[-1]}2\n", encoding="utf-8")
    assert [text.strip() for text in newest_first(tmp_path)] == [b"a1", b"a2", b"b1", b"b2", b"c1", b"c2"]


def test_an_image_that_cannot_serve_the_model_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_WORKLOAD", "flights")
    (tmp_path / "model.json").write_text(
        json.dumps({**DESCRIPTION, "kind": "model", "version": "1.0", "change": "data", "code_hash": "c0de"}),
        encoding="utf-8",
    )
    with pytest.raises(SluiceError, match="other features"):
        prepared(tmp_path)


def job(program: Path, opt_ml: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "endpoints.serving.replayed"],
        env=environment(program, opt_ml, ANSWERED_BY="1.2", ANSWERED_SINCE="2026-11-21T12:00:00Z", **more),
        cwd=program,
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_the_job_runs_from_the_image_alone(program: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    base = tmp_path / "opt" / "processing"
    for name in ("model", "captures/2026/11/21/12"):
        (base / name).mkdir(parents=True)
    with tarfile.open(base / "model" / "model.tar.gz", "w:gz") as tar:
        for path in model.iterdir():
            tar.add(path, path.name)
    parcel = {"parcel": "p", "sent_at": "2026-11-21T10:00:00Z", "weight": 5, "stops": 3, "hub": "north"}
    body = json.dumps({"instances": [{**parcel, "rain": None}]}).encode()
    predicted = {"id": "p", "score": 0.3208213, "decision": False}
    answer = json.dumps({"predictions": [predicted], "model": {"workload": "parcels", "version": "1.2"}})
    (base / "captures/2026/11/21/12/00-00-000-a.jsonl").write_bytes(
        line(("application/json", body), ("application/json", answer.encode())) + b"\n"
    )
    done = job(program, tmp_path / "opt")
    assert done.returncode == 0, done.stderr
    found = json.loads((base / "output" / "replayed.json").read_text())
    assert found["largest_difference"] < 1e-6
    assert {**found, "largest_difference": 0.0} == {
        **dict.fromkeys(("different", "refused", "unreadable", "others"), 0),
        **dict.fromkeys(("requests", "rows", "equal"), 1),
        "largest_difference": 0.0,
        "examples": [],
    }


def test_a_job_that_cannot_compare_leaves_the_reason(program: Path, tmp_path: Path) -> None:
    base = tmp_path / "opt" / "processing" / "model"
    base.mkdir(parents=True)
    (base / "model.tar.gz").write_bytes(b"no archive")
    done = job(program, tmp_path / "opt")
    assert done.returncode == 1
    assert "model.tar.gz cannot be unpacked" in (tmp_path / "opt/output/message").read_text()
    assert not (tmp_path / "opt/processing/output/replayed.json").exists()


def test_a_patched_image_says_the_version_of_its_package_and_needs_the_fields_of_its_model(
    folder: Path,
) -> None:
    served = load(
        "flights", folder, settings({"SLUICE_WORKLOAD": "flights", "SLUICE_VERSION": "0.1"}, 1).version
    )
    assert (served.version, served.labels["version"]) == ("0.1", "0.1")
    assert served.needed == load("flights", folder).needed
    with pytest.raises(SluiceError, match="no version"):
        settings({"SLUICE_WORKLOAD": "flights", "SLUICE_VERSION": "latest"}, 1)


def test_what_the_job_counts_is_what_the_command_reads() -> None:
    """Two lists of the same fields, for neither of the two is in the other's image."""
    assert {each.name for each in fields(Counts)} == set(Replayed.model_fields)
