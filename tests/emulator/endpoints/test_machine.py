"""The deployment machine over every order of events, and the plans it follows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.sagemaker.endpoints import policy
from emulator.sagemaker.endpoints.machine import (
    ENDED,
    FORWARD,
    Deployment,
    Phase,
    Seen,
    advance,
    begin,
    desired,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


def blue_green(
    kind: str, size: dict[str, Any] | None = None, wait: int = 30, bake: int = 10
) -> dict[str, Any]:
    routing: dict[str, Any] = {"Type": kind, "WaitIntervalInSeconds": wait}
    if size is not None:
        routing["CanarySize" if kind == "CANARY" else "LinearStepSize"] = size
    return {
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": bake}
    }


def percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


ROLLING = {"RollingUpdatePolicy": {"MaximumBatchSize": percent(25), "WaitIntervalInSeconds": 5}}
POLICIES: list[dict[str, Any]] = [
    {},
    blue_green("ALL_AT_ONCE"),
    blue_green("CANARY", percent(10)),
    blue_green("CANARY", percent(50)),
    blue_green("LINEAR", percent(20)),
    blue_green("LINEAR", {"Type": "INSTANCE_COUNT", "Value": 1}),
    ROLLING,
]
SEEN = st.builds(
    dict,
    seconds=st.floats(0, 40),
    green_ready=st.booleans(),
    green_failed=st.sampled_from([None, None, None, "it did not ping"]),
    alarms=st.sampled_from([(), (), (), ("high",)]),
    blue_ready=st.booleans(),
    blue_failed=st.sampled_from([None, None, None, "no capacity"]),
    blue_gone=st.booleans(),
    green_gone=st.booleans(),
)


def start(config: dict[str, Any], blue: int, green: int, maximum: float = 1e9) -> Deployment:
    before = {"AllTraffic": blue} if blue else {}
    return begin(policy.plan(config, before, {"AllTraffic": green}), before, START, maximum)


def serving(at: Deployment) -> int:
    counts = desired(at)["AllTraffic"]
    return counts.green_traffic + counts.blue_traffic


@given(
    st.sampled_from(POLICIES),
    st.integers(1, 12),
    st.integers(2, 12),
    st.floats(1, 400),
    st.lists(SEEN, max_size=60),
)
def test_whatever_happens(
    config: dict[str, Any], blue: int, green: int, maximum: float, events: list[dict[str, Any]]
) -> None:
    at, now = start(config, blue, green, maximum), START
    for event in events:
        now += timedelta(seconds=event.pop("seconds"))
        seen = Seen(now=now, **event)
        before, at = at, advance(at, seen)
        counts = desired(at)["AllTraffic"]
        assert serving(at) >= 1
        assert counts.green_traffic <= counts.green
        assert counts.blue_traffic <= counts.blue or at.phase is Phase.RESTORING
        if before.phase in FORWARD and (seen.alarms or seen.green_failed):
            assert at.phase in (Phase.ROLLING_BACK, Phase.RESTORING)
            assert at.reason
        if before.phase in ENDED:
            assert at is before
        if at.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK):
            assert (counts.green_traffic, counts.blue_traffic) == (0, blue)
        if before.phase in (Phase.RESTORING, Phase.ROLLING_BACK):
            assert at.phase not in FORWARD | {Phase.SUCCEEDED}


@given(st.sampled_from(POLICIES), st.integers(1, 12), st.integers(2, 12))
def test_with_nothing_wrong_it_succeeds_and_waits_as_told(
    config: dict[str, Any], blue: int, green: int
) -> None:
    at, now = start(config, blue, green), START
    baked: dict[int, float] = {}
    for _ in range(10_000):
        if at.phase in ENDED:
            break
        if at.phase is Phase.BAKING:
            baked[at.step] = (now - at.since).total_seconds()
        now += timedelta(seconds=1)
        at = advance(at, Seen(now=now, green_ready=True, blue_gone=True))
    assert at.phase is Phase.SUCCEEDED
    assert at.reason is None
    assert all(baked[i] >= step.wait - 1 for i, step in enumerate(at.plan))
    assert desired(at)["AllTraffic"] == policy.Counts(
        green=green, green_traffic=green, blue=0, blue_traffic=0
    )


@given(st.integers(1, 50), st.integers(2, 40), st.integers(1, 40))
def test_a_canary_has_two_steps_and_at_most_half(size: int, green: int, blue: int) -> None:
    steps = policy.plan(blue_green("CANARY", percent(size)), {"AllTraffic": blue}, {"AllTraffic": green})
    assert len(steps) == 2
    first = steps[0].variants["AllTraffic"]
    assert 1 <= first.green_traffic <= max(1, green // 2)
    assert (first.green, first.blue_traffic, first.blue) == (green, blue, blue)


def test_a_linear_plan_moves_equal_steps() -> None:
    steps = policy.plan(blue_green("LINEAR", percent(25)), {"AllTraffic": 4}, {"AllTraffic": 4})
    assert [step.variants["AllTraffic"].green_traffic for step in steps] == [1, 2, 3, 4]
    assert [step.variants["AllTraffic"].blue_traffic for step in steps] == [3, 2, 1, 0]
    assert [step.wait for step in steps] == [30, 30, 30, 10]


def test_a_rolling_update_turned_back_restores_the_old_fleet_first() -> None:
    at = start(ROLLING, 4, 4)
    now = START
    while at.step < 2 or at.phase is not Phase.BAKING:
        now += timedelta(seconds=2)
        at = advance(at, Seen(now=now, green_ready=True))
    at = advance(at, Seen(now=now, alarms=("high",)))
    assert at.phase is Phase.RESTORING
    counts = desired(at)["AllTraffic"]
    assert (counts.blue, counts.green_traffic) == (4, 3)
    at = advance(at, Seen(now=now, blue_ready=False))
    assert at.phase is Phase.RESTORING
    at = advance(at, Seen(now=now, blue_ready=True))
    assert at.phase is Phase.ROLLING_BACK
    assert advance(at, Seen(now=now, green_gone=True)).phase is Phase.ROLLED_BACK


def test_it_gives_up_after_its_time() -> None:
    at = start({}, 2, 2, maximum=600)
    assert advance(at, Seen(now=START + timedelta(seconds=600))).phase is Phase.CREATING
    late = advance(at, Seen(now=START + timedelta(seconds=601)))
    assert late.phase is Phase.ROLLING_BACK
    assert "600 seconds" in str(late.reason)


def with_maximum(seconds: int) -> dict[str, Any]:
    config = blue_green("ALL_AT_ONCE", wait=0, bake=700)
    config["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = seconds
    return config


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({**blue_green("ALL_AT_ONCE"), **ROLLING}, "Only one of"),
        (blue_green("CANARY", percent(51)), "between 1% and 50%"),
        (blue_green("CANARY", {"Type": "INSTANCE_COUNT", "Value": 3}), "less than or equal to 50%"),
        (blue_green("CANARY"), "CanarySize is required"),
        (blue_green("ALL_AT_ONCE") | {}, None),
        (blue_green("LINEAR", percent(9)), "between 10% and 50%"),
        (blue_green("LINEAR", percent(51)), "between 10% and 50%"),
        (blue_green("CANARY", percent(10), wait=3601), "between 0 and 3600"),
        (blue_green("CANARY", percent(10), bake=3601), "between 0 and 3600"),
        (with_maximum(599), "between 600 and 28800"),
        (with_maximum(28801), "between 600 and 28800"),
        (with_maximum(700), "larger than the total waiting time"),
        (with_maximum(28800), None),
        (
            {"RollingUpdatePolicy": {"MaximumBatchSize": percent(4), "WaitIntervalInSeconds": 0}},
            "between 5% and 50%",
        ),
        ({"RollingUpdatePolicy": {"MaximumBatchSize": percent(5)}}, "WaitIntervalInSeconds"),
        ({"AutoRollbackConfiguration": {"Alarms": []}}, "between 1 and 10"),
        (
            {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": str(i)} for i in range(11)]}},
            "between 1 and 10",
        ),
        ({"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "a"}] * 2}}, "twice"),
    ],
)
def test_what_is_refused(config: dict[str, Any], message: str | None) -> None:
    if message is None:
        policy.check(config, {"AllTraffic": 4})
    else:
        with pytest.raises(policy.Refused, match=message):
            policy.check(config, {"AllTraffic": 4})


def test_rolling_takes_one_variant() -> None:
    with pytest.raises(policy.Refused, match="multiple production variants"):
        policy.check(ROLLING, {"A": 4, "B": 4})
