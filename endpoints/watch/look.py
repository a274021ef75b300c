"""One look: what is new becomes one batch for the judge."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from botocore.exceptions import ClientError

from endpoints.release.judge import Arm, Batch, Reference, Rules, Verdict, collect, empty, update
from endpoints.release.judge import reference as quantiles
from endpoints.release.judge.rules import Stage
from endpoints.watch import answers, counts, labels
from endpoints.watch.answers import Answers, Seen
from endpoints.watch.counts import Period
from endpoints.watch.limits import Limits
from endpoints.watch.memory import Change, Memory, Point, thinned
from endpoints.watch.waiting import Halves, Unlabelled
from workloads.contract import Workload

REFERENCE_ROWS = 200
"""Scores of the champion that make its bins; the rows they are of do not count for the check on scores."""


@dataclass(frozen=True)
class Result:
    """The memory after the look, and what the judge says."""

    memory: Memory
    verdict: Verdict


class Watch:
    """Looks at one subject."""

    def __init__(
        self, workload: Workload, rules: Rules, clients: Mapping[str, Any], limits: Limits | None = None
    ) -> None:
        """
        Args:
            clients: boto3 clients `s3` and `cloudwatch`, and for a canary `sagemaker`.
        """
        self._workload, self._rules, self._limits = workload, rules, limits or Limits()
        self._clients = clients

    def look(self, memory: Memory, now: datetime) -> Result:
        """Read what is new and judge. Nothing is written: whoever keeps the memory decides whether it happened."""
        until = max(memory.until, now - self._limits.lag)
        halves, unlabelled = Halves(memory.halves), Unlabelled(memory.unlabelled)
        seen = Seen(memory.tally)
        read = Answers(self._clients["s3"], self._workload, memory.subject, self._rules, self._limits)
        memory = read.read(memory, until, halves, seen)
        batch = answers.batch(memory, self._rules, seen, until)
        # What is lost shows before its window is over; a backlog of captures is no loss.
        late = min(until, memory.behind or until) - self._limits.lag
        recent = _recent(memory, seen, late)
        batch = batch.model_copy(
            update={"overdue": halves.overdue(late, memory.began), "recent": sum(recent.values())}
        )
        memory, periods = self._metrics(self._beside(memory), now)
        memory, labelled = self._labels(memory, seen, unlabelled, now, until)
        state = memory.judge
        seconds = self._limits.period_seconds
        for each in _batches(self._rules.stage, batch + labelled, periods, seen.errors, seconds):
            state = update(state, each, self._rules)
        reference, sample = self._reference(memory, seen)
        memory = memory.model_copy(
            update={
                "looks": memory.looks + 1,
                "share": self._limits.share,
                "until": until,
                "halves": halves.dump(),
                "joined": recent,
                "unlabelled": unlabelled.dump(),
                "judge": state,
                "tally": memory.tally.model_copy(update={"halvings": unlabelled.halvings}),
                "scores": seen.histograms(memory.scores),
                "reference": reference,
                "sample": sample,
            }
        )
        said = memory.says
        memory = memory.model_copy(
            update={
                "path": thinned((*memory.path, _point(until, said))),
                "changes": _changes(memory, said, until),
            }
        )
        return Result(memory, said)

    def _beside(self, memory: Memory) -> Memory:
        """With the config beside a canary, which SageMaker names only while the canary is under way."""
        subject = memory.subject
        if subject.stage != "canary" or memory.previous:
            return memory
        try:
            found = self._clients["sagemaker"].describe_endpoint(EndpointName=subject.endpoint)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
                return memory
            raise
        pending = (found.get("PendingDeploymentSummary") or {}).get("EndpointConfigName")
        if pending != subject.config:
            return memory
        return memory.model_copy(update={"previous": found["EndpointConfigName"]})

    def _metrics(self, memory: Memory, now: datetime) -> tuple[Memory, list[Period]]:
        """The periods that are new. The champion's latencies, once known, count from then on: in a canary they come
        from its history, else from the first periods."""
        begin, subject, period = memory.minutes, memory.subject, self._limits.period_seconds
        end = counts.window(begin, now, self._limits.metrics_lag, period)
        if end == begin or (subject.stage == "canary" and not memory.previous):
            return memory, []
        cloudwatch, dims = self._clients["cloudwatch"], counts.dimensions(subject, memory.previous)
        known = memory.reference.latencies
        if not known and subject.stage == "canary" and dims[0] is not None:
            known = counts.reference(cloudwatch, dims[0], self._rules, memory.since)
        paired = subject.stage == "shadow"
        found = counts.periods(cloudwatch, dims, paired, self._rules, known, begin, end, period)
        if not known and dims[0] is not None:
            known = counts.reference(cloudwatch, dims[0], self._rules, end)
        reference = memory.reference.model_copy(update={"latencies": known})
        return memory.model_copy(update={"minutes": end, "reference": reference}), found

    def _reference(self, memory: Memory, seen: Seen) -> tuple[Reference, tuple[float, ...]]:
        old, sample = memory.reference, memory.sample
        if old.scores or memory.subject.stage == "live":
            return old, sample
        sample = (*sample, *seen.scores()[0])[: 10 * REFERENCE_ROWS]
        if len(sample) < REFERENCE_ROWS:
            return old, sample
        scores = quantiles(self._rules, np.array([]), np.array(sample)).scores
        return old.model_copy(update={"scores": scores}), ()

    def _labels(
        self, memory: Memory, seen: Seen, unlabelled: Unlabelled, now: datetime, until: datetime
    ) -> tuple[Memory, Batch]:
        subject, found, s3 = memory.subject, [], self._clients["s3"]
        nothing = empty(memory.until, until)
        if not subject.labels or subject.stage == "canary":
            return memory, nothing
        for row in answers.waiting_for_labels(seen, subject.stage):
            unlabelled.add(row)
        delay = self._workload.label.delay
        wanted = labels.partitions(unlabelled.days(), delay)
        read = {key: mark for key, mark in memory.labels_read.items() if _day_of(key) in wanted}
        most = self._limits.label_megabytes * 1e6
        parts = list(labels.fresh(s3, subject.labels, wanted, read, most))
        for part in parts:
            for id, label in labels.read(s3, part, self._workload, unlabelled.ids()):
                waiting = unlabelled.take(id)
                if waiting is not None:
                    found.append((waiting, label))
        left = labels.partitions(unlabelled.days(), delay)
        read |= {part.key: part.mark(left) for part in parts}
        # Event time may run faster than the clock on the wall; a label is waited for by the slower of the two.
        replay = self._workload.replay
        patience = delay.total_seconds() if replay is None else max(3600.0, replay.wall_seconds(delay))
        late = unlabelled.expire(now.timestamp() - patience)
        tally = memory.tally.plus(labels=len(found), unlabelled=late)
        memory = memory.model_copy(update={"labels_read": read, "tally": tally})
        if not found:
            return memory, nothing
        columns = answers.columns([row for row, _ in found], np.array([label for _, label in found]))
        return memory, collect(columns, self._rules, memory.reference, memory.until, until, labels_only=True)


def _recent(memory: Memory, seen: Seen, late: datetime) -> dict[int, int]:
    """Joined rows by their second, of those that would not be overdue yet, had their other half not come."""
    found = Counter(memory.joined) + Counter(int(row.moment) for row in seen.rows)
    return {second: rows for second, rows in found.items() if second >= late.timestamp()}


def _batches(
    stage: Stage, batch: Batch, periods: list[Period], unreadable: list[int], seconds: int
) -> list[Batch]:
    """The look as the judge takes it. A canary's metrics come period by period: in each the traffic is split anew, and
    an incident at a time when the champion had more of it is not to count against him."""
    if stage != "canary":
        return [_with_metrics(batch, counts.total(periods), unreadable)]
    return [batch] + [
        Batch(
            since=each.begin,
            until=each.begin + timedelta(seconds=seconds),
            champion=each.champion,
            challenger=each.challenger,
        )
        for each in periods
    ]


def _with_metrics(batch: Batch, metrics: tuple[Arm, Arm], unreadable: list[int]) -> Batch:
    one, two = (
        arm.model_copy(
            update={
                "requests": max(counted.requests, float(bad)),
                "errors": counted.errors + bad,
                "timed": counted.timed,
                "exceeded": counted.exceeded,
                "slow": counted.slow,
            }
        )
        for arm, counted, bad in zip((batch.champion, batch.challenger), metrics, unreadable, strict=True)
    )
    return batch.model_copy(update={"champion": one, "challenger": two})


def _point(moment: datetime, said: Verdict) -> Point:
    values = {check.name: round(check.log10_e, 4) for check in said.checks}
    # Of the slices, those that speak loudest.
    loud = sorted(said.slices, key=lambda check: -check.log10_e)[:3]
    values |= {f"{check.name} of {check.slice}": round(check.log10_e, 4) for check in loud if check.units}
    return Point(
        moment=moment,
        log10_e=round(said.log10_e, 4),
        checks=values,
        pairs=said.pairs,
        outcome=said.outcome,
    )


def _changes(memory: Memory, said: Verdict, moment: datetime) -> tuple[Change, ...]:
    before = memory.changes[-1].outcome if memory.changes else None
    if said.outcome == before:
        return memory.changes
    why = said.decided_by or "; ".join(said.needs) or "everything that is required is shown"
    return (*memory.changes, Change(moment=moment, outcome=said.outcome, why=why[:1000]))


def _day_of(key: str) -> str:
    return key.rpartition("/")[0].rpartition("dt=")[2]
