"""One look: what is new becomes one batch for the judge."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from endpoints.release.captures import PRODUCTION, Answer, Place
from endpoints.release.judge import (
    Arm,
    Batch,
    Reference,
    Rows,
    Rules,
    Verdict,
    collect,
    empty,
    update,
    verdict,
)
from endpoints.release.judge import reference as quantiles
from endpoints.watch import counts, intake, labels
from endpoints.watch.exchange import Detail, Exchange, Reader
from endpoints.watch.memory import BINS, Change, Memory, Point, Tally, thinned
from endpoints.watch.waiting import Halves, Match, Row, Unlabelled
from sluice.config import Frozen
from workloads.contract import Workload

REFERENCE_ROWS = 200
"""Scores of the champion that make its bins; the rows they are of do not count for the check on scores."""


class Limits(Frozen):
    """How much one look takes on, and how long things are waited for.

    Attributes:
        lag: captures younger than this may still be on their way to S3; `metrics_lag` is that of metrics.
        period_seconds: of the metrics that are read; below 60 it needs enhanced metrics that are as frequent.
        objects: capture objects of each variant in one look.
        window: how long a request waits for its other half.
        share: of the requests, by a hash of their bytes.
    """

    lag: timedelta = timedelta(minutes=5)
    metrics_lag: timedelta = timedelta(minutes=2)
    period_seconds: int = 60
    objects: int = 300
    window: timedelta = timedelta(minutes=30)
    share: float = 1.0


@dataclass
class _Seen:
    """What one look gathers."""

    tally: Tally
    rows: list[Row] = field(default_factory=list)
    production_rows: int = 0
    joined_rows: int = 0
    errors: list[int] = field(default_factory=lambda: [0, 0])
    champion: list[tuple[str, Answer]] = field(default_factory=list)
    challenger: list[tuple[str, Answer]] = field(default_factory=list)
    """Answers of a canary, with their unit."""


@dataclass(frozen=True)
class Result:
    """The memory after the look, and what the judge says."""

    memory: Memory
    verdict: Verdict
    batch: Batch


class Watch:
    """Looks at one subject."""

    def __init__(
        self, workload: Workload, rules: Rules, clients: Mapping[str, Any], limits: Limits | None = None
    ) -> None:
        """
        Args:
            clients: boto3 clients `s3` and `cloudwatch`.
        """
        limits = limits or Limits()
        self._workload, self._rules, self._limits = workload, rules, limits
        self._s3, self._cloudwatch = clients["s3"], clients["cloudwatch"]
        self._reader = Reader(workload, rules, limits.share)

    def look(self, memory: Memory, now: datetime) -> Result:
        """Read what is new and judge. Nothing is written: whoever keeps the memory decides whether it happened."""
        until = max(memory.until, now - self._limits.lag)
        halves, unlabelled = Halves(memory.halves), Unlabelled(memory.unlabelled)
        seen = _Seen(memory.tally)
        memory = self._captures(memory, until, halves, seen)
        batch = self._batch(memory, seen, until)
        memory, metrics, latencies = self._metrics(memory, now)
        batch = _with_metrics(batch, metrics, seen.errors)
        memory, labelled = self._labels(memory, seen.rows, unlabelled, now, until)
        batch = batch + labelled
        state = update(memory.judge, batch, self._rules)
        said = verdict(state, self._rules)
        scores = self._histogram(memory, seen)
        reference, sample = self._reference(memory, seen, latencies)
        memory = memory.model_copy(
            update={
                "looks": memory.looks + 1,
                "until": until,
                "halves": halves.dump(),
                "unlabelled": unlabelled.dump(),
                "judge": state,
                "tally": memory.tally.model_copy(update={"halvings": unlabelled.halvings}),
                "scores": scores,
                "reference": reference,
                "sample": sample,
                "path": thinned((*memory.path, _point(until, said))),
                "changes": _changes(memory, said, until),
            }
        )
        return Result(memory, said, batch)

    def _captures(self, memory: Memory, until: datetime, halves: Halves, seen: _Seen) -> Memory:
        subject = memory.subject
        place = Place.of(subject.captures, subject.endpoint)
        cursors, progress, objects = dict(memory.cursors), [until], 0
        began = memory.began
        taken = {
            variant: intake.take(
                self._s3,
                place,
                variant,
                cursors.get(variant, intake.Cursor()),
                subject.since,
                self._limits.objects,
            )
            for variant in subject.variants
        }
        for variant, found in taken.items():
            cursors[variant] = found.cursor
            objects += len(found.names)
            if found.more:
                progress.append(intake.moment_of(found.cursor.last) or until)
        order = sorted((name, variant) for variant, found in taken.items() for name in found.names)
        for name, variant in order:
            production = variant == PRODUCTION
            for line in intake.lines(self._s3, place, variant, name):
                exchange = self._reader.read(line, detailed=production)
                if exchange is None or exchange.record.moment < subject.since:
                    continue
                seen.tally = seen.tally.plus(requests=1)
                if not self._on_trial(subject, production, exchange, seen):
                    continue
                if subject.stage == "canary":
                    self._single(subject, exchange, seen)
                    continue
                if not production and (began is None or exchange.record.moment < began):
                    began = exchange.record.moment
                match = halves.offer(production, exchange)
                if match is not None:
                    self._matched(match, seen)
        for production, exchange in halves.expire(min(progress) - self._limits.window):
            _unmatched(production, exchange, began, seen)
        return memory.model_copy(
            update={"cursors": cursors, "began": began, "tally": seen.tally.plus(objects=objects)}
        )

    def _on_trial(self, subject: Any, production: bool, exchange: Exchange, seen: _Seen) -> bool:
        version = exchange.record.version
        if subject.stage == "canary":
            wanted: tuple[str, ...] = (subject.champion.version, subject.challenger.version)
        else:
            wanted = (subject.champion.version if production else subject.challenger.version,)
        # An answer in a format that carries no version is taken as its variant's; in a canary it says nothing.
        if version in wanted or (version is None and subject.stage == "shadow"):
            return True
        seen.tally = seen.tally.plus(other_versions=1)
        return False

    def _single(self, subject: Any, exchange: Exchange, seen: _Seen) -> None:
        record = exchange.record
        into = seen.champion if record.version == subject.champion.version else seen.challenger
        unit = record.ids[0] if record.ids else record.payload
        for answer in record.answers or ():
            detail = exchange.details.get(answer.row, Detail())
            into.append((self._unit(unit, answer.row, detail, record.moment), answer))

    def _unit(self, request: str, row: str, detail: Detail, moment: datetime) -> str:
        match self._rules.settings.unit:
            case "row":
                return row
            case "request":
                return request
            case "entity":
                return detail.entity or request
            case "day":
                return f"{moment:%Y-%m-%d}"

    def _matched(self, match: Match, seen: _Seen) -> None:
        production, shadow = match.production.record, match.shadow.record
        how = "joined_by_id" if match.by_id else "joined_by_payload"
        unreadable = (production.answers is None, shadow.answers is None)
        seen.tally = seen.tally.plus(**{how: 1}, unreadable=sum(unreadable))
        for arm, bad in enumerate(unreadable):
            seen.errors[arm] += bad
        seen.production_rows += len(production.answers or ())
        unit = (production.ids or shadow.ids or (production.payload,))[0]
        by_row = {answer.row: answer for answer in shadow.answers or ()}
        for answer in production.answers or ():
            other = by_row.get(answer.row)
            if other is None:
                continue
            seen.joined_rows += 1
            detail = match.production.details.get(answer.row, Detail())
            seen.rows.append(
                Row(
                    answer.row,
                    self._unit(unit, answer.row, detail, production.moment),
                    production.moment.timestamp(),
                    answer,
                    other,
                    detail,
                )
            )

    def _batch(self, memory: Memory, seen: _Seen, until: datetime) -> Batch:
        since = memory.until
        if memory.subject.stage == "canary":
            batch = empty(since, until)
            # `collect` counts arms of pairs; of an arm alone it is given the same answers twice.
            one, two = (
                self._alone(answers, memory.reference, since, until)
                for answers in (seen.champion, seen.challenger)
            )
            return batch.model_copy(update={"champion": one, "challenger": two})
        rows = _columns(seen.rows)
        batch = (
            collect(rows, self._rules, memory.reference, since, until) if seen.rows else empty(since, until)
        )
        return batch.model_copy(
            update={"production_rows": seen.production_rows, "joined_rows": seen.joined_rows}
        )

    def _alone(
        self, answers: Sequence[tuple[str, Answer]], ref: Reference, since: datetime, until: datetime
    ) -> Arm:
        if not answers:
            return Arm()
        scores = np.array([answer.score for _, answer in answers])
        decisions = np.array([answer.decision for _, answer in answers], dtype=np.bool_)
        rows = Rows(scores, scores, np.array([unit for unit, _ in answers]), decisions=(decisions, decisions))
        return collect(rows, self._rules, ref, since, until).champion

    def _metrics(self, memory: Memory, now: datetime) -> tuple[Memory, tuple[Arm, Arm], tuple[float, ...]]:
        """The arms of the minutes that are new; and the champion's latencies, once known: they count from the next
        minutes on."""
        begin, subject = memory.minutes, memory.subject
        end = counts.window(begin, now, self._limits.metrics_lag, self._limits.period_seconds)
        if end == begin:
            return memory, (Arm(), Arm()), ()
        known = memory.reference.latencies
        both = counts.arms(
            self._cloudwatch, subject, self._rules, known, begin, end, self._limits.period_seconds
        )
        latencies = () if known else counts.reference(self._cloudwatch, subject, self._rules, end)
        return memory.model_copy(update={"minutes": end}), both, latencies

    def _reference(
        self, memory: Memory, seen: _Seen, latencies: tuple[float, ...]
    ) -> tuple[Reference, tuple[float, ...]]:
        old = memory.reference
        sample = memory.sample
        scores = old.scores
        if not scores:
            mine = [row.champion.score for row in seen.rows] or [each.score for _, each in seen.champion]
            sample = (*sample, *mine)[: 10 * REFERENCE_ROWS]
            if len(sample) >= REFERENCE_ROWS:
                scores = quantiles(self._rules, np.array([]), np.array(sample)).scores
                sample = ()
        return Reference(latencies=old.latencies or latencies, scores=scores), sample

    def _labels(
        self, memory: Memory, rows: list[Row], unlabelled: Unlabelled, now: datetime, until: datetime
    ) -> tuple[Memory, Batch]:
        subject, found = memory.subject, []
        nothing = empty(memory.until, until)
        if not subject.labels or subject.stage == "canary":
            return memory, nothing
        for row in rows:
            unlabelled.add(row)
        delay = self._workload.label.delay
        wanted = labels.partitions(unlabelled.days(), delay)
        read = {key: mark for key, mark in memory.labels_read.items() if _day_of(key) in wanted}
        parts = list(labels.fresh(self._s3, subject.labels, wanted, read))
        for part in parts:
            for id, label in labels.read(self._s3, part, self._workload):
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
        columns = _columns([row for row, _ in found], np.array([label for _, label in found]))
        return memory, collect(columns, self._rules, memory.reference, memory.until, until, labels_only=True)

    def _histogram(self, memory: Memory, seen: _Seen) -> tuple[tuple[float, ...], tuple[float, ...]]:
        both = (
            [row.champion.score for row in seen.rows] + [each.score for _, each in seen.champion],
            [row.challenger.score for row in seen.rows] + [each.score for _, each in seen.challenger],
        )
        one, two = (
            tuple((np.histogram(scores, bins=BINS, range=(0, 1))[0] + np.array(old)).tolist())
            for scores, old in zip(both, memory.scores, strict=True)
        )
        return one, two


def _day_of(key: str) -> str:
    return key.rpartition("/")[0].rpartition("dt=")[2]


def _unmatched(production: bool, exchange: Exchange, began: datetime | None, seen: _Seen) -> None:
    record = exchange.record
    if not production:
        seen.tally = seen.tally.plus(lost=1)
        return
    # What production answered before mirroring began has no other half, and is not missing one. Moments are whole
    # seconds, so the first second is left out.
    if began is not None and record.moment > began:
        seen.tally = seen.tally.plus(unmatched=1)
        seen.production_rows += len(record.answers or ())


def _columns(rows: Sequence[Row], label: Any = None) -> Rows:
    fields = sorted({name for row in rows for name in row.detail.slices})
    return Rows(
        champion=np.array([row.champion.score for row in rows]),
        challenger=np.array([row.challenger.score for row in rows]),
        unit=np.array([row.unit for row in rows]),
        label=label,
        slices={name: np.array([row.detail.slices.get(name, "") for row in rows]) for name in fields},
        decisions=(
            np.array([row.champion.decision for row in rows], dtype=np.bool_),
            np.array([row.challenger.decision for row in rows], dtype=np.bool_),
        ),
    )


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


def changed(before: Memory, after: Memory) -> Iterator[Change]:
    """The verdicts that the looks between the two brought."""
    yield from after.changes[len(before.changes) :]
