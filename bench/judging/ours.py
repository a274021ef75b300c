"""Our judge over many runs at once: the formulas of endpoints/release/judge on arrays of (runs, looks).

A test holds it to the judge itself, run by run.
"""

import numpy as np
import numpy.typing as npt

from bench.judging.traffic import Arms
from endpoints.release.judge import betting, shares
from endpoints.release.judge.rules import Rules
from endpoints.release.judge.state import MOST_SLOW

Floats = npt.NDArray[np.float64]


def share_log_e(
    two: Floats, one: Floats, n_two: Floats, n_one: Floats, test: shares.Test, most: float = np.inf
) -> Floats:
    """Log e-value after each look, as `shares.add` and `shares.log_e`; of the events of a look `most` count."""
    part = np.minimum(1.0, most / np.maximum(two + one, 1e-9))
    two, one = two * part, one * part
    with np.errstate(invalid="ignore", divide="ignore"):
        r = n_two / (n_two + n_one)
    known = (r > 0) & (r < 1)
    r = np.where(known, r, 0.5)
    events = np.where(known, two + one, 0.0)
    hits = np.where(known, two, 0.0)
    base = 1 - r + r * test.null
    logs = [
        np.cumsum(hits * step - events * np.log((1 - r + r * ratio) / base), axis=1)
        for ratio, step in zip(test.ratios, test.steps, strict=True)
    ]
    return mean_exp(logs)


def bet_log_e(
    counts: Floats,
    values: Floats,
    bound: float,
    low: float = -1.0,
    two_sided: bool = False,
    bets: tuple[float, ...] = betting.SIGNS,
) -> Floats:
    """Log e-value that the mean is above `bound`, as `betting.log_e`; counts are (runs, looks, values) by look."""
    room = min(20.0, 1 / max(bound - low, 1e-9))
    total = np.cumsum(counts, axis=1)
    sides = []
    for sign in (1, -1) if two_sided else (1,):
        table = np.log1p(np.asarray(bets)[:, None] * room * (sign * values[None, :] - bound))
        sides.append(mean_exp(list(np.moveaxis(total @ table.T, -1, 0))))
    return mean_exp(sides)


def mean_exp(logs: list[Floats]) -> Floats:
    """log of the mean of exp, over the list."""
    top = np.maximum.reduce(logs)
    return top + np.log(sum(np.exp(log - top) for log in logs) / len(logs))


def counted(arms: Arms, rules: Rules) -> dict[str, Floats]:
    """Log e-values of errors and latency."""
    worse = shares.worse(rules.margin("errors").tolerated)
    slow = shares.worse(rules.margin("latency").tolerated)
    latency = [
        share_log_e(
            arms.exceeded_two[..., q], arms.exceeded_one[..., q], arms.n_two, arms.n_one, slow, MOST_SLOW
        )
        for q in range(3)
    ]
    return {
        "errors": share_log_e(arms.errors_two, arms.errors_one, arms.n_two, arms.n_one, worse),
        "latency": mean_exp(latency),
    }


def combined(logs: dict[str, Floats], rules: Rules, parts: dict[str, float] | None = None) -> Floats:
    """Log of the weighted average; checks that are not simulated have no data and keep their 1.

    Args:
        parts: weights of what is in `logs`, where it is not a check by its name (a slice).
    """
    weights = {name: (parts or {}).get(name) or rules.weight_of(name) for name in logs}
    used = sum(weights.values())
    total = sum(weights[name] * np.exp(np.minimum(log, 600.0)) for name, log in logs.items())
    return np.log(total + (1 - used))


def first_crossing(log_e: Floats, alpha: float) -> npt.NDArray[np.intp]:
    """The first look at which the judge fails the challenger; the number of looks if it never does."""
    crossed = log_e >= np.log(1 / alpha)
    return np.where(crossed.any(axis=1), crossed.argmax(axis=1), log_e.shape[1])
