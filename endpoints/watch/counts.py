"""Requests, errors and latency of both arms from SageMaker's metrics, each whole period once."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from endpoints.release.captures import PRODUCTION, SHADOW
from endpoints.release.judge import Arm, Rules
from endpoints.release.judge.batch import add_arms
from endpoints.watch.subject import Subject

MOST = timedelta(hours=6)
"""Of one look: the rest comes in the next."""
REFERENCE_HOURS = 3
REFERENCE_SAMPLES = 100

Values = dict[str, float]
Stats = Mapping[str, tuple[str, str]]
Dimensions = Mapping[str, str]


class Period(NamedTuple):
    """Both arms in one period of the metrics."""

    begin: datetime
    champion: Arm
    challenger: Arm


def dimensions(subject: Subject, previous: str) -> tuple[Dimensions | None, Dimensions]:
    """Of champion and challenger: another variant in shadow; another config in a canary, `previous`; and in the stage
    live there is no champion beside it."""

    def of(variant: str, config: str) -> Dimensions:
        return {"EndpointName": subject.endpoint, "VariantName": variant, "EndpointConfigName": config}

    match subject.stage:
        case "shadow":
            return of(PRODUCTION, subject.config), of(SHADOW, subject.config)
        case "canary":
            return of(PRODUCTION, previous), of(PRODUCTION, subject.config)
        case "live":
            return None, of(PRODUCTION, subject.config)


def periods(
    cloudwatch: Any,
    dims: tuple[Dimensions | None, Dimensions],
    paired: bool,
    rules: Rules,
    latencies: tuple[float, ...],
    begin: datetime,
    until: datetime,
    period: int = 60,
) -> list[Period]:
    """The arms of champion and challenger in whole periods, in order; one of which nothing is known is left out.

    Args:
        dims: of both; see `dimensions`.
        paired: whether both have the same requests.
        latencies: µs; of how many answers were slower than each. Empty: latency is not counted.
    """
    slow = rules.latency_ms * 1000
    stats = {
        "requests": ("Invocations", "Sum"),
        "server": ("Invocation5XXErrors", "Sum"),
        "client": ("Invocation4XXErrors", "Sum"),
    }
    if latencies:
        stats |= {"timed": ("ModelLatency", "SampleCount"), "slow": ("ModelLatency", f"TC({slow:.0f}:)")}
        stats |= {f"over{n}": ("ModelLatency", f"TC({us:.0f}:)") for n, us in enumerate(latencies)}
    one, two = (series(cloudwatch, stats, each, begin, until, period) if each else {} for each in dims)
    return [
        Period(
            moment,
            _arm(one.get(moment, {}), two.get(moment, {}), len(latencies), paired),
            _arm(two.get(moment, {}), one.get(moment, {}), len(latencies), paired),
        )
        for moment in sorted({*one, *two})
    ]


def total(found: Iterable[Period]) -> tuple[Arm, Arm]:
    """Of all periods."""
    one, two = Arm(), Arm()
    for period in found:
        one, two = add_arms(one, period.champion), add_arms(two, period.challenger)
    return one, two


def _arm(mine: Values, theirs: Values, quantiles: int, paired: bool) -> Arm:
    requests = mine.get("requests", 0.0)
    # A bad request fails in both; what only one of them refuses is its own error.
    refused = max(0.0, mine.get("client", 0.0) - theirs.get("client", 0.0)) if paired else 0.0
    timed = mine.get("timed", 0.0)
    return Arm(
        requests=requests,
        errors=min(requests, mine.get("server", 0.0) + refused),
        timed=timed,
        exceeded=tuple(mine.get(f"over{n}", 0.0) for n in range(quantiles)) if timed else (),
        slow=mine.get("slow", 0.0) if timed else None,
    )


def reference(cloudwatch: Any, champion: Dimensions, rules: Rules, until: datetime) -> tuple[float, ...]:
    """Above which latencies in µs an answer is slow: quantiles of the champion's before `until`, with the slack that
    the rules allow; empty while too few answers are known."""
    percents = [f"p{100 * q:g}" for q in rules.settings.latency_quantiles]
    # Long periods: a percentile of percentiles is none.
    period = timedelta(hours=REFERENCE_HOURS)
    found = fullest(cloudwatch, percents, champion, until - period, until, int(period.total_seconds()))
    if found.get("n", 0.0) < REFERENCE_SAMPLES or any(name not in found for name in percents):
        return ()
    slack = rules.settings.latency_slack * rules.latency_ms * 1000
    return tuple(found[name] + slack for name in percents)


def fullest(
    cloudwatch: Any, percents: Iterable[str], dims: Dimensions, begin: datetime, until: datetime, period: int
) -> Values:
    """Percentiles of the model's latency in µs, by name such as `p99`, and the number of answers, `n`; where CloudWatch
    keeps the time in two periods, those of the one with more answers. Empty: nothing is known."""
    stats = {"n": ("ModelLatency", "SampleCount")} | {name: ("ModelLatency", name) for name in percents}
    found = series(cloudwatch, stats, dims, begin, until, period)
    return max(found.values(), key=lambda values: values.get("n", 0.0), default={})


def series(
    cloudwatch: Any, stats: Stats, dims: Dimensions, begin: datetime, until: datetime, period: int = 60
) -> dict[datetime, Values]:
    """By begin of the period the values of the statistics that have one."""
    queries = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SageMaker",
                    "MetricName": metric,
                    "Dimensions": [{"Name": key, "Value": value} for key, value in dims.items()],
                },
                "Period": period,
                "Stat": stat,
            },
        }
        for name, (metric, stat) in stats.items()
    ]
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=begin, EndTime=until, ScanBy="TimestampAscending"
    )
    found: dict[datetime, Values] = {}
    for page in pages:
        for result in page["MetricDataResults"]:
            for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
                found.setdefault(moment.astimezone(UTC), {})[result["Id"]] = value
    return found


def window(done: datetime, now: datetime, lag: timedelta, period: int = 60) -> datetime:
    """The end of the whole periods that are complete: what comes later is for the next look."""
    end = datetime.fromtimestamp((now - lag).timestamp() // period * period, UTC)
    return max(done, min(end, done + MOST))
