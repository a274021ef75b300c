"""The function on its schedule: one look, and everybody who should know is told. It asks nothing of SageMaker.

The event is `{"subject": …}` as the endpoints program writes it into the schedule's target; `share`, where given, is
the share of the requests to look at.
"""

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from endpoints.release.judge import Verdict
from endpoints.watch import run
from endpoints.watch.look import Limits, Result
from endpoints.watch.memory import Memory
from endpoints.watch.subject import Subject
from sluice.clock import Clock, SystemClock
from sluice.config import parse
from workloads.contract import Workload

NAMESPACE = "Sluice/Judge"
SOURCE = "sluice.judge"
DETAIL_TYPE = "Sluice Release Verdict"
VALUES = {"fail": 1.0, "undecided": 0.0, "pass": -1.0}
MAX_DATA = 500
"""CloudWatch takes 1,000 metrics in one call."""


def handle(
    event: Mapping[str, Any], clients: Mapping[str, Any], clock: Clock | None = None
) -> dict[str, Any]:
    """One look.

    Args:
        clients: boto3 clients `s3`, `cloudwatch` and `events`.

    Raises:
        SluiceError: if the event names no subject, or its evidence cannot be continued. The heartbeat then stays away,
            and its alarm tells.
    """
    subject = parse(Subject, event.get("subject") or {}, "the event's subject")
    workload, now = Workload.load(subject.workload), (clock or SystemClock()).now()

    def tell(before: Memory, result: Result) -> None:
        _tell_changes(before, result, clients)

    _, result = run.look(subject, workload, clients, now, limits(event), tell)
    clients["cloudwatch"].put_metric_data(Namespace=NAMESPACE, MetricData=metrics(subject, result.verdict))
    if result.memory.changes and result.memory.changes[-1].moment == result.memory.until:
        run.keep(run.report(result.memory, clients, now), clients)
    return {
        "subject": subject.id,
        "outcome": result.verdict.outcome,
        "log10_e": result.verdict.log10_e,
        "pairs": result.verdict.pairs,
        "looks": result.memory.looks,
        "needs": list(result.verdict.needs),
    }


def limits(event: Mapping[str, Any]) -> Limits:
    """How late things may come, and in which periods: `SLUICE_LAG_SECONDS` and `SLUICE_PERIOD_SECONDS` where it is not
    as on AWS."""
    share, seconds = float(event.get("share", 1.0)), os.environ.get("SLUICE_LAG_SECONDS")
    if seconds is None:
        return Limits(share=share)
    late, period = timedelta(seconds=float(seconds)), int(os.environ.get("SLUICE_PERIOD_SECONDS", "60"))
    return Limits(lag=late, metrics_lag=late, period_seconds=period, share=share)


def metrics(subject: Subject, said: Verdict) -> list[dict[str, Any]]:
    """What CloudWatch is told. The heartbeat has no config, so that its alarm does not begin anew with each release."""
    endpoint = {"Name": "EndpointName", "Value": subject.endpoint}
    both = [endpoint, {"Name": "EndpointConfigName", "Value": subject.config}]
    data = [
        {"MetricName": "judge_heartbeat", "Dimensions": [endpoint], "Value": 1.0},
        {"MetricName": "judge_verdict", "Dimensions": both, "Value": VALUES[said.outcome]},
        {"MetricName": "judge_log10_e", "Dimensions": both, "Value": said.log10_e},
    ]
    for check in said.checks:
        dimensions = [*both, {"Name": "Check", "Value": check.name}]
        data.append({"MetricName": "judge_log10_e", "Dimensions": dimensions, "Value": check.log10_e})
    return data[:MAX_DATA]


def _tell_changes(before: Memory, result: Result, clients: Mapping[str, Any]) -> None:
    """An event for each change of the verdict, before the look is kept: whoever is killed in between tells it once
    more, and never not at all."""
    subject = result.memory.subject
    outcome = before.changes[-1].outcome if before.changes else None
    entries = []
    for change in result.memory.changes[len(before.changes) :]:
        detail = {
            "workload": subject.workload,
            "endpoint": subject.endpoint,
            "config": subject.config,
            "stage": subject.stage,
            "challenger": subject.challenger.package,
            "version": subject.challenger.version,
            "evidence": f"s3://{subject.bucket}/{subject.key('report.json')}",
            "before": outcome,
            "outcome": change.outcome,
            "why": change.why,
        }
        entries.append({"Source": SOURCE, "DetailType": DETAIL_TYPE, "Detail": json.dumps(detail)})
        outcome = change.outcome
    if entries:
        answer = clients["events"].put_events(Entries=entries)
        if answer["FailedEntryCount"]:
            raise RuntimeError(f"the verdict could not be told: {answer['Entries']}")
