"""Requests, errors and latency of both arms from SageMaker's metrics, each whole period once."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from endpoints.release.captures import PRODUCTION, SHADOW
from endpoints.release.judge import Arm, Rules
from endpoints.watch.subject import Subject

MOST = timedelta(hours=6)
"""Of one look: the rest comes in the next."""
REFERENCE_HOURS = 3
REFERENCE_SAMPLES = 100

Values = dict[str, float]
Stats = Mapping[str, tuple[str, str]]


def dimensions(subject: Subject) -> tuple[dict[str, str], dict[str, str]]:
    """Of champion and challenger: another variant in shadow, another config in a canary."""

    def of(variant: str, config: str) -> dict[str, str]:
        return {
            "EndpointName": subject.endpoint,
            "VariantName": variant,
            "EndpointConfigName": config,
        }

    if subject.stage == "shadow":
        return of(PRODUCTION, subject.config), of(SHADOW, subject.config)
    return of(PRODUCTION, subject.previous or ""), of(PRODUCTION, subject.config)


def arms(
    cloudwatch: Any,
    subject: Subject,
    rules: Rules,
    latencies: tuple[float, ...],
    begin: datetime,
    until: datetime,
    period: int = 60,
) -> tuple[Arm, Arm]:
    """The arms of champion and challenger in whole periods.

    Args:
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
    found = [_sums(cloudwatch, stats, dims, begin, until, period) for dims in dimensions(subject)]
    paired = subject.stage == "shadow"
    one, two = (_arm(mine, theirs, len(latencies), paired) for mine, theirs in (found, reversed(found)))
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


def reference(cloudwatch: Any, subject: Subject, rules: Rules, until: datetime) -> tuple[float, ...]:
    """Above which latencies in µs an answer is slow: quantiles of the champion's before `until`, with the slack that
    the rules allow; empty while too few answers are known."""
    percents = [f"p{100 * q:g}" for q in rules.settings.latency_quantiles]
    stats = {"timed": ("ModelLatency", "SampleCount")} | {p: ("ModelLatency", p) for p in percents}
    champion = dimensions(subject)[0]
    begin = until - timedelta(hours=REFERENCE_HOURS)
    # Long periods: a percentile of percentiles is none. Where the time falls into two, the fuller one is taken.
    found = lists(cloudwatch, stats, champion, begin, until, period=REFERENCE_HOURS * 3600)
    counts = found.get("timed", [])
    if not counts or max(counts) < REFERENCE_SAMPLES:
        return ()
    best = counts.index(max(counts))
    if any(len(found.get(name, ())) != len(counts) for name in percents):
        return ()
    slack = rules.settings.latency_slack * rules.latency_ms * 1000
    return tuple(found[name][best] + slack for name in percents)


def _sums(
    cloudwatch: Any,
    stats: Stats,
    dims: Mapping[str, str],
    begin: datetime,
    until: datetime,
    period: int,
) -> Values:
    found = lists(cloudwatch, stats, dims, begin, until, period)
    return {name: sum(values) for name, values in found.items()}


def lists(
    cloudwatch: Any,
    stats: Stats,
    dims: Mapping[str, str],
    begin: datetime,
    until: datetime,
    period: int = 60,
) -> dict[str, list[float]]:
    """The values of each statistic that has some, in order of time."""
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
    found: dict[str, list[float]] = {}
    for page in pages:
        for result in page["MetricDataResults"]:
            if result["Values"]:
                found.setdefault(result["Id"], []).extend(result["Values"])
    return found


def window(done: datetime, now: datetime, lag: timedelta, period: int = 60) -> datetime:
    """The end of the whole periods that are complete: what comes later is for the next look."""
    end = datetime.fromtimestamp((now - lag).timestamp() // period * period, UTC)
    return max(done, min(end, done + MOST))
