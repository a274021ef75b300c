"""From rows to a batch: every unit of evidence becomes one bounded mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from endpoints.release.judge.batch import STEPS, Arm, Batch, Paired, Weights
from endpoints.release.judge.rules import LABELLED, Rules
from sluice.config import Frozen

Floats = npt.NDArray[np.float64]
_EXACT = 2.0**20
"""Weights are whole multiples of 1/_EXACT, whose sums are exact: the order of batches then makes no difference."""


class Reference(Frozen):
    """What the champion looked like before anything is counted: fixed once, and the same for both arms.

    Attributes:
        latencies: µs, one for each of `Judge.latency_quantiles`.
        scores: inner edges of the bins of the score.
    """

    latencies: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()


@dataclass(frozen=True)
class Rows:
    """Rows that both versions answered: joined and each given once. All arrays have n entries.

    Attributes:
        champion, challenger: scores in [0, 1].
        unit: what the row's unit of evidence is called: its own id, its request's, its entity's or its day. Rows of a
            unit should come in the same batch; a unit that comes again in another batch counts as another.
        label: 1, 0, or NaN where it is not known yet.
        slices: field name of `Workload.slices` → the row's slice name, such as `origin=EWR`.
        decisions: of champion and challenger as they were answered; None: score at the threshold or above.
    """

    champion: Floats
    challenger: Floats
    unit: npt.NDArray[Any]
    label: Floats | None = None
    slices: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    decisions: tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]] | None = None


def reference(rules: Rules, latencies: Floats, scores: Floats) -> Reference:
    """Quantiles of the champion alone, from data that is not counted afterwards.

    Args:
        latencies: µs of single requests; may be empty, and latency is then not judged.
        scores: in [0, 1]; may be empty.
    """
    settings = rules.settings
    inner = np.arange(1, settings.score_bins) / settings.score_bins
    return Reference(
        latencies=_quantiles(latencies, np.asarray(settings.latency_quantiles)),
        scores=tuple(sorted(set(_quantiles(scores, inner)))),
    )


def _quantiles(values: Floats, at: Floats) -> tuple[float, ...]:
    return tuple(float(q) for q in np.quantile(values, at)) if values.size else ()


def collect(
    rows: Rows, rules: Rules, ref: Reference, since: datetime, until: datetime, labels_only: bool = False
) -> Batch:
    """The batch of the answers in `rows`; errors, latencies and the join are added by whoever counts them.

    Args:
        labels_only: the rows were fed before, and now their labels came: only the labelled checks count.
    """
    yes = rows.decisions or (rows.champion >= rules.threshold, rows.challenger >= rules.threshold)
    names, unit = np.unique(rows.unit, return_inverse=True)
    if labels_only:
        champion = challenger = Arm()
    else:
        champion, challenger = (
            _arm(score, decided, unit, names.size, ref)
            for score, decided in zip((rows.champion, rows.challenger), yes, strict=True)
        )
    values = _differences(rows, (yes[0], yes[1]), rules, labels_only)
    slices = {}
    for of_field in rows.slices.values():
        for name in np.unique(of_field):
            if str(name) in rules.slices:
                inside = of_field == name
                slices[str(name)] = _paired({k: v[inside] for k, v in values.items()}, unit[inside])
    return Batch(
        since=since,
        until=until,
        champion=champion,
        challenger=challenger,
        paired=_paired(values, unit),
        slices=slices,
    )


def _differences(
    rows: Rows, yes: tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]], rules: Rules, labels_only: bool
) -> dict[str, Floats]:
    """By check one value in [-1, 1] for each row; NaN: not known. Positive is worse, or more. Of one version by itself,
    `check:version`, it lies in [0, 1]."""
    one, two = (decided.astype(np.float64) for decided in yes)
    found: dict[str, Floats] = {}
    if not labels_only and rules.stage != "live":
        found["agreement"] = np.abs(two - one)
        found["decision"] = two - one
        found["shift"] = rows.challenger - rows.champion
    if rows.label is not None:
        label = rows.label
        wrong_one, wrong_two = np.abs(one - label), np.abs(two - label)
        square_one, square_two = (rows.champion - label) ** 2, (rows.challenger - label) ** 2
        found |= {"loss:challenger": wrong_two, "brier:challenger": square_two}
        if rules.stage == "live":
            return found
        found |= {"loss:champion": wrong_one, "brier:champion": square_one}
        found["flips"] = np.maximum(0.0, wrong_two - wrong_one)
        found["loss"] = wrong_two - wrong_one
        if rules.comparable:
            found["brier"] = square_two - square_one
        if rules.costs is not None and max(rules.costs.miss, rules.costs.false_alarm) > 0:
            miss, alarm = rules.costs.miss, rules.costs.false_alarm
            cost = np.where(label == 1, miss, alarm) / max(miss, alarm)
            found["money"] = (wrong_two - wrong_one) * cost
    return found


def _paired(values: Mapping[str, Floats], unit: npt.NDArray[np.intp]) -> Paired:
    grids: dict[str, Weights] = {}
    counts = {"units": 0.0, "labelled": 0.0}
    for check, value in values.items():
        known = ~np.isnan(value)
        if not known.any():
            continue
        _, index = np.unique(unit[known], return_inverse=True)
        mean = np.bincount(index, weights=value[known]) / np.bincount(index)
        grids[check] = on_grid(mean)
        counts["labelled" if check.partition(":")[0] in LABELLED else "units"] = float(mean.size)
    return Paired(values=grids, **counts)


def on_grid(values: Floats) -> Weights:
    """Weights of the values in [-1, 1] on `GRID`, each split between the two grid values around it."""
    place = np.clip((values + 1) * STEPS, 0, 2 * STEPS)
    lower = np.minimum(np.floor(place).astype(np.intp), 2 * STEPS - 1)
    upper_weight = np.round((place - lower) * _EXACT) / _EXACT
    size = 2 * STEPS + 1
    weights = np.bincount(lower, weights=1 - upper_weight, minlength=size)
    return tuple((weights + np.bincount(lower + 1, weights=upper_weight, minlength=size)).tolist())


def _arm(
    score: Floats, decided: npt.NDArray[np.bool_], unit: npt.NDArray[np.intp], units: int, ref: Reference
) -> Arm:
    share = 1.0 / np.bincount(unit, minlength=units)[unit]
    share = np.round(share * _EXACT) / _EXACT
    bins = np.searchsorted(np.asarray(ref.scores), score, side="right")
    return Arm(
        answered=float(units),
        scores=tuple(np.bincount(bins, weights=share, minlength=len(ref.scores) + 1).tolist())
        if ref.scores
        else (),
        yes=float(share[decided].sum()),
    )
