"""A bucket with captures as the data plane writes them, and metrics, in the process of the test."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from emulator import cloudwatch
from emulator.dataplane import capture
from emulator.dataplane.table import Capture
from endpoints.release.file import Champion
from endpoints.watch.limits import Limits
from endpoints.watch.look import Result, Watch
from endpoints.watch.memory import Keeper, Memory
from endpoints.watch.subject import Subject
from tests.emulator import inprocess
from workloads.contract import Workload

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package/flights"
SHORT = Limits(lag=timedelta(seconds=10), metrics_lag=timedelta(seconds=10))
SUBJECT = Subject(
    workload="flights",
    endpoint="flights-local",
    stage="shadow",
    champion=Champion(package=f"{GROUP}/1", version="1.0"),
    challenger=Champion(package=f"{GROUP}/2", version="1.1"),
    since=NOON,
    config="flights-local-new",
    captures="s3://captures/flights",
    labels="s3://data/flights/labels/",
)
CAPTURE = Capture(
    destination="s3://captures/flights",
    percent=100,
    input=True,
    output=True,
    csv_types=("text/csv",),
    json_types=("application/json",),
    kms_key=None,
)


@dataclass
class Asked:
    """One request of a row or more."""

    second: float
    rows: tuple[str, ...]
    scores: tuple[float, ...]
    origin: str = "EWR"
    id: str | None = None
    day: str = "2013-05-01"

    def body(self) -> bytes:
        instances = [
            {
                "flight_id": row,
                "departed_at": f"{self.day}T09:17:00Z",
                "origin": self.origin,
                "carrier": "UA",
                "dep_delay": 20,
            }
            for row in self.rows
        ]
        return json.dumps({"instances": instances}).encode()

    def exchange(self, version: str, scores: Sequence[float], id: str | None) -> capture.Exchange:
        predictions = [
            {"id": row, "score": score, "decision": score >= 0.5}
            for row, score in zip(self.rows, scores, strict=True)
        ]
        answer = {"predictions": predictions, "model": {"workload": "flights", "version": version}}
        return capture.Exchange(
            moment=NOON + timedelta(seconds=self.second),
            inference_id=None,
            custom_attributes=f"id={id};version={version}" if id else None,
            request_type="application/json",
            request=self.body(),
            answer_type="application/json",
            answer=json.dumps(answer).encode(),
        )


@dataclass
class Endpoint:
    """SageMaker, as far as the watch asks: its config, and the one that is being deployed."""

    config: str = "flights-local-old"
    pending: str | None = None
    asked: int = 0

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        self.asked += 1
        said: dict[str, Any] = {"EndpointName": EndpointName, "EndpointConfigName": self.config}
        if self.pending is not None:
            said["PendingDeploymentSummary"] = {"EndpointConfigName": self.pending}
        return said


@dataclass
class World:
    """What a test fills and looks at."""

    s3: Any
    cloudwatch: Any
    workload: Workload
    subject: Subject = SUBJECT
    limits: Limits = SHORT
    memory: Memory | None = None
    endpoint: "Endpoint" = field(default_factory=lambda: Endpoint())
    results: list[Result] = field(default_factory=list)

    def put(
        self,
        asked: Sequence[Asked],
        shadow: Callable[[Asked], Sequence[float]] | None = lambda each: each.scores,
        production: bool = True,
        ids: tuple[bool, bool] = (True, True),
        second: float | None = None,
    ) -> None:
        """Both halves of the requests, an object each; `second` names the objects."""
        arms: list[tuple[str, str, Callable[[Asked], Sequence[float]], bool]] = []
        if production:
            arms.append(("AllTraffic", "1.0", lambda each: each.scores, ids[0]))
        if shadow is not None:
            arms.append(("Shadow", "1.1", shadow, ids[1]))
        for variant, version, scored, named in arms:
            exchanges = [each.exchange(version, scored(each), each.id if named else None) for each in asked]
            self.write(variant, exchanges, second)

    def write(self, variant: str, exchanges: Sequence[capture.Exchange], second: float | None = None) -> None:
        """An object of the data plane's own making."""
        lines = [json.dumps(capture.record(each, CAPTURE)) for each in exchanges]
        moment = exchanges[0].moment if second is None else NOON + timedelta(seconds=second)
        place = capture.Place(self.subject.endpoint, variant, CAPTURE)
        bucket, key = capture.object_key(place, moment)
        self.s3.put_object(Bucket=bucket, Key=key, Body="\n".join(lines).encode())

    def label(self, day: str, labels: dict[str, bool]) -> None:
        """A partition of labels; again, it replaces the old one."""
        moment = datetime.fromisoformat(f"{day}T12:00:00+00:00")
        table = pl.DataFrame(
            {"flight_id": list(labels), "late": list(labels.values()), "known_at": [moment] * len(labels)}
        )
        body = io.BytesIO()
        table.write_parquet(body)
        self.s3.put_object(Bucket="data", Key=f"flights/labels/dt={day}/part.parquet", Body=body.getvalue())

    def metric(
        self, name: str, variant: str, second: float, values: Sequence[float], config: str = ""
    ) -> None:
        """As SageMaker publishes it, with the config."""
        for start in range(0, len(values), 150):  # CloudWatch takes no more at once
            self._metric(name, variant, second, values[start : start + 150], config)

    def _metric(self, name: str, variant: str, second: float, values: Sequence[float], config: str) -> None:
        dims = {
            "EndpointName": self.subject.endpoint,
            "VariantName": variant,
            "EndpointConfigName": config or self.subject.config,
        }
        datum = {
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dims.items()],
            "Values": [float(value) for value in values],
            "Counts": [1.0] * len(values),
            "Timestamp": NOON + timedelta(seconds=second),
        }
        cloudwatch.publish("AWS/SageMaker", [datum])

    def no_slack(self) -> None:
        """Whoever is slower at all is slow: the times of these tests are short."""
        judge = self.workload.release.judge.model_copy(update={"latency_slack": 0.0})
        release = self.workload.release.model_copy(update={"judge": judge})
        self.workload = self.workload.model_copy(update={"release": release})

    def watch(self) -> Watch:
        rules = self.subject.rules(self.workload)
        clients = {"s3": self.s3, "cloudwatch": self.cloudwatch, "sagemaker": self.endpoint}
        return Watch(self.workload, rules, clients, self.limits)

    def look(self, second: float) -> Result:
        """One look; its memory is kept through JSON, as between two calls of a function."""
        rules = self.subject.rules(self.workload)
        memory = self.memory or Keeper(self.s3, self.subject).load(rules)
        result = self.watch().look(memory, NOON + timedelta(seconds=second))
        self.memory = Memory.model_validate_json(result.memory.model_dump_json())
        assert self.memory == result.memory
        self.results.append(result)
        return result


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with inprocess.world(tmp_path) as made:
        made.clock.set(NOON + timedelta(hours=1)) if hasattr(made.clock, "set") else made.clock.sleep(
            26 * 3600
        )
        s3 = made.client("s3")
        for bucket in ("captures", "data"):
            s3.create_bucket(Bucket=bucket)
        yield World(s3, made.client("cloudwatch"), Workload.load("flights"))


def many(
    count: int, begin: float = 0, step: float = 1.0, score: float = 0.3, rows: int = 1, origin: str = "EWR"
) -> list[Asked]:
    """Requests one after the other, with ids and rows of their own."""
    return [
        Asked(
            second=begin + step * place,
            rows=tuple(f"row-{origin}-{begin:g}-{place}-{row}" for row in range(rows)),
            scores=(score + place % 7 / 20,) * rows,
            origin=origin,
            id=f"id-{origin}-{begin:g}-{place}",
        )
        for place in range(count)
    ]
