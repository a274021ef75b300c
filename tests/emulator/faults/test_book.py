"""Faults begin, end by themselves or on a word, and are remembered."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from emulator.faults import book
from emulator.faults.book import Faults
from emulator.faults.kinds import Api, Events, Fault, Function, Labels, Zone
from sluice.clock import ManualClock
from sluice.errors import SluiceError


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def faults(clock: ManualClock) -> Faults:
    return Faults(clock)


def test_a_fault_ends_when_its_time_is_over(faults: Faults, clock: ManualClock) -> None:
    faults.add(Zone(zone="us-east-1a", endpoint="e"), seconds=10)
    clock.sleep(9)
    assert faults.closed_zones("e") == {"us-east-1a"}
    assert faults.closed_zones("other") == frozenset()
    clock.sleep(1)
    assert faults.closed_zones("e") == frozenset()
    with pytest.raises(SluiceError, match="zone-1 has been over since 2026-01-01T00:00:10Z"):
        faults.end("zone-1")
    assert [fault.over(clock.now()) for fault in faults.every()] == [
        datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)
    ]


def test_one_is_ended_by_its_name_and_the_others_last(faults: Faults) -> None:
    first = faults.add(Zone(zone="us-east-1a"))
    second = faults.add(Zone(zone="us-east-1b"))
    assert (first.name, second.name) == ("zone-1", "zone-2")
    faults.end("zone-1")
    assert faults.closed_zones("any") == {"us-east-1b"}
    with pytest.raises(SluiceError, match="there is no fault 'zone-3'"):
        faults.end("zone-3")
    assert faults.end_all() == ["zone-2"]
    assert faults.active() == []
    # A name is never given again: what was noted of the first stays true.
    assert faults.add(Zone(zone="us-east-1a")).name == "zone-3"


def test_who_listens_hears_what_lasts(faults: Faults) -> None:
    heard: list[list[str]] = []

    def listen(active: Sequence[Fault]) -> None:
        heard.append([fault.name for fault in active])

    faults.on_change(listen)
    faults.add(Function(function="judge"))
    faults.add(Events())
    faults.end("function-1")
    faults.end_all()
    assert heard == [["function-1"], ["function-1", "events-1"], ["events-1"], []]


def test_calls_are_struck_by_service_and_action(faults: Faults) -> None:
    assert faults.call("sagemaker", lambda: "UpdateEndpoint") is None
    faults.add(Api(throttle=0.5, service="sagemaker", action="UpdateEndpoint"))
    assert faults.call("sagemaker", lambda: "DescribeEndpoint") is None
    assert faults.call("iam", lambda: "UpdateEndpoint") is None
    found = [faults.call("sagemaker", lambda: "UpdateEndpoint") is not None for _ in range(4)]
    assert found == [False, True, False, True]
    assert faults.counts() == {"api-1": (4, 2)}


def test_a_function_breaks_or_is_dropped(faults: Faults) -> None:
    faults.add(Function(function="judge"))
    assert (faults.breaks("judge"), faults.drops("judge"), faults.breaks("other")) == (True, False, False)
    faults.end_all()
    faults.add(Function(function="judge", drop=True))
    assert (faults.breaks("judge"), faults.drops("judge")) == (False, True)


def test_a_rule_s_targets_are_called_twice(faults: Faults) -> None:
    faults.add(Events(duplicate=0.5, rule="r"))
    assert [faults.twice("r") for _ in range(4)] == [False, True, False, True]
    assert not faults.twice("other")


def test_old_ones_that_are_over_are_forgotten(faults: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "KEPT", 2)
    faults.add(Labels(workload="w", late=1.0))
    for _ in range(3):
        faults.end(faults.add(Labels(workload="w", late=1.0)).name)
    faults.add(Labels(workload="w", late=1.0))
    assert [fault.name for fault in faults.every()] == ["labels-1", "labels-5"]
