"""The function: what it tells whom, and that its image runs in an emulator."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from emulator.functions.runtime import RuntimeApi, Work
from endpoints.watch import memory
from endpoints.watch.handler import handle
from endpoints.watch.image import spec
from endpoints.watch.runtime import serve
from sluice import snapshots
from sluice.clock import ManualClock
from sluice.errors import SluiceError
from tests.emulator.conftest import Emulator, emulator
from tests.emulator.functions.conftest import trust
from tests.emulator.tiny_image import ACCOUNT, until
from tests.endpoints.watch.conftest import NOON, SUBJECT, World, many

__all__ = ["emulator"]
EVENT = {"workload": "flights", "endpoint": "flights-local", "subject": SUBJECT.model_dump(mode="json")}


class Events:
    """EventBridge, as far as it is told."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.entries += [json.loads(entry["Detail"]) for entry in Entries]
        return {"FailedEntryCount": 0, "Entries": []}


@pytest.fixture
def clients(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    monkeypatch.setenv("SLUICE_LAG_SECONDS", "10")
    yield {"s3": world.s3, "cloudwatch": world.cloudwatch, "events": Events()}


def off(each: Any) -> list[float]:
    return [score + 0.35 for score in each.scores]


def test_it_tells_metrics_and_changes_and_leaves_a_report(world: World, clients: dict[str, Any]) -> None:
    clock = ManualClock(NOON + timedelta(seconds=100))
    world.put(many(60))
    said = handle(EVENT, clients, clock)
    assert (said["outcome"], said["pairs"], said["looks"]) == ("undecided", 60, 1)
    clock.sleep(400)
    world.put(many(300, 100), shadow=off)
    said = handle(EVENT, clients, clock)
    assert said["outcome"] == "fail"
    clock.sleep(60)
    assert handle(EVENT, clients, clock)["outcome"] == "fail"
    told = clients["events"].entries
    assert [(each["before"], each["outcome"]) for each in told] == [
        (None, "undecided"),
        ("undecided", "fail"),
    ]
    assert told[1]["version"] == "1.1"
    key = told[1]["evidence"].removeprefix("s3://captures/")
    document = json.loads(world.s3.get_object(Bucket="captures", Key=key)["Body"].read())
    assert document["verdict"]["outcome"] == "fail"
    page = world.s3.get_object(Bucket="captures", Key=key.replace(".json", ".html"))["Body"].read().decode()
    assert "Turned back" in page
    found = world.cloudwatch.list_metrics(Namespace="Sluice/Judge")["Metrics"]
    dims = {
        (each["MetricName"], *sorted(dimension["Name"] for dimension in each["Dimensions"])) for each in found
    }
    assert dims == {
        ("judge_heartbeat", "EndpointName"),
        ("judge_verdict", "EndpointConfigName", "EndpointName"),
        ("judge_log10_e", "EndpointConfigName", "EndpointName"),
        ("judge_log10_e", "Check", "EndpointConfigName", "EndpointName"),
    }


def test_a_function_killed_before_its_look_is_kept_tells_it_again(
    world: World, clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(many(60))
    clock = ManualClock(NOON + timedelta(seconds=100))

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(memory.Keeper, "save", killed)
        handle(EVENT, clients, clock)
    assert world.cloudwatch.list_metrics(Namespace="Sluice/Judge")["Metrics"] == []
    said = handle(EVENT, clients, clock)
    assert (said["looks"], said["pairs"]) == (1, 60)
    assert [each["outcome"] for each in clients["events"].entries] == ["undecided", "undecided"]


def test_with_an_event_that_is_not_whole_there_is_no_heartbeat(world: World, clients: dict[str, Any]) -> None:
    broken = {**SUBJECT.model_dump(mode="json"), "stage": "dusk"}
    for event in ({}, {**EVENT, "subject": broken}, {**EVENT, "endpoint": "other"}, {**EVENT, "every": 0}):
        with pytest.raises(SluiceError, match="event"):
            handle(event, clients)
    assert world.cloudwatch.list_metrics(Namespace="Sluice/Judge")["Metrics"] == []


def test_its_image_runs_as_a_function(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snapshot holds all that it needs: nothing of this process is there."""
    s3, ecr, iam = (emulator.client(name) for name in ("s3", "ecr", "iam"))
    functions = emulator.client("lambda", read_timeout=90)
    for bucket in ("captures", "data"):
        s3.create_bucket(Bucket=bucket)
    ecr.create_repository(repositoryName="watch", imageTagMutability="IMMUTABLE")
    digest = snapshots.push(snapshots.build(spec("flights")), "watch", ecr)
    role = iam.create_role(RoleName="watch", AssumeRolePolicyDocument=trust("lambda.amazonaws.com"))
    functions.create_function(
        FunctionName="watch",
        PackageType="Image",
        Code={"ImageUri": f"{ACCOUNT}/watch@{digest}"},
        Role=role["Role"]["Arn"],
        Timeout=60,
        Environment={"Variables": {"SLUICE_LAG_SECONDS": "0"}},
    )
    functions.get_waiter("function_active_v2").wait(
        FunctionName="watch", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    world = World(s3, None, None)  # type: ignore[arg-type]
    world.put(many(80))
    answer = functions.invoke(FunctionName="watch", Payload=json.dumps(EVENT).encode(), LogType="Tail")
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    assert (said["pairs"], said["looks"], said["outcome"]) == (80, 1, "undecided")
    names = {
        each["MetricName"]
        for each in emulator.client("cloudwatch").list_metrics(Namespace="Sluice/Judge")["Metrics"]
    }
    assert names == {"judge_heartbeat", "judge_verdict", "judge_log10_e"}
    # On a schedule: the same subject, looked at by the rule.
    events = emulator.client("events")
    arn = events.put_rule(Name="watch", ScheduleExpression="rate(1 minute)")["RuleArn"]
    functions.add_permission(
        FunctionName="watch",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=arn,
    )
    function = functions.get_function(FunctionName="watch")["Configuration"]["FunctionArn"]
    events.put_targets(Rule="watch", Targets=[{"Id": "watch", "Arn": function, "Input": json.dumps(EVENT)}])
    world.put(many(20, 200))
    key = SUBJECT.key("state.json.gz")

    def looked() -> bool:
        return bool(memory.Keeper.read(s3, "captures", key).looks >= 2)

    until(looked, 90)
    assert memory.Keeper.read(s3, "captures", key).judge.paired.units == 100


def test_an_error_of_the_handler_is_told_and_the_next_event_comes() -> None:
    api = RuntimeApi()
    first, second = (Work(name, b'{"x": 1}', "arn", 0) for name in ("one", "two"))
    api.give(first)
    api.give(second)

    def once(event: dict[str, Any]) -> dict[str, Any]:
        if not first.done.is_set():
            raise ValueError("no")
        return event

    thread = threading.Thread(target=serve, args=(once, api.address), daemon=True)
    thread.start()
    assert second.done.wait(10)
    assert json.loads(first.error or b"{}")["errorType"] == "ValueError"
    assert json.loads(second.answer or b"{}") == {"x": 1}
    api.close()
    # No event will come any more: it ends by itself.
    thread.join(10)
    assert not thread.is_alive()
