"""Metrics of scores against labels, all weighted, so that a bootstrap is one pass over sorted scores."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from workloads.contract import Costs

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
BINS = 10
FLOOR = 1e-7
"""Of a probability in log loss: a rule that is sure and wrong costs 16, not infinity."""


class Scored:
    """Scores with their labels, sorted once: what `metrics` needs, for any weights."""

    def __init__(self, scores: Floats, labels: Flags) -> None:
        self.order = np.argsort(-scores, kind="stable")
        self.scores = scores[self.order]
        self.labels = labels[self.order].astype(np.float64)
        self.starts = (
            np.flatnonzero(np.diff(self.scores, prepend=np.inf)) if len(scores) else np.zeros(0, np.intp)
        )
        clipped = self.scores.clip(FLOOR, 1 - FLOOR)
        self.losses = -np.where(self.labels > 0, np.log(clipped), np.log1p(-clipped))
        self.bins = np.minimum((self.scores * BINS).astype(np.intp), BINS - 1)


def metrics(
    scored: Scored, threshold: float, costs: Costs, weights: Floats | None = None
) -> dict[str, float | None]:
    """Every metric of the contract; None where it is not defined (no row, or one class only).

    Args:
        weights: (n,) in the rows' own order; None weighs each row once.
    """
    w = np.ones(len(scored.scores)) if weights is None else weights[scored.order]
    positive, total = w * scored.labels, float(w.sum())
    yes = float(positive.sum())
    if total <= 0:
        return dict.fromkeys((*_NAMES,), None)
    both = 0 < yes < total
    squares = (scored.scores - scored.labels) ** 2
    chosen = int(np.searchsorted(-scored.scores, -threshold, side="right"))
    hits, called = float(positive[:chosen].sum()), float(w[:chosen].sum())
    misses, alarms = yes - hits, called - hits
    return {
        "auc": _auc(scored, w, positive) if both else None,
        "average_precision": _average_precision(scored, w, positive) if yes > 0 else None,
        "log_loss": float((w * scored.losses).sum()) / total,
        "brier": float((w * squares).sum()) / total,
        "ece": _calibration_error(scored, w, positive, total),
        "precision": hits / called if called > 0 else None,
        "recall": hits / yes if yes > 0 else None,
        "decision_rate": called / total,
        "base_rate": yes / total,
        "cost_per_row": (costs.miss * misses + costs.false_alarm * alarms) / total,
    }


_NAMES = (
    "auc",
    "average_precision",
    "log_loss",
    "brier",
    "ece",
    "precision",
    "recall",
    "decision_rate",
    "base_rate",
    "cost_per_row",
)


def bootstrap(
    models: Mapping[str, Scored],
    threshold: float,
    costs: Costs,
    seed: int,
    rounds: int = 200,
    level: float = 0.95,
) -> dict[str, dict[str, list[float]]]:
    """Percentile intervals of every metric of every model, on the same resamples, so that they compare; under
    `<name>-minus-<other>` the intervals of the paired differences of the first model to each other one."""
    rng = np.random.default_rng(seed)
    size = len(next(iter(models.values())).scores)
    draws: dict[str, list[dict[str, float | None]]] = {name: [] for name in models}
    for _ in range(rounds):
        weights = np.bincount(rng.integers(0, size, size), minlength=size).astype(np.float64)
        for name, scored in models.items():
            draws[name].append(metrics(scored, threshold, costs, weights))
    found = {name: _intervals(rows, level) for name, rows in draws.items()}
    first, *others = models
    for other in others:
        pairs = zip(draws[first], draws[other], strict=True)
        found[f"{first}-minus-{other}"] = _intervals([_difference(a, b) for a, b in pairs], level)
    return found


def calibration(scored: Scored) -> list[dict[str, float]]:
    """Per tenth of the score: rows, mean score and share of positives, for the plot."""
    rows = np.bincount(scored.bins, minlength=BINS)
    means = np.bincount(scored.bins, scored.scores, BINS)
    hits = np.bincount(scored.bins, scored.labels, BINS)
    return [
        {
            "bin": b / BINS,
            "rows": int(rows[b]),
            "score": float(means[b] / rows[b]),
            "rate": float(hits[b] / rows[b]),
        }
        for b in range(BINS)
        if rows[b]
    ]


def _auc(scored: Scored, w: Floats, positive: Floats) -> float:
    ups = np.add.reduceat(positive, scored.starts)
    downs = np.add.reduceat(w - positive, scored.starts)
    # A positive beats the negatives of lower groups, and half of those that tie with it.
    below = downs.sum() - np.cumsum(downs)
    return float((ups * (below + downs / 2)).sum() / (ups.sum() * downs.sum()))


def _average_precision(scored: Scored, w: Floats, positive: Floats) -> float:
    ups = np.add.reduceat(positive, scored.starts)
    everyone = np.add.reduceat(w, scored.starts)
    reached = np.cumsum(everyone)
    precision = np.divide(np.cumsum(ups), reached, out=np.zeros_like(reached), where=reached > 0)
    return float((precision * ups).sum() / ups.sum())


def _calibration_error(scored: Scored, w: Floats, positive: Floats, total: float) -> float:
    means = np.bincount(scored.bins, w * scored.scores, BINS)
    hits = np.bincount(scored.bins, positive, BINS)
    return float(np.abs(means - hits).sum() / total)


def _difference(a: Mapping[str, float | None], b: Mapping[str, float | None]) -> dict[str, float | None]:
    return {k: None if a[k] is None or b[k] is None else a[k] - b[k] for k in a}  # type: ignore[operator]


def _intervals(rows: Sequence[Mapping[str, Any]], level: float) -> dict[str, list[float]]:
    tails = [(1 - level) / 2, (1 + level) / 2]
    found = {}
    for name in rows[0]:
        values = [row[name] for row in rows if row[name] is not None]
        if values:
            found[name] = [float(v) for v in np.quantile(values, tails)]
    return found
