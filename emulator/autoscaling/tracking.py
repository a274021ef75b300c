"""The two alarms that a target tracking policy owns. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.autoscaling.errors import validation

LOW_SHARE = 0.9
"""AlarmLow's threshold as a share of the target, as the alarms that AWS creates have it."""


@dataclass(frozen=True)
class Watched:
    """The part of PutMetricAlarm that names a metric, and how fast AlarmHigh looks at it."""

    metric: Mapping[str, Any]
    period: int


PREDEFINED: Mapping[str, tuple[str, str, int]] = {
    "SageMakerVariantInvocationsPerInstance": ("InvocationsPerInstance", "Sum", 60),
    # One sample an instance, so that the average is the concurrency of one instance.
    "SageMakerVariantConcurrentRequestsPerModelHighResolution": ("ConcurrentRequestsPerModel", "Average", 10),
}


def watched(resource: str, configuration: Mapping[str, Any]) -> Watched:
    """What the policy on `endpoint/<name>/variant/<name>` watches.

    Raises:
        JsonRESTError: ValidationException.
    """
    predefined = configuration.get("PredefinedMetricSpecification")
    customized = configuration.get("CustomizedMetricSpecification")
    if bool(predefined) == bool(customized):
        raise validation(
            "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification is required."
        )
    _, endpoint, _, variant = resource.split("/")
    if predefined:
        kind = predefined.get("PredefinedMetricType")
        if kind not in PREDEFINED:
            raise validation(f"Unsupported predefined metric type {kind} for a SageMaker endpoint variant.")
        name, statistic, period = PREDEFINED[kind]
        dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
        return Watched(
            {
                "Namespace": "AWS/SageMaker",
                "MetricName": name,
                "Dimensions": dimensions,
                "Statistic": statistic,
            },
            period,
        )
    assert customized is not None
    if customized.get("Metrics"):
        return Watched({"Metrics": [_query(each) for each in customized["Metrics"]]}, 60)
    for name in ("MetricName", "Namespace", "Statistic"):
        if not customized.get(name):
            raise validation(f"CustomizedMetricSpecification needs {name}.")
    kept = ("Namespace", "MetricName", "Dimensions", "Statistic", "Unit")
    return Watched({name: customized[name] for name in kept if customized.get(name)}, 60)


def _query(given: Mapping[str, Any]) -> dict[str, Any]:
    query = {
        name: given[name]
        for name in ("Id", "Label", "Expression", "ReturnData")
        if given.get(name) is not None
    }
    if given.get("MetricStat"):
        query["MetricStat"] = {"Period": 60, **given["MetricStat"]}
    return query


def alarms(
    resource: str, policy_arn: str, configuration: Mapping[str, Any], high_id: str, low_id: str
) -> list[dict[str, Any]]:
    """PutMetricAlarm for AlarmHigh and, unless scale-in is disabled, AlarmLow.

    Raises:
        JsonRESTError: ValidationException.
    """
    what = watched(resource, configuration)
    target = float(configuration["TargetValue"])
    common = {
        "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy_arn}.",
        "ActionsEnabled": True,
        "AlarmActions": [policy_arn],
    }
    high = {
        **common,
        **_at(what, what.period),
        "AlarmName": f"TargetTracking-{resource}-AlarmHigh-{high_id}",
        "EvaluationPeriods": 3,
        "Threshold": target,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    if configuration.get("DisableScaleIn"):
        return [high]
    low = {
        **common,
        **_at(what, 60),
        "AlarmName": f"TargetTracking-{resource}-AlarmLow-{low_id}",
        "EvaluationPeriods": 15,
        "Threshold": target * LOW_SHARE,
        "ComparisonOperator": "LessThanThreshold",
    }
    return [high, low]


def _at(what: Watched, period: int) -> dict[str, Any]:
    return dict(what.metric) if "Metrics" in what.metric else {**what.metric, "Period": period}
