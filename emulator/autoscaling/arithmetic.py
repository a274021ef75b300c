"""The arithmetic of target tracking. Pure.

Application Auto Scaling User Guide, "How target tracking scaling works": scale out in proportion to the metric, at
once and continuously but not excessively; scale in slowly, only if every policy agrees; never past the target's
capacity limits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Limits:
    """Of the scalable target, and which directions are suspended."""

    minimum: int
    maximum: int
    out_suspended: bool = False
    in_suspended: bool = False

    def clamp(self, count: int) -> int:
        return max(self.minimum, min(self.maximum, count))


@dataclass(frozen=True)
class Reading:
    """What one policy sees. The metrics are per instance; None where there is no data."""

    policy: str
    target: float
    breaching_high: bool
    breaching_low: bool
    high_metric: float | None
    """The latest datapoint."""
    low_metric: float | None
    """The highest datapoint of the time that AlarmLow looks at."""
    scale_in_disabled: bool = False
    out_cooldown: timedelta = timedelta(seconds=300)
    in_cooldown: timedelta = timedelta(seconds=300)


@dataclass(frozen=True)
class Last:
    """The last activity of a direction: from how many to how many instances, and when it was done."""

    before: int
    after: int
    at: datetime


@dataclass(frozen=True)
class Decision:
    """Set the count to `desired`; `policy` asked for it, None if the limits did."""

    desired: int
    policy: str | None
    direction: str


def proportional(current: int, metric: float, target: float) -> int:
    """The count at which the metric would be at its target, rounded up."""
    return max(1, math.ceil(current * metric / target - 1e-9))


def decide(
    current: int,
    limits: Limits,
    readings: Sequence[Reading],
    now: datetime,
    last_out: Last | None = None,
    last_in: Last | None = None,
) -> Decision | None:
    """What to do with `current` instances; None if nothing."""
    bounded = limits.clamp(current)
    if bounded != current:
        direction = "out" if bounded > current else "in"
        return Decision(bounded, None, direction)
    return _out(current, limits, readings, now, last_out) or _in(current, limits, readings, now, last_in)


def _out(
    current: int, limits: Limits, readings: Sequence[Reading], now: datetime, last: Last | None
) -> Decision | None:
    if limits.out_suspended:
        return None
    wanted = []
    for reading in readings:
        if not reading.breaching_high or reading.high_metric is None:
            continue
        # During the cooldown the metric still shows the old fleet: count from it, and only add what is lacking.
        cooling = last is not None and now < last.at + reading.out_cooldown
        base = last.before if cooling and last is not None else current
        wanted.append((proportional(base, reading.high_metric, reading.target), reading.policy))
    desired, policy = max(wanted, default=(current, ""))
    desired = limits.clamp(desired)
    return Decision(desired, policy, "out") if desired > current else None


def _in(
    current: int, limits: Limits, readings: Sequence[Reading], now: datetime, last: Last | None
) -> Decision | None:
    if limits.in_suspended or not readings or any(reading.breaching_high for reading in readings):
        return None
    wanted = []
    for reading in readings:
        if reading.scale_in_disabled or not reading.breaching_low or reading.low_metric is None:
            return None
        if last is not None and now < last.at + reading.in_cooldown:
            return None
        wanted.append((proportional(current, reading.low_metric, reading.target), reading.policy))
    desired, policy = max(wanted)
    desired = limits.clamp(desired)
    return Decision(desired, policy, "in") if desired < current else None
