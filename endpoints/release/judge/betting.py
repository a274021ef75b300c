"""E-processes on bounded means: bet against the null, and see whether the money grows.

Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 2024 (arXiv 2010.09686),
proposition 2 and section 4: for x in [low, high] whose mean given the past is at most m, the capital
prod(1 + bet (x - m)) is a nonnegative supermartingale for each bet in [0, 1/(m - low)). We average over fixed bets
(their section 5.3, "hedging"; Cover's universal portfolio), so the capital depends on the counts alone: not on their
order, and not on how they came in looks.
"""

from functools import lru_cache
from math import log
from typing import Literal

import numpy as np
import numpy.typing as npt

from endpoints.release.judge.batch import GRID, Weights
from endpoints.release.judge.shares import log_mean_exp

SIGNS = (0.2, 0.5)
"""The bets on decisions that differ or do not, as parts of the largest that cannot lose everything. The best is the
mean over the share that differs: two points lost of five in a hundred that differ are 0.4."""
SCORES = (0.3, 0.9)
"""The same on differences of scores, which vary less: there it pays to bet high."""
LONG = (0.01, 0.025, 0.06, 0.15, 0.35, 0.7)
"""For what runs for months on thousands of labels: the smaller a difference is, the smaller the bet that shows it."""
_LARGEST_BET = 20.0
_PRECISION = 1e-5
Side = Literal["above", "below"]


@lru_cache(maxsize=256)
def _table(bound: float, low: float, side: Side, parts: tuple[float, ...]) -> npt.NDArray[np.float64]:
    """Log factors, one row for each bet and one column for each value of `GRID`."""
    values = np.maximum(np.asarray(GRID), low)
    room = bound - low if side == "above" else 1.0 - bound
    bets = np.asarray(parts) * min(_LARGEST_BET, 1.0 / max(room, 1e-9))
    sign = 1.0 if side == "above" else -1.0
    table: npt.NDArray[np.float64] = np.log1p(sign * bets[:, None] * (values[None, :] - bound))
    return table


def log_e(counts: Weights, bound: float, low: float, side: Side, parts: tuple[float, ...] = SIGNS) -> float:
    """Natural log of the e-value that the mean lies on the side of `bound`.

    Args:
        counts: weights on `GRID`; () is no evidence, 0.
        bound: in (-1, 1). `above`: the null is a mean of at most `bound`; `below`: of at least `bound`.
        low: the smallest possible value, -1 or 0.
    """
    if not counts or not -1 < bound < 1:
        return 0.0
    return log_mean_exp(log_factors(counts, bound, low, side, parts).tolist())


def log_factors(
    counts: Weights, bound: float, low: float, side: Side, parts: tuple[float, ...]
) -> npt.NDArray[np.float64]:
    """Natural logs of what each bet has made of one unit of money; see `log_e`."""
    found: npt.NDArray[np.float64] = _table(bound, low, side, parts) @ np.asarray(counts)
    return found


def upper(counts: Weights, alpha: float) -> float:
    """The upper confidence bound of a mean in [0, 1] that holds at all times at once with a chance of 1 - alpha: the
    smallest value that the bets have shown to be too high (Waudby-Smith and Ramdas, theorem 1).

    Args:
        counts: weights on `GRID`, of values in [0, 1].
    """
    needed = log(1 / alpha)
    low, high = mean(counts) or 0.0, 1.0
    # A bet against "at least m" only gains by a higher m, so the values that are shown to be too high are an interval.
    while high - low > _PRECISION:
        middle = (low + high) / 2
        if log_e(counts, middle, 0.0, "below", LONG) >= needed:
            high = middle
        else:
            low = middle
    return high


def mean(counts: Weights) -> float | None:
    """The mean value; None of nothing."""
    total = sum(counts)
    return sum(w * g for w, g in zip(counts, GRID, strict=True)) / total if total else None


def mirror(counts: Weights) -> Weights:
    """The same values with the other sign."""
    return counts[::-1]
