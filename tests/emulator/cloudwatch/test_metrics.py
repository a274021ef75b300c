"""Metrics are exact, and refused where CloudWatch refuses."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator import cloudwatch
from emulator.cloudwatch import expressions, statistics
from emulator.cloudwatch.series import MAX_DISTINCT, Bin, Series, _rounded
from emulator.cloudwatch.store import Metric, Store
from tests.emulator.inprocess import START, World

NOW = int(START.timestamp())
VALUES = st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), min_size=1, max_size=60)


def bin_of(values: list[float]) -> Bin:
    made = Bin()
    for value in values:
        made.add(value)
    return made


def value(name: str, made: Bin) -> float:
    found = statistics.parse(name)(made)
    assert found is not None
    return found


@given(VALUES)
def test_statistics_are_those_of_the_values(values: list[float]) -> None:
    made = bin_of(values)
    assert value("SampleCount", made) == len(values)
    assert math.isclose(value("Sum", made), math.fsum(values), abs_tol=1e-6)
    assert math.isclose(value("Average", made), math.fsum(values) / len(values), abs_tol=1e-6)
    assert (value("Minimum", made), value("Maximum", made)) == (min(values), max(values))


@given(VALUES, st.floats(0.1, 100))
def test_a_percentile_is_the_smallest_value_with_that_share_at_or_below_it(
    values: list[float], percent: float
) -> None:
    found = statistics.percentile(sorted((each, 1.0) for each in values), percent)
    share = len(values) * percent / 100
    assert found in values
    assert sum(each <= found for each in values) >= share - 1e-6
    assert sum(each < found for each in values) < share + 1e-6


@given(VALUES, VALUES)
def test_merging_bins_is_adding_all_values(left: list[float], right: list[float]) -> None:
    merged, both = bin_of(left), bin_of(left + right)
    merged.merge(bin_of(right))
    assert merged.values == both.values and merged.count == both.count
    assert math.isclose(merged.total, both.total, abs_tol=1e-6)


def test_trimmed_statistics() -> None:
    made = bin_of([float(each) for each in range(1, 101)])
    assert value("p50", made) == 50
    assert value("p99.9", made) == 100
    assert value("tm90", made) == pytest.approx(45.5)
    assert value("TM(10%:90%)", made) == pytest.approx(50.5)
    assert value("TC(50:80)", made) == 30
    assert value("TS(:3)", made) == 6
    assert value("PR(:25)", made) == 25
    assert value("IQM", made) == pytest.approx(50.5)
    assert value("WM(:50%)", made) == pytest.approx((sum(range(1, 51)) + 50 * 50) / 100)


@pytest.mark.parametrize("name", ["Median", "p101", "p", "TM()", "TM(:)", "PR(10%:20%)", "average", "tm90%"])
def test_an_unknown_statistic_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        statistics.parse(name)


def test_a_statistic_set_has_no_percentiles() -> None:
    made = Bin()
    made.add_set(count=3, total=6, minimum=1, maximum=3)
    assert statistics.parse("p90")(made) is None
    assert value("Average", made) == 2


def test_memory_is_bounded_and_percentiles_stay_within_one_per_cent() -> None:
    made = Bin()
    for each in range(20_000):
        made.add(1000 + each / 7)
    assert made.values is not None and len(made.values) <= MAX_DISTINCT
    assert value("p90", made) == pytest.approx(1000 + 18_000 / 7, rel=0.01)
    assert value("Sum", made) == pytest.approx(sum(1000 + each / 7 for each in range(20_000)))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_buckets_keep_every_count_and_sign(values: list[float]) -> None:
    made = bin_of([*values, *values])
    rounded = _rounded(dict(made.values or {}), 8)
    assert math.fsum(rounded.values()) == made.count
    assert len(rounded) <= len(made.values or {})
    below = math.fsum(count for each, count in rounded.items() if each < 0)
    assert below == 2 * sum(each < 0 for each in values)


def test_old_data_become_minutes_and_then_go() -> None:
    series = Series()
    series.at(NOW, high_resolution=True).add(1)
    assert not series.forget(NOW + 4 * 3600)
    fine: dict[int, Bin] = {}
    series.collect(fine, NOW, NOW + 60, 10, 0)
    assert fine == {}
    coarse: dict[int, Bin] = {}
    series.collect(coarse, NOW, NOW + 60, 60, 0)
    assert coarse[NOW].count == 1
    assert series.forget(NOW + 16 * 86400)


def test_a_store_forgets_metrics_without_data() -> None:
    store = Store()
    store.put("A", [{"MetricName": "m", "Value": 1}], START)
    store.put("A", [{"MetricName": "n", "Value": 1}], START + timedelta(days=16))
    assert [metric.name for metric in store.metrics(START + timedelta(days=16))] == ["n"]


SERIES = st.dictionaries(st.integers(0, 20), st.floats(-100, 100), max_size=10)


def scope(**values: Any) -> expressions.Scope:
    return expressions.Scope(values=values, metrics=list(values), period=10, times=range(0, 50, 10))


@settings(max_examples=50)
@given(SERIES, SERIES)
def test_an_operator_joins_the_points_both_have(a: dict[int, float], b: dict[int, float]) -> None:
    found = expressions.evaluate("a + b * 2", scope(a=a, b=b))
    assert found == {time: a[time] + b[time] * 2 for time in a.keys() & b.keys()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3 - 4 / 2", 5.0),
        ("-(2 ^ 3) + 1", -7.0),
        ("a / b", {10: 2.0}),
        ("IF(b > 0, a / b, 0)", {0: 0.0, 10: 2.0}),
        ("FILL(c, 0)", {0: 0.0, 10: 5.0, 20: 0.0, 30: 7.0, 40: 0.0}),
        ("FILL(c, REPEAT)", {10: 5.0, 20: 5.0, 30: 7.0, 40: 7.0}),
        ("FILL(c, LINEAR)", {10: 5.0, 20: 6.0, 30: 7.0}),
        ("SUM([a, b])", {0: 1.0, 10: 6.0}),
        ("MAX(METRICS())", {0: 1.0, 10: 5.0, 30: 7.0}),
        ("AVG(c)", 6.0),
        ("RATE(c)", {30: 0.1}),
        ("PERIOD(a)", 10.0),
        ("(a > 2 AND b > 1) OR a == 1", {0: 1.0, 10: 1.0}),
        ("ABS(0 - a)", {0: 1.0, 10: 4.0}),
    ],
)
def test_metric_math(text: str, expected: Any) -> None:
    found = expressions.evaluate(text, scope(a={0: 1.0, 10: 4.0}, b={0: 0.0, 10: 2.0}, c={10: 5.0, 30: 7.0}))
    assert found == expected


@pytest.mark.parametrize(
    "text", ["", "a +", "a b", "nope", "(a", "ANOMALY_DETECTION_BAND(a)", "a @ 2", "FILL(a)", "[1]"]
)
def test_math_that_cannot_be_done_says_so(text: str) -> None:
    with pytest.raises(expressions.ExpressionError):
        expressions.evaluate(text, scope(a={0: 1.0}))


def code(error: Any) -> str:
    return str(error.value.response["Error"]["Code"])


def test_put_and_get(world: World) -> None:
    client = world.client("cloudwatch")
    dimensions = [{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}]
    client.put_metric_data(
        Namespace="Sluice/Test",
        MetricData=[
            {
                "MetricName": "m",
                "Dimensions": dimensions,
                "Values": [1, 2, 3],
                "Counts": [1, 1, 8],
                "Unit": "Count",
            },
            {
                "MetricName": "m",
                "Dimensions": dimensions[::-1],
                "StatisticValues": {"SampleCount": 2, "Sum": 10, "Minimum": 4, "Maximum": 6},
                "Unit": "Count",
            },
            {"MetricName": "m", "Value": 100, "Unit": "Count"},
        ],
    )
    span = {"StartTime": START - timedelta(minutes=5), "EndTime": START + timedelta(minutes=5)}
    points = client.get_metric_statistics(
        Namespace="Sluice/Test",
        MetricName="m",
        Dimensions=dimensions,
        Period=60,
        Statistics=["Sum", "Average", "Minimum", "Maximum", "SampleCount"],
        **span,
    )["Datapoints"]
    assert points == [
        {
            "Timestamp": START,
            "SampleCount": 12.0,
            "Sum": 37.0,
            "Average": 37 / 12,
            "Minimum": 1.0,
            "Maximum": 6.0,
            "Unit": "Count",
        }
    ]
    assert [each["Dimensions"] for each in client.list_metrics(Namespace="Sluice/Test")["Metrics"]] == [
        [],
        dimensions[::-1],
    ]
    found = client.list_metrics(Dimensions=[{"Name": "a"}])["Metrics"]
    assert len(found) == 1


def test_a_period_below_a_minute_sees_high_resolution_only(world: World) -> None:
    client = world.client("cloudwatch")
    for resolution, name in ((1, "fine"), (60, "coarse")):
        datum = {"MetricName": name, "Value": 7, "StorageResolution": resolution}
        client.put_metric_data(Namespace="N", MetricData=[datum])
    queries = [
        {
            "Id": f"{name}{period}",
            "MetricStat": {"Metric": {"Namespace": "N", "MetricName": name}, "Period": period, "Stat": "p90"},
        }
        for name in ("fine", "coarse")
        for period in (10, 60)
    ]
    found = client.get_metric_data(
        StartTime=START, EndTime=START + timedelta(minutes=1), MetricDataQueries=queries
    )["MetricDataResults"]
    assert {each["Id"]: each["Values"] for each in found} == {
        "fine10": [7.0],
        "fine60": [7.0],
        "coarse10": [],
        "coarse60": [7.0],
    }


def test_pages_of_data_are_the_whole(world: World) -> None:
    client = world.client("cloudwatch")
    for minute in range(10):
        datum = {"MetricName": "m", "Value": minute, "Timestamp": START - timedelta(minutes=minute)}
        client.put_metric_data(Namespace="N", MetricData=[datum])
    stat = {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    queries = [{"Id": "m", "MetricStat": stat}, {"Id": "twice", "Expression": "m * 2"}]
    pages = client.get_paginator("get_metric_data").paginate(
        StartTime=START - timedelta(hours=1),
        EndTime=START + timedelta(minutes=1),
        MetricDataQueries=queries,
        MaxDatapoints=7,
    )
    found: dict[str, list[float]] = {}
    for each in pages:
        for result in each["MetricDataResults"]:
            found.setdefault(result["Id"], []).extend(result["Values"])
    assert found == {"m": [float(n) for n in range(10)], "twice": [2.0 * n for n in range(10)]}


@pytest.mark.parametrize(
    ("namespace", "datum", "wanted"),
    [
        ("AWS/SageMaker", {"MetricName": "m", "Value": 1}, "InvalidParameterValue"),
        ("N", {"MetricName": "m"}, "MissingParameter"),
        ("N", {"MetricName": "m", "Value": 1, "Values": [1]}, "InvalidParameterCombination"),
        ("N", {"MetricName": "m", "Values": [1, 2], "Counts": [1]}, "InvalidParameterValue"),
        ("N", {"MetricName": "m", "Value": 1, "StorageResolution": 5}, "InvalidParameterValue"),
        (
            "N",
            {"MetricName": "m", "Value": 1, "Timestamp": datetime(2025, 1, 1, tzinfo=UTC)},
            "InvalidParameterValue",
        ),
        (
            "N",
            {"MetricName": "m", "Value": 1, "Timestamp": datetime(2027, 1, 1, tzinfo=UTC)},
            "InvalidParameterValue",
        ),
    ],
)
def test_refused_data(world: World, namespace: str, datum: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ClientError) as error:
        world.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[datum])
    assert code(error) == wanted
    assert world.client("cloudwatch").list_metrics()["Metrics"] == []


@pytest.mark.parametrize(
    "query",
    [
        {
            "Id": "m",
            "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 15, "Stat": "Sum"},
        },
        {
            "Id": "m",
            "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60, "Stat": "Median"},
        },
        {"Id": "Big", "Expression": "1"},
        {"Id": "m", "Expression": "x + 1"},
        {"Id": "m", "Expression": "SELECT AVG(x) FROM y"},
        {"Id": "m", "Expression": "m + 1"},
    ],
)
def test_refused_queries(world: World, query: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as error:
        world.client("cloudwatch").get_metric_data(
            StartTime=START, EndTime=START + timedelta(hours=1), MetricDataQueries=[query]
        )
    assert code(error) == "ValidationError"


def test_the_emulator_itself_may_publish_for_aws(world: World) -> None:
    data = [{"MetricName": "Invocations", "Value": 1.0, "Timestamp": NOW}]
    cloudwatch.publish("AWS/SageMaker", data)
    metric = Metric("AWS/SageMaker", "Invocations")
    assert cloudwatch.service().store.bins(metric, NOW, NOW + 10, 10)[NOW].count == 1
