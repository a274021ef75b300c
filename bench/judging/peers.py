"""The rules of others, from their documentation, over many runs at once. Each gives the look of its rollback.

One metric each, as (runs, looks): `two` and `one` are its values a minute in the challenger and the champion, NaN
without data; `base` is its level in quiet times, which the writer of a fixed threshold is granted to know exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Looks = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Metric:
    """A metric of both arms, and the running z statistic of the difference."""

    two: Floats
    one: Floats
    base: float
    z: Floats


def proportions(hits_two: Floats, n_two: Floats, hits_one: Floats, n_one: Floats) -> Floats:
    """The pooled z statistic of two proportions, cumulated up to each look."""
    x, n, y, m = (np.cumsum(a, axis=1) for a in (hits_two, n_two, hits_one, n_one))
    with np.errstate(invalid="ignore", divide="ignore"):
        p = (x + y) / (n + m)
        z = (x / n - y / m) / np.sqrt(p * (1 - p) * (1 / n + 1 / m))
    return np.nan_to_num(z, nan=0.0, posinf=0.0, neginf=0.0)


def _first(failed: npt.NDArray[np.bool_]) -> Looks:
    return np.where(failed.any(axis=1), failed.argmax(axis=1), failed.shape[1])


def cloudwatch(metric: Metric, threshold: float, m: int, n: int) -> Looks:
    """An alarm on the new fleet: more than `threshold` times the base in m of the last n periods; a period without data
    is `missing` and neither breaches nor clears."""
    breach = (metric.two > threshold * metric.base).astype(int)
    total = np.cumsum(breach, axis=1)
    total[:, n:] -= total[:, :-n].copy()
    return _first(total >= m)


def flagger(metric: Metric, threshold: float, limit: int = 5) -> Looks:
    """Each interval without data or beyond the threshold is a failed check; roll back at `limit` of them."""
    failed = np.isnan(metric.two) | (metric.two > threshold * metric.base)
    return _first(np.cumsum(failed, axis=1) >= limit)


def argo(metric: Metric, threshold: float, limit: int = 3) -> Looks:
    """AnalysisRun: a measurement fails beyond the threshold; Failed at more than `failureLimit` of them."""
    return _first(np.cumsum(metric.two > threshold * metric.base, axis=1) > limit)


def peeking(metric: Metric, critical: float) -> Looks:
    """A one-sided z test of everything so far, at every look."""
    return _first(metric.z >= critical)


def once(metric: Metric, critical: float) -> Looks:
    """The same test, once, at the end."""
    looks = metric.z.shape[1]
    return np.where(metric.z[:, -1] >= critical, looks - 1, looks)


def kayenta(metric: Metric, tolerance: float, every: int = 10, runs: int = 200) -> Looks:
    """The NetflixACAJudge's Mann-Whitney classifier on the points so far, every `every` minutes; direction increase.

    On the first `runs` runs only, for it is slow; those that it does not look at are left out of its figures.
    """
    two, one = metric.two[:runs], metric.one[:runs]
    looks = two.shape[1]
    first = np.full(two.shape[0], looks)
    for end in range(every, looks + 1, every):
        high = mann_whitney_high(two[:, :end], one[:, :end], tolerance)
        first = np.where((first == looks) & high, end - 1, first)
    return first


def mann_whitney_high(
    two: Floats, one: Floats, tolerance: float = 0.25, z: float = 2.3263478740
) -> npt.NDArray[np.bool_]:
    """Kayenta's `High`: the lower end of the 98 % interval of the shift is above `tolerance` times its Hodges-Lehmann
    estimate. As in R's wilcox.test, with the correction for ties and continuity; the interval lies above a value if
    the statistic there is above z. A minute without data in either arm is left out, as a point of 0 in both."""
    gone = np.isnan(two) | np.isnan(one)
    two, one = np.where(gone, 0.0, two), np.where(gone, 0.0, one)
    n, m = two.shape[1], one.shape[1]
    shift = np.abs(np.median((two[:, :, None] - one[:, None, :]).reshape(len(two), -1), axis=1))
    moved = two - (tolerance * shift)[:, None]
    pairs = moved[:, :, None] - one[:, None, :]
    u = (pairs > 0).sum((1, 2)) + 0.5 * (pairs == 0).sum((1, 2)) - n * m / 2
    both = np.sort(np.concatenate([moved, one], axis=1), axis=1)
    size = n + m
    same = np.array([(np.unique(row, return_counts=True)[1] ** 3).sum() - size for row in both], dtype=float)
    variance = n * m / 12 * ((size + 1) - same / (size * (size - 1)))
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (u - np.sign(u) * 0.5) / np.sqrt(variance)
    return np.nan_to_num(value, nan=0.0) > z


@dataclass(frozen=True)
class Peer:
    """A rule with one number to turn, which grows with strictness towards alarms."""

    name: str
    rule: Callable[[Metric, float], Looks]
    usual: float
    """The number as it is commonly set."""
    range: tuple[float, float]


PEERS: tuple[Peer, ...] = (
    Peer("CloudWatch 3 of 3", lambda x, t: cloudwatch(x, t, 3, 3), 3.0, (1.0, 60.0)),
    Peer("CloudWatch 1 of 1", lambda x, t: cloudwatch(x, t, 1, 1), 10.0, (1.0, 1000.0)),
    Peer("Flagger", lambda x, t: flagger(x, t), 10.0, (1.0, 200.0)),
    Peer("Argo", lambda x, t: argo(x, t), 3.0, (1.0, 200.0)),
    Peer("Kayenta", kayenta, 0.25, (-3.0, 0.99)),
    Peer("z test, peeking", peeking, 1.645, (1.0, 12.0)),
    Peer("z test, once", once, 1.645, (1.0, 12.0)),
)


def tune(peer: Peer, metric: Metric, target: float) -> float:
    """The number at which the rule's false rollbacks on `metric`, a release without change, come to `target` at most:
    the most sensitive such. By bisection; rules without such a setting get their strictest."""
    low, high = peer.range
    for _ in range(12):
        middle = (low + high) / 2
        first = peer.rule(metric, middle)
        if (first < metric.two.shape[1]).mean() > target:
            low = middle
        else:
            high = middle
    return high
