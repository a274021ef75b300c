"""GetMetricData's queries over the store: also what alarms look through."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from emulator.cloudwatch import expressions, statistics
from emulator.cloudwatch.errors import invalid_value, validation
from emulator.cloudwatch.store import Metric, Store

MAX_QUERIES = 500
_ID = re.compile(r"^[a-z][a-zA-Z0-9_]*$")
PERIODS_BELOW_MINUTE = (1, 5, 10, 20, 30)


def check_period(period: int, name: str = "Period") -> None:
    """Raises:
    ServiceException: ValidationError unless `period` is 1, 5, 10, 20, 30 or a multiple of 60 seconds.
    """
    if period not in PERIODS_BELOW_MINUTE and (period < 60 or period % 60):
        raise validation(
            f"The parameter {name} must be 1, 5, 10, 20, 30, or a multiple of 60, and the value {period} is not."
        )


def check_statistic(name: str, where: str) -> None:
    """Raises:
    ServiceException: ValidationError if CloudWatch has no such statistic.
    """
    try:
        statistics.parse(name)
    except ValueError:
        raise validation(f"The value {name} for parameter {where} is not supported.") from None


def points(
    store: Store,
    metric: Metric,
    statistic: str,
    period: int,
    start: int,
    end: int,
    unit: str | None = None,
    origin: int = 0,
) -> dict[int, float]:
    """The datapoints of [start, end) by the start of their period; periods are counted from `origin`."""
    function = statistics.parse(statistic)
    found = {}
    for time, each in store.bins(
        metric, start - (start - origin) % period, end, period, unit, origin
    ).items():
        value = function(each)
        if value is not None:
            found[time] = value
    return found


@dataclass(frozen=True)
class Result:
    """One query's series. `label` is the metric's name or the expression's id unless one was given."""

    id: str
    label: str
    returned: bool
    points: Mapping[int, float] = field(default_factory=dict)


def period_of(query: Mapping[str, Any], queries: Sequence[Mapping[str, Any]]) -> int:
    """The query's own period; an expression without one takes the largest of the metrics (the coarsest joins all)."""
    if query.get("MetricStat"):
        return int(query["MetricStat"]["Period"])
    if query.get("Period"):
        return int(query["Period"])
    return max((int(each["MetricStat"]["Period"]) for each in queries if each.get("MetricStat")), default=60)


def check(queries: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what CloudWatch refuses before it looks at data.

    Raises:
        ServiceException: ValidationError or InvalidParameterValue.
    """
    if len(queries) > MAX_QUERIES:
        raise validation(f"The collection MetricDataQueries must not have a size greater than {MAX_QUERIES}.")
    seen: set[str] = set()
    for number, query in enumerate(queries, start=1):
        where = f"MetricDataQueries.member.{number}"
        if not _ID.match(query.get("Id") or ""):
            raise validation(
                f"The value {query.get('Id')} for parameter {where}.Id is not matching the pattern."
            )
        if query["Id"] in seen:
            raise validation(
                f"The values for parameter Id in MetricDataQueries are not unique: {query['Id']}."
            )
        seen.add(query["Id"])
        stat, expression = query.get("MetricStat"), query.get("Expression")
        if bool(stat) == bool(expression):
            raise validation(
                f"The parameters {where}.MetricStat and {where}.Expression: exactly one is required.\n"
            )
        if stat:
            check_period(int(stat["Period"]), f"{where}.MetricStat.Period")
            check_statistic(stat["Stat"], f"{where}.MetricStat.Stat")
    for query in queries:
        if query.get("Expression"):
            if query["Expression"].lstrip().upper().startswith("SELECT"):
                raise validation(
                    "Metrics Insights queries (SELECT) are not supported here; name the metrics."
                )
            _check_expression(query, queries, seen)


def _check_expression(query: Mapping[str, Any], queries: Sequence[Mapping[str, Any]], ids: set[str]) -> None:
    """Evaluate over no data: a wrong name or an unsupported function shows without any."""
    scope = expressions.Scope(
        values={name: {} for name in ids if name != query["Id"]},
        metrics=[each["Id"] for each in queries if each.get("MetricStat")],
        period=period_of(query, queries),
        times=(),
    )
    try:
        expressions.evaluate(query["Expression"], scope)
    except expressions.ExpressionError as error:
        raise validation(str(error)) from None


def run(
    store: Store, queries: Sequence[Mapping[str, Any]], start: int, end: int, origin: int = 0
) -> list[Result]:
    """The series of all queries over [start, end), in the order asked; periods are counted from `origin`.

    Raises:
        ServiceException: ValidationError, InvalidParameterValue.
    """
    if start >= end:
        raise invalid_value("The parameter StartTime must be less than the parameter EndTime.")
    check(queries)
    by_id = {query["Id"]: query for query in queries}
    values: dict[str, expressions.Value] = {}
    metrics = [query["Id"] for query in queries if query.get("MetricStat")]

    def value_of(name: str, path: tuple[str, ...]) -> expressions.Value:
        if name in path:
            raise validation(f"Error in expression: circular reference through '{name}'")
        if name not in values:
            query = by_id[name]
            period = period_of(query, queries)
            stat = query.get("MetricStat")
            if stat:
                metric = Metric.of(
                    stat["Metric"]["Namespace"],
                    stat["Metric"]["MetricName"],
                    stat["Metric"].get("Dimensions"),
                )
                values[name] = points(
                    store, metric, stat["Stat"], period, start, end, stat.get("Unit"), origin
                )
            else:
                text = query["Expression"]
                uses = set(expressions.names(text)) & by_id.keys()
                if "METRICS" in text.upper():
                    uses |= set(metrics)
                scope = expressions.Scope(
                    values={other: value_of(other, (*path, name)) for other in uses},
                    metrics=metrics,
                    period=period,
                    times=range(start - (start - origin) % period, end, period),
                )
                try:
                    values[name] = expressions.evaluate(text, scope)
                except expressions.ExpressionError as error:
                    raise validation(str(error)) from None
        return values[name]

    results = []
    for query in queries:
        value = value_of(query["Id"], ())
        period = period_of(query, queries)
        if isinstance(value, float):
            value = dict.fromkeys(range(start - (start - origin) % period, end, period), value)
        label = query.get("Label") or (
            query["MetricStat"]["Metric"]["MetricName"] if query.get("MetricStat") else query["Id"]
        )
        returned = query.get("ReturnData") is not False
        for series in value if isinstance(value, list) else [value]:
            results.append(Result(id=query["Id"], label=label, returned=returned, points=series))
    return results
