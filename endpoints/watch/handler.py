"""The function on its schedule: a look, and everybody who should know is told. Of SageMaker it asks one thing, which
config a canary runs beside, and changes nothing.

EventBridge fires once a minute at most (EventBridge User Guide, "Rate expressions"), so one that is to look more often
looks again within the same minute.
"""

import json
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from endpoints.release.judge import Verdict
from endpoints.watch import run
from endpoints.watch.limits import Limits
from endpoints.watch.look import Result
from endpoints.watch.memory import Memory
from endpoints.watch.subject import Subject
from sluice.clock import Clock, SystemClock
from sluice.config import Frozen, parse
from sluice.errors import SluiceError
from workloads.contract import Workload

NAMESPACE = "Sluice/Judge"
SOURCE = "sluice.judge"
DETAIL_TYPE = "Sluice Release Verdict"
VALUES = {"fail": 1.0, "undecided": 0.0, "pass": -1.0}
MAX_DATA = 500
"""CloudWatch takes 1,000 metrics in one call."""
MINUTE = 60
LAST_LOOK_SECONDS = 55.0
"""A look has to be over by then, as far as the slowest so far tells: the next event comes after a minute."""


class Event(Frozen):
    """What the schedule sends.

    Attributes:
        subject: what is on trial; None: nothing is, and the judge only shows that it is alive.
        every: seconds between two looks.
        share: of the requests to look at.
    """

    workload: str
    endpoint: str
    subject: Subject | None = None
    every: int = Field(default=MINUTE, ge=1, le=MINUTE)
    share: float = Field(default=1.0, gt=0, le=1)


def handle(
    event: Mapping[str, Any], clients: Mapping[str, Any], clock: Clock | None = None
) -> dict[str, Any]:
    """The looks of one event.

    Args:
        clients: boto3 clients `s3`, `cloudwatch`, `events`, `kms` and `sagemaker`.

    Raises:
        SluiceError: if the event is not whole, or its evidence cannot be continued. The heartbeat then stays away, and
            its alarm tells.
    """
    asked, clock = parse(Event, event, "the event"), clock or SystemClock()
    subject = asked.subject
    if subject is not None and (subject.workload, subject.endpoint) != (asked.workload, asked.endpoint):
        raise SluiceError(
            f"the event is for {asked.endpoint} of {asked.workload}, and its subject is {subject.endpoint} of "
            f"{subject.workload}",
            "Deploy the endpoints program again; it writes the event.",
        )
    began, slowest, looks = clock.now(), 0.0, 0
    while True:
        at = clock.now()
        said = _once(asked, clients, at)
        looks += 1
        now = clock.now()
        slowest = max(slowest, (now - at).total_seconds())
        pause = max(0.0, (at - now).total_seconds() + asked.every)
        if (now - began).total_seconds() + pause + slowest > LAST_LOOK_SECONDS:
            return {**said, "looked": looks}
        clock.sleep(pause)


def _once(asked: Event, clients: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """One look, and then the heartbeat: none without the other."""
    subject, memory, overtaken = asked.subject, None, False
    if subject is not None:
        memory = _rests(subject, asked, clients, now)
        if memory is None:
            try:
                memory = _look(subject, asked, clients, now)
            except run.OvertakenError:
                overtaken = True
    resolution = 1 if asked.every < MINUTE else MINUTE
    said = None if memory is None else memory.says
    data = metrics(asked.endpoint, subject, said, resolution)
    clients["cloudwatch"].put_metric_data(Namespace=NAMESPACE, MetricData=data)
    if subject is None or memory is None or said is None:
        return {"subject": None if subject is None else subject.id, "overtaken": overtaken}
    return {
        "subject": subject.id,
        "outcome": said.outcome,
        "log10_e": said.log10_e,
        "pairs": said.pairs,
        "looks": memory.looks,
        "needs": list(said.needs),
    }


def _rests(subject: Subject, asked: Event, clients: Mapping[str, Any], now: datetime) -> Memory | None:
    """What is known of a version that is live, while it is too early for the next look at it."""
    if subject.stage != "live":
        return None
    try:
        memory = run.seen(clients["s3"], subject)
    except SluiceError:
        return None  # of another judge: the look begins anew
    every = limits(asked.share)
    early = memory is not None and now - every.lag - memory.until < every.live_every
    return memory if early else None


def _look(subject: Subject, asked: Event, clients: Mapping[str, Any], now: datetime) -> Memory:
    wrote = False

    def tell(before: Memory, result: Result) -> Memory:
        # Before the look is kept: whoever is killed in between tells it once more, and never not at all.
        nonlocal wrote
        memory = result.memory
        # What a look wrote that another overtook is written anew.
        if wrote or run.due(memory, now):
            run.keep(run.report(memory, clients, now), clients, now)
            memory, wrote = memory.model_copy(update={"reported": now}), True
        _tell_changes(before, memory, clients)
        return memory

    workload = Workload.load(subject.workload)
    _, result = run.look(subject, workload, clients, now, limits(asked.share), tell)
    return result.memory


def limits(share: float = 1.0) -> Limits:
    """How late things may come, and in which periods: `SLUICE_LAG_SECONDS` and `SLUICE_PERIOD_SECONDS` where it is not
    as on AWS."""
    seconds = os.environ.get("SLUICE_LAG_SECONDS")
    if seconds is None:
        return Limits(share=share)
    late, period = timedelta(seconds=float(seconds)), int(os.environ.get("SLUICE_PERIOD_SECONDS", "60"))
    return Limits(lag=late, metrics_lag=late, period_seconds=period, share=share)


def metrics(
    endpoint: str, subject: Subject | None, said: Verdict | None, resolution: int = MINUTE
) -> list[dict[str, Any]]:
    """What CloudWatch is told. The heartbeat has no config, so that its alarm does not begin anew with each release."""
    of_endpoint = {"Name": "EndpointName", "Value": endpoint}
    data: list[dict[str, Any]] = [
        {"MetricName": "judge_heartbeat", "Dimensions": [of_endpoint], "Value": 1.0},
    ]
    if subject is not None and said is not None:
        both = [of_endpoint, {"Name": "EndpointConfigName", "Value": subject.config}]
        data += [
            {"MetricName": "judge_verdict", "Dimensions": both, "Value": VALUES[said.outcome]},
            {"MetricName": "judge_log10_e", "Dimensions": both, "Value": said.log10_e},
        ]
        for check in said.checks:
            dimensions = [*both, {"Name": "Check", "Value": check.name}]
            data.append({"MetricName": "judge_log10_e", "Dimensions": dimensions, "Value": check.log10_e})
    return [{**datum, "StorageResolution": resolution} for datum in data[:MAX_DATA]]


def _tell_changes(before: Memory, after: Memory, clients: Mapping[str, Any]) -> None:
    """An event for each change of the verdict."""
    subject = after.subject
    outcome = before.changes[-1].outcome if before.changes else None
    entries = []
    for change in after.changes[len(before.changes) :]:
        detail = {
            "workload": subject.workload,
            "endpoint": subject.endpoint,
            "config": subject.config,
            "stage": subject.stage,
            "champion": subject.champion.package,
            "challenger": subject.challenger.package,
            "version": subject.challenger.version,
            "evidence": subject.report_uri,
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
