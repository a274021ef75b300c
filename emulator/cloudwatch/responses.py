"""CloudWatch's API over our store and alarms, in the place of moto's. Dashboards and insight rules stay moto's."""

import bisect
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from emulator.cloudwatch import queries, statistics
from emulator.cloudwatch.alarms import STATES, Alarm
from emulator.cloudwatch.errors import invalid_combination, invalid_value, validation
from emulator.cloudwatch.service import Service
from emulator.cloudwatch.store import Metric
from emulator.services.patching import replace

MAX_STATISTICS_POINTS = 1440
MAX_DATA_POINTS = 100_800
PAGE = 500

Action = Callable[[Any], ActionResult]


def actions(service: Service) -> dict[str, Action]:
    """Methods of CloudWatchResponse by name."""
    return {**_metric_actions(service), **_alarm_actions(service), **_tag_actions(service)}


def install(service: Service) -> None:
    for name, action in actions(service).items():
        replace(CloudWatchResponse, name, action)


def epoch(value: Any) -> int:
    """Whole seconds of a datetime, a number or an ISO text."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        value = (value.replace(tzinfo=UTC) if value.tzinfo is None else value).timestamp()
    return int(value)


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def page(found: Sequence[Any], token: str | None, size: int) -> tuple[list[Any], str | None]:
    """One page and the token of the next; tokens are positions.

    Raises:
        ServiceException: InvalidNextToken.
    """
    start = 0
    if token:
        if not token.isdigit() or int(token) > len(found):
            raise invalid_value("The value for parameter NextToken is invalid.")
        start = int(token)
    following = start + size
    return list(found[start:following]), str(following) if following < len(found) else None


def _metric_actions(service: Service) -> dict[str, Action]:
    def put_metric_data(self: Any) -> ActionResult:
        namespace = self._get_param("Namespace") or ""
        if namespace.startswith("AWS/"):
            raise invalid_value(f"The value {namespace} for parameter Namespace is invalid.")
        data = list(self._get_param("MetricData") or [])
        for entity in self._get_param("EntityMetricData") or []:
            data += entity.get("MetricData") or []
        service.store.put(namespace, data, service.now())
        return EmptyResult()

    def list_metrics(self: Any) -> ActionResult:
        within = {"within": service.recently} if self._get_param("RecentlyActive") else {}
        found = service.store.metrics(
            service.now(),
            self._get_param("Namespace"),
            self._get_param("MetricName"),
            self._get_param("Dimensions") or (),
            **within,
        )
        members, token = page(found, self._get_param("NextToken"), PAGE)
        return ActionResult({"Metrics": [metric.describe() for metric in members], "NextToken": token})

    def get_metric_statistics(self: Any) -> ActionResult:
        return ActionResult(_statistics(service, self._get_params()))

    def get_metric_data(self: Any) -> ActionResult:
        return ActionResult(_data(service, self._get_params()))

    return {
        "put_metric_data": put_metric_data,
        "list_metrics": list_metrics,
        "get_metric_statistics": get_metric_statistics,
        "get_metric_data": get_metric_data,
    }


def _statistics(service: Service, given: Mapping[str, Any]) -> dict[str, Any]:
    basic, extended = given.get("Statistics") or [], given.get("ExtendedStatistics") or []
    if bool(basic) == bool(extended):
        raise invalid_combination("Must specify either Statistics or ExtendedStatistics")
    start, end, period = epoch(given["StartTime"]), epoch(given["EndTime"]), int(given["Period"])
    if start >= end:
        raise invalid_value("The parameter StartTime must be less than the parameter EndTime.")
    if period not in queries.PERIODS_BELOW_MINUTE and (period < 60 or period % 60):
        raise invalid_value("The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60.")
    if (end - start) / period > MAX_STATISTICS_POINTS:
        raise invalid_combination(
            f"You have requested up to {(end - start) // period:,} datapoints, which exceeds the limit of 1,440. You "
            "may reduce the datapoints requested by increasing Period, or decreasing the time range."
        )
    for name in basic:
        if name not in statistics.BASIC:
            raise invalid_value(f"The parameter Statistics.member.1 is not a statistic: {name}")
    for name in extended:
        try:
            statistics.parse(name)
        except ValueError:
            raise invalid_value(
                f"The value {name} for parameter ExtendedStatistics is not supported."
            ) from None
    metric = Metric.of(given["Namespace"], given["MetricName"], given.get("Dimensions"))
    datapoints = []
    for unit in [given["Unit"]] if given.get("Unit") else service.store.units(metric):
        for time, found in service.store.bins(metric, start - start % period, end, period, unit).items():
            point: dict[str, Any] = {"Timestamp": _moment(time), "Unit": unit}
            point.update({name: statistics.BASIC[name](found) for name in basic})
            if extended:
                values = {name: statistics.parse(name)(found) for name in extended}
                point["ExtendedStatistics"] = {
                    name: each for name, each in values.items() if each is not None
                }
            datapoints.append(point)
    return {"Label": given["MetricName"], "Datapoints": datapoints}


def _data(service: Service, given: Mapping[str, Any]) -> dict[str, Any]:
    wanted = given.get("MetricDataQueries") or []
    if not wanted:
        raise validation("The parameter MetricDataQueries is required.")
    scan = given.get("ScanBy") or "TimestampDescending"
    if scan not in ("TimestampDescending", "TimestampAscending"):
        raise validation(f"The value {scan} for parameter ScanBy is not supported.")
    limit = int(given.get("MaxDatapoints") or MAX_DATA_POINTS)
    found = queries.run(service.store, wanted, epoch(given["StartTime"]), epoch(given["EndTime"]))
    flat = [
        (number, time, result.points[time])
        for number, result in enumerate(found)
        for time in sorted(result.points, reverse=scan == "TimestampDescending")
        if result.returned
    ]
    chosen, token = page(flat, given.get("NextToken"), limit)
    results = []
    for number, result in enumerate(found):
        if not result.returned:
            continue
        low = bisect.bisect_left(chosen, number, key=lambda each: each[0])
        high = bisect.bisect_right(chosen, number, key=lambda each: each[0])
        mine = chosen[low:high]
        results.append(
            {
                "Id": result.id,
                "Label": result.label,
                "Timestamps": [_moment(time) for _, time, _ in mine],
                "Values": [value for _, _, value in mine],
                "StatusCode": "PartialData" if token else "Complete",
            }
        )
    return {"MetricDataResults": results, "NextToken": token, "Messages": []}


def _alarm_actions(service: Service) -> dict[str, Action]:
    def put_metric_alarm(self: Any) -> ActionResult:
        service.alarms.put(self._get_params(), service.now())
        return EmptyResult()

    def put_composite_alarm(self: Any) -> ActionResult:
        service.alarms.put(self._get_params(), service.now())
        return EmptyResult()

    def describe_alarms(self: Any) -> ActionResult:
        found = select(service.alarms.all(), self._get_params())
        size = int(self._get_param("MaxRecords") or 50)
        members, token = page(found, self._get_param("NextToken"), size)
        return ActionResult(
            {
                "MetricAlarms": [alarm.describe() for alarm in members if not alarm.composite],
                "CompositeAlarms": [alarm.describe() for alarm in members if alarm.composite],
                "NextToken": token,
            }
        )

    def describe_alarms_for_metric(self: Any) -> ActionResult:
        given = self._get_params()
        wanted = Metric.of(given["Namespace"], given["MetricName"], given.get("Dimensions"))
        found = [
            alarm.describe()
            for alarm in service.alarms.all()
            if alarm.given.get("MetricName")
            and Metric.of(alarm.given["Namespace"], alarm.given["MetricName"], alarm.given.get("Dimensions"))
            == wanted
            and all(
                given.get(name) in (None, "", alarm.given.get(name))
                for name in ("Statistic", "ExtendedStatistic", "Period", "Unit")
            )
        ]
        return ActionResult({"MetricAlarms": found})

    def delete_alarms(self: Any) -> ActionResult:
        service.alarms.delete(self._get_param("AlarmNames") or [], service.now())
        return EmptyResult()

    def set_alarm_state(self: Any) -> ActionResult:
        service.alarms.set_state(
            self._get_param("AlarmName"),
            self._get_param("StateValue"),
            self._get_param("StateReason"),
            self._get_param("StateReasonData"),
            service.now(),
        )
        return EmptyResult()

    def enable_alarm_actions(self: Any) -> ActionResult:
        service.alarms.enable(self._get_param("AlarmNames") or [], True)
        return EmptyResult()

    def disable_alarm_actions(self: Any) -> ActionResult:
        service.alarms.enable(self._get_param("AlarmNames") or [], False)
        return EmptyResult()

    def describe_alarm_history(self: Any) -> ActionResult:
        given = self._get_params()
        start, end = given.get("StartDate"), given.get("EndDate")
        types = given.get("AlarmTypes") or ["MetricAlarm"]
        found = [
            item
            for item in list(service.alarms.history)
            if given.get("AlarmName") in (None, "", item["AlarmName"])
            and given.get("HistoryItemType") in (None, "", item["HistoryItemType"])
            and (given.get("AlarmName") or item["AlarmType"] in types)
            and (start is None or item["Timestamp"].timestamp() >= epoch(start))
            and (end is None or item["Timestamp"].timestamp() <= epoch(end))
        ]
        if given.get("ScanBy") != "TimestampAscending":
            found.reverse()
        members, token = page(found, given.get("NextToken"), int(given.get("MaxRecords") or 100))
        return ActionResult({"AlarmHistoryItems": members, "NextToken": token})

    found: Sequence[Action] = (
        put_metric_alarm,
        put_composite_alarm,
        describe_alarms,
        describe_alarms_for_metric,
        delete_alarms,
        set_alarm_state,
        enable_alarm_actions,
        disable_alarm_actions,
        describe_alarm_history,
    )
    return {action.__name__: action for action in found}


def select(alarms: Sequence[Alarm], given: Mapping[str, Any]) -> list[Alarm]:
    """DescribeAlarms' filters. Pure.

    Raises:
        ServiceException: ValidationError.
    """
    names, prefix, state = given.get("AlarmNames"), given.get("AlarmNamePrefix"), given.get("StateValue")
    if names and prefix:
        raise validation("AlarmNamePrefix and AlarmNames are mutually exclusive.")
    if state and state not in STATES:
        raise validation(
            f"1 validation error detected: Value '{state}' at 'stateValue' failed to satisfy constraint: "
            "Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]"
        )
    # Without AlarmTypes only metric alarms are returned, even if composite ones are named (DescribeAlarms, AlarmTypes).
    types = given.get("AlarmTypes") or ["MetricAlarm"]
    return [
        alarm
        for alarm in alarms
        if ("CompositeAlarm" if alarm.composite else "MetricAlarm") in types
        and (not names or alarm.name in names)
        and (not prefix or alarm.name.startswith(prefix))
        and state in (None, "", alarm.state)
        and (
            not given.get("ActionPrefix")
            or any(arn.startswith(given["ActionPrefix"]) for arn in alarm.actions())
        )
    ]


def _tag_actions(service: Service) -> dict[str, Action]:
    def list_tags_for_resource(self: Any) -> ActionResult:
        tags = service.alarms.tags(self._get_param("ResourceARN"))
        return ActionResult({"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]})

    def tag_resource(self: Any) -> ActionResult:
        tags = service.alarms.tags(self._get_param("ResourceARN"))
        tags.update({tag["Key"]: tag["Value"] for tag in self._get_param("Tags") or []})
        return EmptyResult()

    def untag_resource(self: Any) -> ActionResult:
        tags = service.alarms.tags(self._get_param("ResourceARN"))
        for key in self._get_param("TagKeys") or []:
            tags.pop(key, None)
        return EmptyResult()

    return {
        "list_tags_for_resource": list_tags_for_resource,
        "tag_resource": tag_resource,
        "untag_resource": untag_resource,
    }
