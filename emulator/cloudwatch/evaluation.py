"""What state an alarm is in. Pure: definition and datapoints in, state and reason out.

The rules are those of the CloudWatch User Guide, "Alarm evaluation" and "Configuring how CloudWatch alarms treat
missing data". CloudWatch looks at more periods than it evaluates (the evaluation range) and does not say how many; its
examples have five for three, so this takes two more.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
TreatMissing = Literal["missing", "ignore", "breaching", "notBreaching"]

EXTRA_PERIODS = 2

OPERATORS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


@dataclass(frozen=True)
class Rule:
    """The part of an alarm that decides. `datapoints` of `periods` must breach."""

    period: int
    periods: int
    datapoints: int
    threshold: float
    comparison: str
    treat_missing: TreatMissing = "missing"

    @property
    def evaluation_range(self) -> int:
        """How many periods are looked at."""
        return self.periods + EXTRA_PERIODS

    def breaches(self, value: float) -> bool:
        return OPERATORS[self.comparison][0](value, self.threshold)


@dataclass(frozen=True)
class Verdict:
    """`state` None keeps the current one (TreatMissingData ignore). `evaluated` are the datapoints that decided, latest
    first, as (start of period, value)."""

    state: State | None
    evaluated: tuple[tuple[int, float], ...] = ()
    filled: int = 0


def last_complete(now: float, period: int, grace: float) -> int:
    """The end of the last period that is over and has had `grace` seconds for late datapoints."""
    settled = int(now - grace)
    return settled - settled % period


def evaluate(rule: Rule, points: Mapping[int, float], end: int) -> Verdict:
    """The verdict on the evaluation range that ends at `end` (epoch seconds, a period's end).

    Args:
        points: datapoints by the start of their period; those outside the range are not looked at.
    """
    starts = [end - rule.period * age for age in range(1, rule.evaluation_range + 1)]
    window: list[float | None] = [points.get(start) for start in starts]
    real = [(start, value) for start, value in zip(starts, window, strict=True) if value is not None]
    if not real:
        return _all_missing(rule)
    if len(real) >= rule.periods:
        # Enough real data: the latest real points decide, and how missing data is treated does not matter.
        evaluated = real[: rule.periods]
        breaching = sum(rule.breaches(value) for _, value in evaluated)
        return Verdict("ALARM" if breaching >= rule.datapoints else "OK", tuple(evaluated))
    return _some_missing(rule, window, real)


def _all_missing(rule: Rule) -> Verdict:
    states: dict[TreatMissing, State | None] = {
        "breaching": "ALARM",
        "notBreaching": "OK",
        "ignore": None,
        "missing": "INSUFFICIENT_DATA",
    }
    return Verdict(states[rule.treat_missing], (), rule.periods)


def _some_missing(rule: Rule, window: Sequence[float | None], real: Sequence[tuple[int, float]]) -> Verdict:
    breaching = sum(rule.breaches(value) for _, value in real)
    filled = rule.periods - len(real)
    evaluated = tuple(real)
    if rule.treat_missing == "breaching":
        return Verdict("ALARM" if breaching + filled >= rule.datapoints else "OK", evaluated, filled)
    if breaching >= rule.datapoints:
        return Verdict("ALARM", evaluated, filled)
    if rule.treat_missing == "notBreaching" or breaching < len(real):
        return Verdict("OK", evaluated, filled)
    # Only breaching points, fewer than wanted. `ignore` keeps the state. `missing` alarms once the oldest of them is
    # as old as Datapoints to Alarm; before that the next point might still be good ("premature transitions").
    oldest_age = max(age for age, value in enumerate(window, start=1) if value is not None)
    if rule.treat_missing == "missing" and oldest_age >= rule.datapoints:
        return Verdict("ALARM", evaluated, filled)
    return Verdict(None, evaluated, filled)
