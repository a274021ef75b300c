"""EventBridge delivers, and a target that fails fails nothing else."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.services import events, schedules
from emulator.services.clocked_rules import Schedules
from tests.emulator.inprocess import START, World

ACCOUNT = "123456789012"


def queue(world: World, name: str) -> tuple[str, str]:
    url = world.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"


def received(world: World, url: str, wanted: int = 1) -> list[Any]:
    """The bodies; targets are called in threads, so this waits."""
    found: list[Any] = []
    for _ in range(200):
        found += world.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        if len(found) >= wanted:
            break
        time.sleep(0.02)
    return [json.loads(each["Body"]) for each in found]


def rule(world: World, *targets: dict[str, Any], **given_rule: Any) -> None:
    pattern = given_rule or {"EventPattern": json.dumps({"source": ["sluice.test"]})}
    world.client("events").put_rule(Name="r", **pattern)
    world.client("events").put_targets(Rule="r", Targets=list(targets))


def put(world: World, source: str = "sluice.test") -> Any:
    entry = {"Source": source, "DetailType": "Test", "Detail": json.dumps({"name": "flights", "n": 3})}
    return world.client("events").put_events(Entries=[entry])


def test_every_kind_of_target_and_one_that_fails(world: World) -> None:
    plain, plain_arn = queue(world, "plain")
    constant, constant_arn = queue(world, "constant")
    part, part_arn = queue(world, "part")
    dead, dead_arn = queue(world, "dead")
    behind, behind_arn = queue(world, "behind")
    topic = world.client("sns").create_topic(Name="t")["TopicArn"]
    world.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=behind_arn)
    rule(
        world,
        {"Id": "1", "Arn": plain_arn},
        {"Id": "2", "Arn": constant_arn, "Input": '{"constant": true}'},
        {"Id": "3", "Arn": part_arn, "InputPath": "$.detail"},
        {"Id": "4", "Arn": topic},
        {"Id": "5", "Arn": f"arn:aws:firehose:us-east-1:{ACCOUNT}:deliverystream/none"},
    )
    world.client("events").put_targets(
        Rule="r",
        Targets=[
            {
                "Id": "lost",
                "Arn": f"arn:aws:sns:us-east-1:{ACCOUNT}:does-not-exist",
                "DeadLetterConfig": {"Arn": dead_arn},
            }
        ],
    )
    assert put(world)["FailedEntryCount"] == 0
    (event,) = received(world, plain)
    assert event["detail"] == {"name": "flights", "n": 3} and event["time"].endswith("Z")
    assert received(world, constant) == [{"constant": True}]
    assert received(world, part) == [{"name": "flights", "n": 3}]
    assert json.loads(received(world, behind)[0]["Message"])["source"] == "sluice.test"
    assert received(world, dead)[0]["source"] == "sluice.test"


def test_an_approval_starts_a_pipeline(world: World) -> None:
    client = world.client("sagemaker")
    client.create_pipeline(
        PipelineName="promote",
        PipelineDefinition=json.dumps({"Version": "2020-12-01", "Steps": []}),
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/pipeline",
        ClientRequestToken="t" * 32,
    )
    rule(
        world,
        {
            "Id": "p",
            "Arn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:pipeline/promote",
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/events",
            "SageMakerPipelineParameters": {
                "PipelineParameterList": [{"Name": "Model", "Value": "$.detail.name"}]
            },
        },
    )
    put(world)
    for _ in range(200):
        found = client.list_pipeline_executions(PipelineName="promote")["PipelineExecutionSummaries"]
        if found:
            break
        time.sleep(0.02)
    arn = found[0]["PipelineExecutionArn"]
    parameters = client.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)["PipelineParameters"]
    assert parameters == [{"Name": "Model", "Value": "flights"}]


def test_nobody_outside_speaks_for_aws(world: World) -> None:
    answer = put(world, "aws.sagemaker")
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
    url, arn = queue(world, "q")
    rule(world, {"Id": "1", "Arn": arn}, EventPattern=json.dumps({"source": ["aws.sagemaker"]}))
    events.emit(world.context, "aws.sagemaker", "SageMaker Model Package State Change", {"a": 1}, ["arn"])
    (event,) = received(world, url)
    assert event["resources"] == ["arn"]


def test_a_disabled_rule_and_a_scheduled_rule_match_no_event(world: World) -> None:
    url, arn = queue(world, "q")
    rule(world, {"Id": "1", "Arn": arn}, ScheduleExpression="rate(5 minutes)")
    world.client("events").put_rule(Name="off", EventPattern='{"source": ["sluice.test"]}', State="DISABLED")
    world.client("events").put_targets(Rule="off", Targets=[{"Id": "1", "Arn": arn}])
    put(world)
    control, control_arn = queue(world, "control")
    world.client("events").put_rule(Name="on", EventPattern='{"source": ["sluice.test"]}')
    world.client("events").put_targets(Rule="on", Targets=[{"Id": "1", "Arn": control_arn}])
    put(world)
    assert len(received(world, control)) == 1
    assert world.client("sqs").receive_message(QueueUrl=url).get("Messages", []) == []


def test_schedules_fire(world: World) -> None:
    url, arn = queue(world, "q")
    rule(world, {"Id": "1", "Arn": arn}, ScheduleExpression="rate(1 minute)")
    clocked = Schedules(world.context)
    for _ in range(130):
        clocked.tick()
        world.clock.sleep(1)
    found = received(world, url, 2)
    assert [event["time"] for event in found] == ["2026-01-01T10:01:00Z", "2026-01-01T10:02:00Z"]
    assert found[0]["detail-type"] == "Scheduled Event"


@pytest.mark.parametrize(
    ("expression", "zone", "expected"),
    [
        ("at(2026-01-01T12:00:00)", "UTC", "2026-01-01T12:00:00+00:00"),
        ("at(2026-01-01T12:00:00)", "America/New_York", "2026-01-01T17:00:00+00:00"),
        ("at(2025-01-01T12:00:00)", "UTC", None),
        ("rate(5 minutes)", "UTC", "2026-01-01T10:05:00+00:00"),
        ("cron(0/15 * * * ? *)", "UTC", "2026-01-01T10:15:00+00:00"),
        ("cron(0 7 ? * MON-FRI *)", "Europe/Berlin", "2026-01-02T06:00:00+00:00"),
        ("cron(30 9 1 2,3 ? 2027)", "UTC", "2027-02-01T09:30:00+00:00"),
        ("cron(0 10 * * ? 2026)", "UTC", "2026-01-02T10:00:00+00:00"),
        ("cron(0 10 29 2 ? *)", "UTC", "2028-02-29T10:00:00+00:00"),
    ],
)
def test_the_next_time(expression: str, zone: str, expected: str | None) -> None:
    found = schedules.following(expression, START, START, zone)
    assert (found.isoformat() if found else None) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "daily",
        "rate(0 minutes)",
        "rate(five minutes)",
        "cron(0 7 * * *)",
        "cron(0 7 * * * *)",
        "cron(61 7 * * ? *)",
    ],
)
def test_no_schedule(expression: str) -> None:
    with pytest.raises(ValueError):
        schedules.check(expression)


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(
    lambda each: each.replace(tzinfo=UTC)
)


@given(MOMENTS, st.integers(1, 500))
def test_a_rate_is_strictly_ahead_and_never_more_than_one_step(after: datetime, minutes: int) -> None:
    found = schedules.following(f"rate({minutes} minutes)", after, START)
    assert found is not None
    if after >= START:
        assert after < found <= after + timedelta(minutes=minutes)


@given(MOMENTS, st.integers(0, 59), st.integers(0, 23))
def test_a_daily_cron_is_within_a_day(after: datetime, minute: int, hour: int) -> None:
    found = schedules.following(f"cron({minute} {hour} * * ? *)", after, START)
    assert found is not None and after < found <= after + timedelta(days=1)
    assert (found.hour, found.minute, found.second) == (hour, minute, 0)
