"""The real process, started from the unpacked snapshot."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.emulator.tiny_image import until
from tests.endpoints.serving.conftest import Start, environment, write_model

ROW = {
    "parcel": "p-1",
    "sent_at": "2026-11-21T10:00:00Z",
    "weight": 5,
    "stops": 3,
    "hub": "north",
    "rain": None,
}


def rows(count: int, **changes: object) -> bytes:
    return json.dumps({"instances": [{**ROW, "parcel": f"p-{n}", **changes} for n in range(count)]}).encode()


def test_is_ready_only_after_it_has_answered(start: Start, tmp_path: Path) -> None:
    write_model(tmp_path / "model", loading=1.0)
    container = start(tmp_path)
    container.wait(lambda status: status != 0)
    response, body = container.request("GET", "/ping")
    assert response.status == 503
    assert b"being loaded" in body
    assert container.request("POST", "/invocations", rows(1))[0].status == 503
    container.wait(lambda status: status == 200)

    response, body = container.request(
        "POST",
        "/invocations",
        rows(1),
        Content_Type="application/json",
        X_Amzn_SageMaker_Custom_Attributes="id=abc;colour=red",
        X_Amzn_SageMaker_Inference_Id="other",
    )
    answer = json.loads(body)
    assert response.status == 200
    assert response.headers["X-Amzn-SageMaker-Custom-Attributes"] == "id=abc;version=1.2"
    assert answer["model"] == {"workload": "parcels", "version": "1.2"}
    assert [row["id"] for row in answer["predictions"]] == ["p-0"]
    assert 0 < answer["predictions"][0]["score"] < 1

    response, body = container.request(
        "POST", "/invocations", rows(1000), Content_Type="application/json", X_Amzn_SageMaker_Inference_Id="i"
    )
    assert [row["id"] for row in json.loads(body)["predictions"]] == [f"p-{n}" for n in range(1000)]
    assert response.headers["X-Amzn-SageMaker-Custom-Attributes"] == "id=i;version=1.2"

    response, body = container.request(
        "POST", "/invocations", rows(2, weight=101), Content_Type="application/json"
    )
    assert response.status == 400
    assert json.loads(body)["error"].startswith("row 0, field weight: 101 is above 100")
    assert container.request("POST", "/invocations", rows(1, weight=66))[0].status == 500

    text = container.request("GET", "/metrics")[1].decode()
    for line in (
        'sluice_requests_total{code="200"} 2',
        'sluice_requests_total{code="400"} 1',
        'sluice_requests_total{code="500"} 1',
        'sluice_requests_total{code="503"} 1',
        "sluice_request_seconds_count 5",
        "sluice_rows_total 1001",
        "sluice_in_flight 0",
        'sluice_model_info{workload="parcels",version="1.2",kind="model",code_hash="c0de"} 1',
    ):
        assert line in text.splitlines()
    logged = [json.loads(line) for line in container.log.read_text().splitlines() if line.startswith("{")]
    assert [(line["id"], line["rows"], line["code"]) for line in logged] == [
        (None, 0, 503),
        ("abc", 1, 200),
        ("i", 1000, 200),
        (None, 0, 400),
        (None, 0, 500),
    ]
    assert "sixty-six" in container.log.read_text()


@pytest.mark.parametrize(
    ("description", "says"),
    [
        ({"workload": "letters"}, "no workload 'letters'"),
        ({"features": ["weight"]}, "other features"),
        ({"kind": "oracle"}, "kind"),
    ],
)
def test_a_model_that_cannot_serve_is_never_ready(
    start: Start, tmp_path: Path, description: dict[str, object], says: str
) -> None:
    write_model(tmp_path / "model", description)
    container = start(tmp_path)
    container.wait(lambda status: status != 0)
    for _ in range(3600):
        response, body = container.request("GET", "/ping")
        assert response.status == 503
        if b"cannot serve" in body:
            break
        time.sleep(0.05)
    assert says in json.loads(body)["error"]
    assert container.request("POST", "/invocations", rows(1))[0].status == 503


def test_the_incumbent_rule_is_served_like_a_model(start: Start, tmp_path: Path) -> None:
    write_model(tmp_path / "model", {"kind": "incumbent", "version": "0", "change": "incumbent"})
    container = start(tmp_path)
    container.wait(lambda status: status == 200)
    _, body = container.request("POST", "/invocations", rows(1, stops=6))
    assert json.loads(body) == {
        "predictions": [{"id": "p-0", "score": 0.9, "decision": True}],
        "model": {"workload": "parcels", "version": "0"},
    }


@pytest.mark.parametrize("workers", ["1", "2"])
def test_stopping_under_load_loses_no_request(start: Start, tmp_path: Path, workers: str) -> None:
    """As a deployment stops an instance: traffic is taken away, then comes SIGTERM with slow requests in flight."""
    write_model(tmp_path / "model", slow=5.0)
    container = start(tmp_path, SLUICE_WORKERS=workers)
    container.wait(lambda status: status == 200)
    statuses: list[int] = []
    lock = threading.Lock()
    routed = threading.Event()
    routed.set()

    def quick() -> None:
        connection = container.connection()
        while routed.is_set():
            connection.request("POST", "/invocations", rows(1))
            response = connection.getresponse()
            response.read()
            with lock:
                statuses.append(response.status)
        connection.close()

    def slow() -> None:
        response, _ = container.request("POST", "/invocations", rows(1, weight=95))
        with lock:
            statuses.append(response.status)

    threads = [threading.Thread(target=quick) for _ in range(4)]
    threads += [threading.Thread(target=slow) for _ in range(8)]
    for thread in threads[:4]:
        thread.start()
    until(lambda: len(statuses) > 20)
    for thread in threads[4:]:
        thread.start()
    until(lambda: container.in_flight() >= 8)
    routed.clear()
    for thread in threads[:4]:
        thread.join()
    answered = len(statuses)
    container.process.terminate()
    for thread in threads[4:]:
        thread.join()
    assert container.process.wait(180) == 0
    assert set(statuses) == {200}
    assert len(statuses) == answered + 8


def test_slow_requests_hold_up_neither_ping_nor_others(start: Start, tmp_path: Path) -> None:
    write_model(tmp_path / "model", slow=5.0)
    container = start(tmp_path, SLUICE_THREADS="3")
    container.wait(lambda status: status == 200)
    statuses: list[int] = []

    def slow() -> None:
        statuses.append(container.request("POST", "/invocations", rows(1, weight=95))[0].status)

    threads = [threading.Thread(target=slow) for _ in range(3)]
    for thread in threads[:2]:
        thread.start()
    until(lambda: container.in_flight() == 2)
    assert container.request("POST", "/invocations", rows(1))[0].status == 200
    threads[2].start()
    until(lambda: container.in_flight() == 3)
    # Every place is taken: refused at once and counted, while the container still says that it lives.
    response, body = container.request("POST", "/invocations", rows(1))
    assert (response.status, b"3 requests" in body) == (503, True)
    assert container.ping() == 200
    assert statuses == []
    for thread in threads:
        thread.join()
    assert statuses == [200, 200, 200]


def test_metrics_are_of_all_workers(start: Start, tmp_path: Path) -> None:
    write_model(tmp_path / "model")
    container = start(tmp_path, SLUICE_WORKERS="2")
    container.wait(lambda status: status == 200)
    sent = 0
    for _ in range(60):
        # Ready means every worker is: none of them may say 503 any more.
        assert container.request("POST", "/invocations", rows(1))[0].status == 200
        sent += 1
    text = container.request("GET", "/metrics")[1].decode()
    total = [line for line in text.splitlines() if line.startswith('sluice_requests_total{code="200"}')]
    assert total == [f'sluice_requests_total{{code="200"}} {sent}']


def test_imports_stay_within_the_small_environment(program: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "model")
    script = (
        "import sys, endpoints.serving.__main__, endpoints.serving.app as app\n"
        "one = app.create()\none.prepare()\nassert one.ready, one._waiting_for\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(program, tmp_path),
        cwd=program,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split()) - sys.stdlib_module_names
    outside = {
        "boto3",
        "botocore",
        "pulumi",
        "polars",
        "pandas",
        "sklearn",
        "aiohttp",
        "flask",
        "typer",
        "rich",
    }
    assert not loaded & outside


def test_says_how_it_is_started(program: Path, tmp_path: Path) -> None:
    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "endpoints.serving", *arguments]
        return subprocess.run(
            command, env=environment(program, tmp_path, **more), cwd=program, capture_output=True, text=True
        )

    assert (run().returncode, run("train").returncode) == (2, 2)
    wrong = run("serve", SLUICE_THREADS="many")
    assert wrong.returncode == 1
    assert wrong.stderr == "SLUICE_THREADS is 'many'. It must be a whole number from 1 to 512.\n"
