"""What a changed alarm does: SNS messages, and the EventBridge event that CloudWatch sends for every change."""

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from emulator.cloudwatch.alarms import Alarm
from emulator.context import Context

log = logging.getLogger("emulator.cloudwatch")

REGION_NAMES = {"us-east-1": "US East (N. Virginia)"}


def act(context: Context, alarm: Alarm, before: Mapping[str, Any]) -> Iterator[str]:
    """Send everything and say what was done, a line an action."""
    _send_event(context, alarm, before)
    if not alarm.actions_enabled:
        return
    for arn in alarm.actions():
        service = arn.split(":")[2] if arn.count(":") >= 5 else ""
        if service == "autoscaling":
            # Application Auto Scaling looks at its alarms itself, as long as they last.
            yield f"Successfully executed action {arn}"
        elif service == "sns":
            try:
                _publish(context, arn, alarm, before)
                yield f"Successfully executed action {arn}"
            except Exception as error:  # noqa: BLE001 - AWS records a failed action and goes on
                yield f"Failed to execute action {arn}. Received error: {error}"
        else:
            log.warning("alarm %s: actions of %s are not done here: %s", alarm.name, service, arn)
            yield f"Failed to execute action {arn}. Received error: actions of {service!r} are not emulated"


def _publish(context: Context, topic: str, alarm: Alarm, before: Mapping[str, Any]) -> None:
    from moto.sns.models import sns_backends

    region = topic.split(":")[3]
    subject = f'{alarm.state}: "{alarm.name}" in {REGION_NAMES.get(context.region, context.region)}'
    message = json.dumps(notification(context, alarm, before))
    sns_backends[context.account][region].publish(message, arn=topic, subject=subject[:100])


def notification(context: Context, alarm: Alarm, before: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of CloudWatch's message."""
    given = alarm.given
    common = {
        "AlarmName": alarm.name,
        "AlarmDescription": given.get("AlarmDescription"),
        "AWSAccountId": context.account,
        "AlarmConfigurationUpdatedTimestamp": _long(alarm.configured),
        "NewStateValue": alarm.state,
        "NewStateReason": alarm.reason,
        "StateChangeTime": _long(alarm.updated),
        "Region": REGION_NAMES.get(context.region, context.region),
        "AlarmArn": alarm.arn,
        "OldStateValue": before["stateValue"],
        "OKActions": given.get("OKActions") or [],
        "AlarmActions": given.get("AlarmActions") or [],
        "InsufficientDataActions": given.get("InsufficientDataActions") or [],
    }
    if alarm.composite:
        return {**common, "AlarmRule": given["AlarmRule"]}
    trigger: dict[str, Any] = {
        "Period": given.get("Period"),
        "EvaluationPeriods": given["EvaluationPeriods"],
        "ComparisonOperator": given["ComparisonOperator"],
        "Threshold": given["Threshold"],
        "TreatMissingData": given.get("TreatMissingData") or "missing",
        "EvaluateLowSampleCountPercentile": given.get("EvaluateLowSampleCountPercentile") or "",
    }
    if given.get("DatapointsToAlarm"):
        trigger["DatapointsToAlarm"] = given["DatapointsToAlarm"]
    if given.get("Metrics"):
        trigger["Metrics"] = given["Metrics"]
    else:
        trigger["MetricName"], trigger["Namespace"] = given["MetricName"], given["Namespace"]
        trigger["StatisticType"] = "Statistic" if given.get("Statistic") else "ExtendedStatistic"
        trigger["Statistic"] = (given.get("Statistic") or given["ExtendedStatistic"]).upper()
        trigger["Unit"] = given.get("Unit")
        trigger["Dimensions"] = [
            {"name": each["Name"], "value": each["Value"]} for each in given.get("Dimensions") or []
        ]
    return {**common, "Trigger": trigger}


def _send_event(context: Context, alarm: Alarm, before: Mapping[str, Any]) -> None:
    from emulator.services import events

    def side(value: str, reason: str, data: str | None) -> dict[str, Any]:
        entry: dict[str, Any] = {"value": value, "reason": reason, "timestamp": _long(alarm.updated)}
        return {**entry, "reasonData": data} if data else entry

    detail = {
        "alarmName": alarm.name,
        "state": side(alarm.state, alarm.reason, alarm.reason_data),
        "previousState": side(before["stateValue"], before["stateReason"], None),
        "configuration": configuration(alarm),
    }
    events.emit(context, "aws.cloudwatch", "CloudWatch Alarm State Change", detail, [alarm.arn])


def configuration(alarm: Alarm) -> dict[str, Any]:
    """The event's `configuration`: the metrics watched, or the rule of a composite alarm."""
    given = alarm.given
    description = {"description": given["AlarmDescription"]} if given.get("AlarmDescription") else {}
    if alarm.composite:
        return {**description, "alarmRule": given["AlarmRule"]}
    if given.get("Metrics"):
        return {**description, "metrics": given["Metrics"]}
    metric = {
        "namespace": given["Namespace"],
        "name": given["MetricName"],
        "dimensions": {each["Name"]: each["Value"] for each in given.get("Dimensions") or []},
    }
    stat = given.get("Statistic") or given["ExtendedStatistic"]
    watched = {"metric": metric, "period": given["Period"], "stat": stat}
    return {**description, "metrics": [{"id": "m1", "metricStat": watched, "returnData": True}]}


def _long(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%dT%H:%M:%S.000+0000"))
