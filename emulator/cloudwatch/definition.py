"""Reading PutMetricAlarm: what CloudWatch refuses, and what of it decides. Pure."""

from collections.abc import Mapping
from typing import Any

from emulator.cloudwatch import queries
from emulator.cloudwatch.errors import invalid_combination, missing_parameter, validation
from emulator.cloudwatch.evaluation import OPERATORS, Rule

STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")
DAY, WEEK = 86400, 7 * 86400


def check(given: Mapping[str, Any]) -> None:
    """Raises:
    ServiceException: ValidationError, MissingParameter or InvalidParameterCombination, as PutMetricAlarm does.
    """
    for name in ("AlarmName", "ComparisonOperator", "EvaluationPeriods"):
        if not given.get(name):
            raise missing_parameter(f"The parameter {name} is required.")
    if len(given["AlarmName"]) > 255:
        raise _enum("alarmName", given["AlarmName"], "Member must have length less than or equal to 255")
    comparison = given["ComparisonOperator"]
    if comparison not in OPERATORS:
        if "Upper" in comparison or "Lower" in comparison:
            raise validation("Anomaly detection alarms are not supported here; give a Threshold.")
        raise _enum(
            "comparisonOperator", comparison, f"Member must satisfy enum value set: {_set(OPERATORS)}"
        )
    if given.get("Threshold") is None:
        raise validation(
            "The parameter Threshold is required for an alarm that is not based on anomaly detection."
        )
    treatment = given.get("TreatMissingData")
    if treatment and treatment not in TREATMENTS:
        raise _enum("treatMissingData", treatment, f"Member must satisfy enum value set: {_set(TREATMENTS)}")
    periods, datapoints = int(given["EvaluationPeriods"]), given.get("DatapointsToAlarm")
    if periods < 1:
        raise _enum("evaluationPeriods", periods, "Member must have value greater than or equal to 1")
    if datapoints is not None and not 1 <= int(datapoints) <= periods:
        raise validation("DatapointsToAlarm must be at least 1 and not greater than EvaluationPeriods.")
    for kind in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        if len(given.get(kind) or ()) > 5:
            raise _enum(
                kind[0].lower() + kind[1:], given[kind], "Member must have length less than or equal to 5"
            )
    _check_metrics(given) if given.get("Metrics") else _check_metric(given)
    length = rule_of(given).period * periods
    if length > (DAY if rule_of(given).period < 3600 else WEEK):
        raise validation(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400), or a week "
            "where Period is at least one hour."
        )


def _check_metric(given: Mapping[str, Any]) -> None:
    for name in ("MetricName", "Namespace", "Period"):
        if not given.get(name):
            raise missing_parameter(f"The parameter {name} is required.")
    if bool(given.get("Statistic")) == bool(given.get("ExtendedStatistic")):
        raise invalid_combination(
            "Exactly one of the parameters Statistic and ExtendedStatistic must be specified."
        )
    statistic = given.get("Statistic")
    if statistic and statistic not in STATISTICS:
        raise _enum("statistic", statistic, f"Member must satisfy enum value set: {_set(STATISTICS)}")
    if given.get("ExtendedStatistic"):
        queries.check_statistic(given["ExtendedStatistic"], "ExtendedStatistic")
    _check_alarm_period(int(given["Period"]), "Period")


def _check_metrics(given: Mapping[str, Any]) -> None:
    for name in ("MetricName", "Namespace", "Period", "Statistic", "ExtendedStatistic", "Dimensions"):
        if given.get(name):
            raise invalid_combination(f"The parameters Metrics and {name} are mutually exclusive.")
    queries.check(given["Metrics"])
    returned = [query for query in given["Metrics"] if query.get("ReturnData") is not False]
    if len(returned) != 1:
        raise validation("Exactly one element of the metrics list should return data.")
    for query in given["Metrics"]:
        if query.get("MetricStat"):
            _check_alarm_period(int(query["MetricStat"]["Period"]), "MetricStat.Period")


def _check_alarm_period(period: int, name: str) -> None:
    if period not in (10, 20, 30) and (period < 60 or period % 60):
        raise validation(
            f"The parameter {name} must be 10, 20, 30, or a multiple of 60, and {period} is not."
        )


def rule_of(given: Mapping[str, Any]) -> Rule:
    """What decides about the alarm."""
    periods = int(given["EvaluationPeriods"])
    return Rule(
        period=period_of(given),
        periods=periods,
        datapoints=int(given.get("DatapointsToAlarm") or periods),
        threshold=float(given["Threshold"]),
        comparison=given["ComparisonOperator"],
        treat_missing=given.get("TreatMissingData") or "missing",
    )


def period_of(given: Mapping[str, Any]) -> int:
    """The alarm's period: its own, or that of the query which returns data."""
    if not given.get("Metrics"):
        return int(given["Period"])
    return queries.period_of(returned_query(given), given["Metrics"])


def returned_query(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of an alarm on several metrics, the query whose result is watched."""
    found: Mapping[str, Any] = next(
        query for query in given["Metrics"] if query.get("ReturnData") is not False
    )
    return found


def _set(values: Any) -> str:
    return "[" + ", ".join(values) + "]"


def _enum(member: str, value: Any, rule: str) -> Exception:
    return validation(
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}"
    )
