"""Whether a batch is fit to train on. Bad rows are put aside and counted; a bad batch is refused with its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from pipelines.steps import drift
from pipelines.steps.tables import typed
from sluice.clock import iso
from workloads.contract import Workload

EXAMPLES = 5


@dataclass(frozen=True)
class Verdict:
    """What validation found.

    Attributes:
        reasons: why the batch is refused; empty if it is fit.
        clean: the good observations, ordered by time.
        quarantine: the bad ones, with the column `problem`.
        labels: one label a row that has one, known by the end of the batch.
        report: everything counted, for people and for plots.
    """

    reasons: tuple[str, ...]
    clean: pl.DataFrame
    quarantine: pl.DataFrame
    labels: pl.DataFrame
    report: Mapping[str, Any]


def validate(
    workload: Workload,
    observations: pl.DataFrame,
    labels: pl.DataFrame,
    train_until: datetime,
    evaluate_until: datetime,
    profiles: Mapping[str, Any] | None,
) -> Verdict:
    """Judge the observations and labels up to `evaluate_until`.

    Args:
        observations: the input fields of the workload.
        labels: id, label and `known_at`.
        profiles: what the champion was trained on (`drift.profile`); None where the champion is a rule.
    """
    rules = workload.validation
    reasons: list[str] = []
    report: dict[str, Any] = {"train_until": iso(train_until), "evaluate_until": iso(evaluate_until)}
    if train_until >= evaluate_until:
        reasons.append(f"training ends at {iso(train_until)}, which is not before evaluation does")
    missing = [name for name in (workload.id, workload.time) if name not in observations.columns]
    missing += [name for name in (workload.id, workload.label.name, "known_at") if name not in labels.columns]
    if missing:
        reasons.append(f"the columns {', '.join(missing)} are missing")
        return Verdict(tuple(reasons), observations.clear(), observations.clear(), labels.clear(), report)
    for name, frame, time in (("observation", observations, workload.time), ("label", labels, "known_at")):
        if not frame[time].dtype.is_temporal():
            reasons.append(f"{time} of the {name}s is {frame[time].dtype}, not a moment")
            return Verdict(tuple(reasons), observations.clear(), observations.clear(), labels.clear(), report)

    batch = observations.filter(_moment(workload.time) < evaluate_until).sort(workload.time, workload.id)
    columns, violations = typed(workload, batch)
    problem = np.full(batch.height, None, dtype=object)
    rules_broken: list[dict[str, Any]] = []
    for violation in violations:
        rules_broken.append(
            {
                "field": violation.field,
                "rule": violation.rule,
                "rows": len(violation.rows),
                "examples": [violation.say(int(row)) for row in violation.rows[:EXAMPLES]],
            }
        )
        for row in violation.rows:
            problem[row] = problem[row] or f"{violation.field}: {violation.say(int(row))}"
    bad = np.array([value is not None for value in problem], dtype=bool)
    repeated = ~batch[workload.id].is_first_distinct().to_numpy() & ~bad
    problem[repeated] = f"{workload.id}: came before"
    keep = ~(bad | repeated)
    clean = batch.filter(pl.Series(keep))
    quarantine = batch.with_columns(pl.Series("problem", problem.tolist(), dtype=pl.String)).filter(
        pl.Series(~keep)
    )

    rows = batch.height
    report |= {
        "rows": rows,
        "clean": clean.height,
        "bad": int(bad.sum()),
        "duplicates": int(repeated.sum()),
        "violations": rules_broken,
    }
    if rows and bad.sum() / rows > rules.maximum_bad_share:
        worst = max(rules_broken, key=lambda rule: int(rule["rows"]))
        reasons.append(
            f"{bad.sum() / rows:.1%} of the rows are bad, more than {rules.maximum_bad_share:.1%}; most of them "
            f"break {worst['rule']} of {worst['field']} ({worst['examples'][0]})"
        )
    if rows and repeated.sum() / rows > rules.maximum_duplicate_share:
        reasons.append(
            f"{repeated.sum() / rows:.2%} of the rows came twice, more than {rules.maximum_duplicate_share:.2%}"
        )
    reasons += _volume(workload, clean, train_until, report)
    reasons += _freshness(workload, clean, evaluate_until, report)
    known = _labels(workload, labels, evaluate_until)
    reasons += _labelled(workload, clean, known, evaluate_until, report)
    good = {name: column[keep] for name, column in columns.items()}
    reasons += _drift(workload, good, train_until, profiles, report)
    report["reasons"] = reasons
    return Verdict(tuple(reasons), clean, quarantine, known, report)


def _moment(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Datetime("us", "UTC"))


def _volume(
    workload: Workload, clean: pl.DataFrame, train_until: datetime, report: dict[str, Any]
) -> list[str]:
    training = clean.filter(_moment(workload.time) < train_until).height
    report["volume"] = {"training": training, "evaluation": clean.height - training}
    if training < workload.validation.minimum_rows:
        return [f"there are {training} good rows to train on, fewer than {workload.validation.minimum_rows}"]
    if clean.height == training:
        return [f"there are no rows from {iso(train_until)} on to evaluate with"]
    return []


def _freshness(workload: Workload, clean: pl.DataFrame, until: datetime, report: dict[str, Any]) -> list[str]:
    newest = clean.select(_moment(workload.time).max()).item()
    report["newest"] = None if newest is None else iso(newest)
    if newest is not None and until - newest > workload.validation.freshness:
        return [
            f"the newest row is of {iso(newest)}, older than {workload.validation.freshness} at {iso(until)}"
        ]
    return []


def _labels(workload: Workload, labels: pl.DataFrame, until: datetime) -> pl.DataFrame:
    wanted = labels.select(
        workload.id, pl.col(workload.label.name).cast(pl.Boolean), _moment("known_at").alias("known_at")
    )
    known = wanted.filter(pl.col("known_at") < until).drop_nulls()
    return known.sort("known_at", workload.id).unique(workload.id, keep="last", maintain_order=True)


def _labelled(
    workload: Workload, clean: pl.DataFrame, known: pl.DataFrame, until: datetime, report: dict[str, Any]
) -> list[str]:
    due = clean.filter(_moment(workload.time) < until - workload.label.delay)
    covered = due.join(known, on=workload.id, how="semi").height
    share = covered / due.height if due.height else 0.0
    report["labels"] = {"due": due.height, "known": covered, "share": share}
    if share < workload.validation.minimum_label_share:
        return [
            f"{share:.1%} of the rows have their label, fewer than {workload.validation.minimum_label_share:.1%}"
        ]
    return []


def _drift(
    workload: Workload,
    columns: Mapping[str, Any],
    train_until: datetime,
    profiles: Mapping[str, Any] | None,
    report: dict[str, Any],
) -> list[str]:
    """Of the newest rows, those of the evaluation, for the older ones may be the champion's own."""
    if profiles is None:
        report["drift"] = None
        return []
    newest = columns[workload.time] >= np.datetime64(train_until.replace(tzinfo=None))
    if not newest.any():
        return []
    found = drift.compare(dict(profiles), {name: column[newest] for name, column in columns.items()})
    limit = workload.validation.maximum_psi
    drifted = sorted(
        (name for name, d in found.items() if d["psi"] > limit), key=lambda name: -found[name]["psi"]
    )
    report["drift"] = {"fields": found, "drifted": drifted}
    if found and len(drifted) / len(found) > workload.validation.maximum_drifted_share:
        named = ", ".join(f"{name} (PSI {found[name]['psi']:.2f})" for name in drifted[:3])
        return [
            f"{len(drifted)} of {len(found)} fields have drifted from the champion's training data past PSI "
            f"{limit:g}, worst {named}"
        ]
    return []
