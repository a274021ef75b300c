"""The captured answers that are new, put together: pairs in shadow, each version by itself in a canary and later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from endpoints.release.captures import PRODUCTION, Answer, Place
from endpoints.release.judge import Arm, Batch, Reference, Rows, Rules, collect, empty
from endpoints.watch import intake
from endpoints.watch.exchange import Detail, Exchange, Reader
from endpoints.watch.expectation import BINS
from endpoints.watch.limits import Limits
from endpoints.watch.memory import Memory, Tally
from endpoints.watch.subject import Subject
from endpoints.watch.waiting import Halves, Match, Row, mirrored
from workloads.contract import Workload


@dataclass(frozen=True)
class Single:
    """A row that one version answered."""

    row: str
    unit: str
    moment: datetime
    answer: Answer
    detail: Detail


@dataclass
class Seen:
    """What one look gathers.

    Attributes:
        rows: that both versions answered, in shadow.
        champion, challenger: that each answered, in a canary; in the stage live, the challenger alone.
        errors: answers of champion and challenger that cannot be read.
    """

    tally: Tally
    rows: list[Row] = field(default_factory=list)
    production_rows: int = 0
    errors: list[int] = field(default_factory=lambda: [0, 0])
    champion: list[Single] = field(default_factory=list)
    challenger: list[Single] = field(default_factory=list)

    def scores(self) -> tuple[list[float], list[float]]:
        """Of champion and challenger."""
        return (
            [row.champion.score for row in self.rows] + [each.answer.score for each in self.champion],
            [row.challenger.score for row in self.rows] + [each.answer.score for each in self.challenger],
        )

    def histograms(
        self, before: tuple[tuple[float, ...], tuple[float, ...]]
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The scores of both added to those of before."""
        one, two = (
            tuple((np.histogram(scores, bins=BINS, range=(0, 1))[0] + np.array(old)).tolist())
            for scores, old in zip(self.scores(), before, strict=True)
        )
        return one, two


class Answers:
    """Reads the captures of one subject."""

    def __init__(self, s3: Any, workload: Workload, subject: Subject, rules: Rules, limits: Limits) -> None:
        self._s3, self._subject, self._rules, self._limits = s3, subject, rules, limits
        self._reader = Reader(workload, rules, limits.share)
        one, two = subject.champion.version, subject.challenger.version
        self._of_production = {"shadow": (one,), "canary": (one, two), "live": (two,)}[subject.stage]

    def read(self, memory: Memory, until: datetime, halves: Halves, seen: Seen) -> Memory:
        """What is new, into `seen` and `halves`; the memory of how far that was."""
        place = Place.of(self._subject.captures, self._subject.endpoint)
        cursors, progress, objects = dict(memory.cursors), [until], 0
        began, variants = memory.began, self._subject.variants
        limits = intake.Limit(self._limits.objects, int(self._limits.megabytes * 1e6 / len(variants)))
        taken = {
            variant: intake.take(
                self._s3, place, variant, cursors.get(variant, intake.Cursor()), memory.since, limits
            )
            for variant in variants
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
                if exchange is None or exchange.record.moment < memory.since:
                    continue
                seen.tally = seen.tally.plus(requests=1)
                if not self._on_trial(production, exchange):
                    seen.tally = seen.tally.plus(other_versions=1)
                    continue
                if self._tried(production, exchange) and (began is None or exchange.record.moment < began):
                    began = exchange.record.moment
                if self._subject.stage != "shadow":
                    self._single(exchange, seen)
                    continue
                match = halves.offer(production, exchange)
                if match is not None:
                    self._matched(match, seen)
        for production, exchange in halves.expire(min(progress) - self._limits.window):
            _unmatched(production, exchange, began, seen)
        # What was answered before the canary had a part of the traffic says nothing of the two.
        seen.champion = [each for each in seen.champion if began is not None and each.moment >= began]
        return memory.model_copy(
            update={
                "cursors": cursors,
                "began": began,
                "behind": min(progress) if len(progress) > 1 else None,
                "tally": seen.tally.plus(objects=objects),
            }
        )

    def _on_trial(self, production: bool, exchange: Exchange) -> bool:
        version, stage = exchange.record.version, self._subject.stage
        wanted = self._of_production if production else (self._subject.challenger.version,)
        # An answer in a format that carries no version is taken as its variant's; in a canary it says nothing.
        return version in wanted or (version is None and stage != "canary")

    def _tried(self, production: bool, exchange: Exchange) -> bool:
        """Whether the challenger gave it."""
        if self._subject.stage == "canary":
            return exchange.record.version == self._subject.challenger.version
        return self._subject.stage == "live" or not production

    def _single(self, exchange: Exchange, seen: Seen) -> None:
        record = exchange.record
        into = seen.challenger if self._tried(True, exchange) else seen.champion
        if record.answers is None:
            seen.tally = seen.tally.plus(unreadable=1)
        request = record.ids[0] if record.ids else record.payload
        for answer in record.answers or ():
            detail = exchange.details.get(answer.row, Detail())
            unit = self._unit(request, answer.row, detail, record.moment)
            into.append(Single(answer.row, unit, record.moment, answer, detail))

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

    def _matched(self, match: Match, seen: Seen) -> None:
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


def _unmatched(production: bool, exchange: Exchange, began: datetime | None, seen: Seen) -> None:
    record = exchange.record
    if not production:
        seen.tally = seen.tally.plus(lost=1)
        return
    if mirrored(record, began):
        seen.tally = seen.tally.plus(unmatched=1)
        seen.production_rows += len(record.answers or ())


def waiting_for_labels(seen: Seen, stage: str) -> list[Row]:
    """The rows whose labels will count: pairs, or those of the version that is live, which stands on both sides."""
    if stage != "live":
        return seen.rows
    return [
        Row(each.row, each.unit, each.moment.timestamp(), each.answer, each.answer, each.detail)
        for each in seen.challenger
    ]


def batch(memory: Memory, rules: Rules, seen: Seen, until: datetime) -> Batch:
    """The answers as the judge takes them; errors and latencies come from elsewhere."""
    since = memory.until
    if rules.stage == "shadow":
        made = (
            collect(columns(seen.rows), rules, memory.reference, since, until)
            if seen.rows
            else empty(since, until)
        )
        return made.model_copy(
            update={"production_rows": seen.production_rows, "joined_rows": len(seen.rows)}
        )
    one, two = (
        _alone(answers, rules, memory.reference, since, until) for answers in (seen.champion, seen.challenger)
    )
    return empty(since, until).model_copy(update={"champion": one, "challenger": two})


def _alone(
    answers: Sequence[Single], rules: Rules, reference: Reference, since: datetime, until: datetime
) -> Arm:
    """`collect` counts arms of pairs; of an arm alone it is given the same answers twice."""
    if not answers:
        return Arm()
    scores = np.array([each.answer.score for each in answers])
    decisions = np.array([each.answer.decision for each in answers], dtype=np.bool_)
    rows = Rows(scores, scores, np.array([each.unit for each in answers]), decisions=(decisions, decisions))
    return collect(rows, rules, reference, since, until).champion


def columns(rows: Sequence[Row], label: Any = None) -> Rows:
    """Rows as arrays."""
    fields = sorted({name for row in rows for name in row.detail.slices})
    slices: Mapping[str, Any] = {
        name: np.array([row.detail.slices.get(name, "") for row in rows]) for name in fields
    }
    return Rows(
        champion=np.array([row.champion.score for row in rows]),
        challenger=np.array([row.challenger.score for row in rows]),
        unit=np.array([row.unit for row in rows]),
        label=label,
        slices=slices,
        decisions=(
            np.array([row.champion.decision for row in rows], dtype=np.bool_),
            np.array([row.challenger.decision for row in rows], dtype=np.bool_),
        ),
    )
