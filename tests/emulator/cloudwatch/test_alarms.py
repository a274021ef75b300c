"""Alarms that evaluate, remember and act."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator import cloudwatch
from tests.emulator.inprocess import World

DIMENSIONS = [{"Name": "EndpointName", "Value": "flights-local"}]


def alarm(**changes: Any) -> dict[str, Any]:
    return {
        "AlarmName": "errors",
        "Namespace": "AWS/SageMaker",
        "MetricName": "Invocation5XXErrors",
        "Dimensions": DIMENSIONS,
        "Statistic": "Sum",
        "Period": 10,
        "EvaluationPeriods": 1,
        "Threshold": 0.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        **changes,
    }


def errors(count: float, resolution: int = 1) -> None:
    datum = {"MetricName": "Invocation5XXErrors", "Dimensions": DIMENSIONS, "Value": count}
    cloudwatch.publish("AWS/SageMaker", [{**datum, "StorageResolution": resolution}])


def state(world: World, name: str = "errors") -> str:
    return str(world.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"])


def subscribed(world: World) -> tuple[str, str]:
    queue = world.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    topic = world.client("sns").create_topic(Name="alerts")["TopicArn"]
    world.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:q"
    )
    return topic, queue


def messages(world: World, queue: str) -> list[dict[str, Any]]:
    found = world.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(json.loads(each["Body"])["Message"]) for each in found]


def test_from_breach_to_message_and_back(world: World) -> None:
    client = world.client("cloudwatch")
    topic, queue = subscribed(world)
    client.put_metric_alarm(**alarm(AlarmActions=[topic]))
    assert state(world) == "INSUFFICIENT_DATA"
    world.pass_time(3)
    assert state(world) == "OK"
    errors(2)
    world.pass_time(5)
    assert state(world) == "OK", "the period is not over"
    world.pass_time(5)
    assert state(world) == "ALARM"
    assert cloudwatch.alarm_state("errors") == "ALARM" and cloudwatch.alarm_state("other") is None
    found = client.describe_alarms(StateValue="ALARM")["MetricAlarms"][0]
    assert found["StateReason"].startswith(
        "Threshold Crossed: 1 out of the last 1 datapoint [2.0 (01/01/26 10:00:00)] was greater than the threshold"
    )
    assert json.loads(found["StateReasonData"])["recentDatapoints"] == [2.0]
    (message,) = messages(world, queue)
    assert (message["AlarmName"], message["OldStateValue"], message["NewStateValue"]) == (
        "errors",
        "OK",
        "ALARM",
    )
    assert message["Trigger"]["Dimensions"] == [{"name": "EndpointName", "value": "flights-local"}]
    world.pass_time(60)
    assert state(world) == "OK"
    history = client.describe_alarm_history(AlarmName="errors", ScanBy="TimestampAscending")[
        "AlarmHistoryItems"
    ]
    assert [item["HistoryItemType"] for item in history] == [
        "ConfigurationUpdate",
        "StateUpdate",
        "StateUpdate",
        "Action",
        "StateUpdate",
    ]
    assert json.loads(history[2]["HistoryData"])["newState"]["stateValue"] == "ALARM"


def test_an_update_keeps_the_state_of_yesterday(world: World) -> None:
    client = world.client("cloudwatch")
    client.put_metric_alarm(**alarm())
    client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="yesterday")
    client.put_metric_alarm(**alarm(Threshold=5.0))
    found = client.describe_alarms()["MetricAlarms"][0]
    assert (found["StateValue"], found["StateReason"], found["Threshold"]) == ("ALARM", "yesterday", 5.0)
    world.pass_time(2)
    assert state(world) == "OK"


def test_a_state_that_was_set_lasts_until_the_next_evaluation(world: World) -> None:
    client = world.client("cloudwatch")
    topic, queue = subscribed(world)
    client.put_metric_alarm(**alarm(AlarmActions=[topic]))
    world.pass_time(3)
    client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="drill")
    assert state(world) == "ALARM"
    assert [message["NewStateReason"] for message in messages(world, queue)] == ["drill"]
    world.pass_time(12)
    assert state(world) == "OK"


def test_actions_that_are_disabled_are_not_done(world: World) -> None:
    client = world.client("cloudwatch")
    topic, queue = subscribed(world)
    client.put_metric_alarm(**alarm(AlarmActions=[topic], ActionsEnabled=False))
    client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="x")
    assert messages(world, queue) == []
    client.enable_alarm_actions(AlarmNames=["errors"])
    client.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="x")
    client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="x")
    assert len(messages(world, queue)) == 1


def test_minute_metrics_are_missing_to_a_ten_second_alarm(world: World) -> None:
    client = world.client("cloudwatch")
    client.put_metric_alarm(**alarm(TreatMissingData="missing"))
    client.put_metric_alarm(**alarm(AlarmName="minute", Period=60))
    errors(3, resolution=60)
    world.pass_time(63)
    assert state(world) == "INSUFFICIENT_DATA"
    assert state(world, "minute") == "ALARM"


def test_an_alarm_on_metric_math(world: World) -> None:
    client = world.client("cloudwatch")
    metric = {"Namespace": "AWS/SageMaker", "Dimensions": DIMENSIONS}
    stats = [
        {
            "Id": name,
            "MetricStat": {"Metric": {**metric, "MetricName": each}, "Period": 10, "Stat": "Sum"},
            "ReturnData": False,
        }
        for name, each in (("bad", "Invocation5XXErrors"), ("all", "Invocations"))
    ]
    client.put_metric_alarm(
        AlarmName="share",
        EvaluationPeriods=2,
        DatapointsToAlarm=2,
        Threshold=0.1,
        ComparisonOperator="GreaterThanThreshold",
        Metrics=[*stats, {"Id": "share", "Expression": "IF(all > 0, bad / all, 0)"}],
    )
    for bad in (0, 20, 20):
        errors(bad)
        invocations = {"MetricName": "Invocations", "Dimensions": DIMENSIONS, "Values": [1], "Counts": [100]}
        cloudwatch.publish("AWS/SageMaker", [invocations])
        world.pass_time(10)
    assert state(world, "share") == "OK"
    world.pass_time(2)
    assert state(world, "share") == "ALARM"


def test_a_change_is_an_event(world: World) -> None:
    events, sqs = world.client("events"), world.client("sqs")
    queue = sqs.create_queue(QueueName="events")["QueueUrl"]
    events.put_rule(Name="r", EventPattern=json.dumps({"source": ["aws.cloudwatch"]}))
    events.put_targets(Rule="r", Targets=[{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:123456789012:events"}])
    client = world.client("cloudwatch")
    client.put_metric_alarm(**alarm(AlarmDescription="d"))
    client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="drill")
    found = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    event = json.loads(found[0]["Body"])
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert event["detail"]["state"]["value"] == "ALARM"
    assert event["detail"]["previousState"]["value"] == "INSUFFICIENT_DATA"
    assert (
        event["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"]["name"]
        == "Invocation5XXErrors"
    )


def test_composite_alarms_follow_their_rule(world: World) -> None:
    client = world.client("cloudwatch")
    client.put_metric_alarm(**alarm())
    client.put_composite_alarm(AlarmName="any", AlarmRule="ALARM(errors)")
    errors(1)
    world.pass_time(13)
    assert client.describe_alarms(AlarmNames=["any"])["CompositeAlarms"] == []
    found = client.describe_alarms(AlarmNames=["any"], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert [each["StateValue"] for each in found] == ["ALARM"]
    with pytest.raises(ClientError, match="do not exist"):
        client.put_composite_alarm(AlarmName="any", AlarmRule="ALARM(nothing)")


def test_describing(world: World) -> None:
    client = world.client("cloudwatch")
    for name in ("a-1", "a-2", "b-1"):
        client.put_metric_alarm(**alarm(AlarmName=name))
    names = [each["AlarmName"] for each in client.describe_alarms(AlarmNamePrefix="a-")["MetricAlarms"]]
    assert names == ["a-1", "a-2"]
    pages = client.get_paginator("describe_alarms").paginate(PaginationConfig={"PageSize": 2})
    assert [len(page["MetricAlarms"]) for page in pages] == [2, 1]
    found = client.describe_alarms_for_metric(
        Namespace="AWS/SageMaker", MetricName="Invocation5XXErrors", Dimensions=DIMENSIONS
    )
    assert len(found["MetricAlarms"]) == 3
    client.delete_alarms(AlarmNames=["a-1"])
    assert len(client.describe_alarms()["MetricAlarms"]) == 2
    with pytest.raises(ClientError) as error:
        client.delete_alarms(AlarmNames=["a-1"])
    assert error.value.response["Error"]["Code"] == "ResourceNotFound"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Period": 15}, "must be 10, 20, 30"),
        ({"Statistic": None, "ExtendedStatistic": "p101"}, "not supported"),
        ({"ExtendedStatistic": "p99"}, "Exactly one"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm"),
        ({"TreatMissingData": "perhaps"}, "treatMissingData"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "Anomaly detection"),
        ({"Period": 3600, "EvaluationPeriods": 200}, "more than a day"),
    ],
)
def test_refused_alarms(world: World, changes: dict[str, Any], message: str) -> None:
    given = {name: value for name, value in alarm(**changes).items() if value is not None}
    with pytest.raises(ClientError, match=message) as error:
        world.client("cloudwatch").put_metric_alarm(**given)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
