"""Scaling arithmetic: floors and ceilings, proportion, cooldowns."""

import math
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from emulator.autoscaling.arithmetic import Last, Limits, Reading, decide, proportional
from tests.emulator.inprocess import START


def reading(**changes: Any) -> Reading:
    given_values: dict[str, Any] = {
        "policy": "p",
        "target": 10.0,
        "breaching_high": False,
        "breaching_low": False,
        "high_metric": None,
        "low_metric": None,
        **changes,
    }
    return Reading(**given_values)


def high(metric: float, **changes: Any) -> Reading:
    return reading(breaching_high=True, high_metric=metric, **changes)


def low(metric: float, **changes: Any) -> Reading:
    return reading(breaching_low=True, low_metric=metric, **changes)


COUNTS = st.integers(1, 50)
METRICS = st.floats(0, 1e4)
READINGS = st.lists(
    st.builds(
        reading,
        policy=st.sampled_from("abc"),
        target=st.floats(0.5, 100),
        breaching_high=st.booleans(),
        breaching_low=st.booleans(),
        high_metric=st.none() | METRICS,
        low_metric=st.none() | METRICS,
        scale_in_disabled=st.booleans(),
    ),
    max_size=3,
)


@given(COUNTS, COUNTS, COUNTS, READINGS, st.booleans(), st.booleans())
def test_never_past_the_limits(
    current: int, minimum: int, extra: int, readings: list[Reading], no_out: bool, no_in: bool
) -> None:
    limits = Limits(minimum, minimum + extra, no_out, no_in)
    found = decide(current, limits, readings, START)
    after = current if found is None else found.desired
    assert limits.minimum <= after <= limits.maximum
    if limits.clamp(current) == current and found is not None:
        assert after != current
        assert not (no_out and after > current)
        assert not (no_in and after < current)
        assert not (after < current and any(each.breaching_high for each in readings))


@given(COUNTS, st.floats(0.1, 1000), st.floats(0.5, 100))
def test_the_metric_comes_to_its_target_with_as_few_instances_as_can_be(
    current: int, metric: float, target: float
) -> None:
    count = proportional(current, metric, target)
    assert current * metric / count <= target * (1 + 1e-6)
    if count > 1:
        assert current * metric / (count - 1) > target * (1 - 1e-6)


def test_the_policy_that_wants_most_decides_the_way_out() -> None:
    found = decide(2, Limits(1, 20), [high(15, policy="few"), high(40, policy="many")], START)
    assert found is not None and (found.desired, found.policy) == (8, "many")


def test_scale_in_needs_every_policy() -> None:
    assert decide(8, Limits(1, 20), [low(2), reading(policy="quiet")], START) is None
    assert decide(8, Limits(1, 20), [low(2), low(2, scale_in_disabled=True)], START) is None
    found = decide(8, Limits(1, 20), [low(2), low(5, policy="more")], START)
    assert found is not None and found.desired == 4


def test_a_cooldown_counts_from_the_fleet_before() -> None:
    """The metric still shows the old fleet: without this, every look would double the fleet again."""
    last = Last(2, 4, START)
    soon = START + timedelta(seconds=10)
    assert decide(4, Limits(1, 50), [high(20)], soon, last_out=last) is None
    worse = decide(4, Limits(1, 50), [high(40)], soon, last_out=last)
    assert worse is not None and worse.desired == 8
    later = decide(4, Limits(1, 50), [high(20)], START + timedelta(seconds=301), last_out=last)
    assert later is not None and later.desired == 8


def test_the_scale_in_cooldown_holds() -> None:
    last = Last(8, 6, START)
    assert decide(6, Limits(1, 50), [low(2)], START + timedelta(seconds=299), last_in=last) is None
    assert decide(6, Limits(1, 50), [low(2)], START + timedelta(seconds=300), last_in=last) is not None


def test_missing_data_moves_nothing() -> None:
    assert decide(4, Limits(1, 50), [reading(breaching_high=True)], START) is None
    assert decide(4, Limits(1, 50), [reading(breaching_low=True)], START) is None
    assert not math.isnan(proportional(1, 0.0, 1.0))
