"""The runner with a clock, a launcher and a data plane that the test holds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator.sagemaker.endpoints import policy
from emulator.sagemaker.endpoints.endpoint import Endpoint
from emulator.sagemaker.endpoints.fleet import Fleet
from emulator.sagemaker.endpoints.instance import Instance, State
from emulator.sagemaker.endpoints.machine import begin
from emulator.sagemaker.endpoints.runner import Runner
from emulator.settings import Settings
from sluice.clock import ManualClock

START = datetime(2026, 1, 1, tzinfo=UTC)


class Machines:
    """A launcher whose instances come into service when their machine is there."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.started: list[Instance] = []
        self.stopping: list[Instance] = []
        self.broken: set[str] = set()

    def start(self, instance: Instance) -> None:
        self.started.append(instance)

    def stop(self, instance: Instance) -> None:
        self.stopping.append(instance)

    def pass_on(self) -> None:
        for instance in self.started:
            if instance.ready_at <= self._clock.now():
                bad = instance.config in self.broken
                instance.reason = "did not pass the ping health check" if bad else None
                instance.started(State.FAILED if bad else State.IN_SERVICE)
        for instance in self.stopping:
            instance.state = State.GONE
        self.stopping = []


class Plane:
    """A data plane that remembers; an instance that is stopped must be out of its table."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Any]] = {}
        self.flushed: list[str] = []

    def route(self, table: dict[str, Any]) -> None:
        self.tables[table["name"]] = table

    def remove(self, endpoint: str) -> None:
        self.tables.pop(endpoint, None)

    def drain(self, instances: list[str], timeout: float) -> int:
        return 0

    def flush(self, endpoint: str) -> None:
        self.flushed.append(endpoint)

    def serving(self, config: str, kind: str = "production") -> list[str]:
        fleets = self.tables.get("e", {"fleets": []})["fleets"]
        return [
            i["id"] for f in fleets if f["config"] == config and f["kind"] == kind for i in f["instances"]
        ]


def variant(name: str, count: int) -> dict[str, Any]:
    return {
        "VariantName": name,
        "ModelName": "m",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": count,
        "InitialVariantWeight": 1.0,
    }


class Case:
    """One endpoint and everything around it."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.machines = Machines(self.clock)
        self.plane = Plane()
        self.settings = Settings({"provisioning_delay_seconds": 10.0})
        self.alarms: dict[str, str] = {"high": "OK"}
        self.events: list[str] = []
        self.closed: set[str] = set()
        self.runner = Runner(
            clock=self.clock,
            settings=self.settings,
            launcher=self.machines,
            plane=self.plane,
            alarm_state=self.alarms.get,
            closed_zones=lambda _: self.closed,
            changed=lambda endpoint: self.events.append(endpoint.status),
            deleted=lambda endpoint: self.events.append("gone"),
        )
        self.endpoint = Endpoint("e", "arn:e", {}, START, START)
        self.runner.endpoints["e"] = self.endpoint
        self.deploy("one", 4, {})
        self.until(lambda: self.endpoint.status == "InService")

    def deploy(self, name: str, count: int, config: dict[str, Any], shadow: int = 0) -> None:
        endpoint, variants = self.endpoint, [variant("AllTraffic", count)]
        shadows = [variant("Shadow", shadow)] if shadow else []
        endpoint.pending = {
            "EndpointConfigName": name,
            "ProductionVariants": variants,
            "ShadowProductionVariants": shadows,
        }
        if not endpoint.blue:
            endpoint.config = endpoint.pending
        endpoint.green = [Fleet("e", name, v, "production", 1.0) for v in variants]
        endpoint.green += [Fleet("e", name, v, "shadow", 1.0) for v in shadows]
        endpoint.green_counts = {"AllTraffic": count} | ({"Shadow": shadow} if shadow else {})
        endpoint.deployment_config = config
        before = {"AllTraffic": endpoint.counts["AllTraffic"]} if endpoint.blue else {}
        steps = policy.plan(config, before, {"AllTraffic": count})
        endpoint.deployment = begin(steps, before, self.clock.now(), 3600)
        endpoint.status = "Updating" if endpoint.blue else "Creating"

    def tick(self) -> None:
        self.runner.tick(self.endpoint)
        routed = {i for config in ("one", "two") for i in self.plane.serving(config)}
        assert not routed & {instance.id for instance in self.machines.stopping}
        if self.endpoint.status not in ("Creating", "Deleting"):
            assert routed
        self.machines.pass_on()
        self.clock.sleep(1)

    def until(self, check: Callable[[], bool], ticks: int = 300) -> None:
        for _ in range(ticks):
            if check():
                return
            self.tick()
        raise AssertionError(f"{self.endpoint.status} {self.endpoint.deployment}")


CANARY = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "WaitIntervalInSeconds": 30,
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 25},
        },
        "TerminationWaitInSeconds": 20,
    },
    "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "high"}]},
}
ROLLING = {
    "RollingUpdatePolicy": {
        "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 50},
        "WaitIntervalInSeconds": 5,
    }
}


def test_instances_spread_over_the_zones_and_the_dead_are_replaced() -> None:
    case = Case()
    zones = [instance.zone[-1] for instance in case.machines.started]
    assert sorted(zones) == ["a", "a", "b", "c"]
    dead = case.machines.started[1]
    dead.state = State.DEAD
    case.tick()
    assert dead.id not in case.plane.serving("one")
    began = case.clock.now()
    case.until(lambda: len(case.plane.serving("one")) == 4)
    assert case.clock.now() - began >= timedelta(seconds=8)
    assert case.machines.started[-1].zone == dead.zone


def test_a_closed_zone_gets_no_instance_while_another_is_left() -> None:
    case = Case()
    case.closed = {"us-east-1a"}
    for dead in case.machines.started[:3]:
        dead.died()
    case.tick()
    assert sorted(instance.zone[-1] for instance in case.machines.started[4:]) == ["b", "b", "c"]
    case.closed = {"us-east-1a", "us-east-1b", "us-east-1c"}
    case.machines.started[4].died()
    case.tick()
    # It is asked for, and its launcher says that there is no capacity.
    assert len(case.machines.started) == 8


def test_an_instance_that_dies_as_it_starts_turns_no_deployment_back() -> None:
    case = Case()
    case.deploy("two", 4, {})
    case.tick()
    case.machines.started[-1].died()
    case.until(lambda: case.endpoint.status == "InService")
    assert case.endpoint.config["EndpointConfigName"] == "two"
    assert case.endpoint.failure is None


def test_a_canary_goes_through_its_two_steps() -> None:
    case = Case()
    case.deploy("two", 4, CANARY, shadow=1)
    case.until(lambda: len(case.plane.serving("two")) == 1)
    assert len(case.plane.serving("one")) == 4
    assert case.plane.serving("two", "shadow") == []
    at_canary = case.clock.now()
    case.until(lambda: len(case.plane.serving("two")) == 4)
    assert case.plane.serving("one") == []
    assert len(case.plane.serving("two", "shadow")) == 1
    assert case.clock.now() - at_canary >= timedelta(seconds=30)
    assert len(case.endpoint.blue[0].instances) == 4
    at_all = case.clock.now()
    case.until(lambda: case.endpoint.status == "InService")
    assert case.clock.now() - at_all >= timedelta(seconds=20)
    assert case.endpoint.config["EndpointConfigName"] == "two"
    assert case.plane.flushed[-1] == "e"


@pytest.mark.parametrize("after", [0, 5, 20, 45, 60])
def test_an_alarm_turns_back_at_any_moment(after: int) -> None:
    case = Case()
    old = set(case.plane.serving("one"))
    case.deploy("two", 4, CANARY)
    for _ in range(after):
        case.tick()
    assert case.endpoint.status == "Updating"
    case.alarms["high"] = "ALARM"
    case.tick()
    assert case.endpoint.status == "RollingBack"
    assert set(case.plane.serving("one")) == old
    assert case.plane.serving("two") == []
    case.until(lambda: case.endpoint.status == "InService")
    assert "high" in str(case.endpoint.failure)
    assert case.endpoint.config["EndpointConfigName"] == "one"
    assert case.events[-2:] == ["RollingBack", "InService"]


def test_a_rolling_update_that_fails_gets_its_old_fleet_back() -> None:
    case = Case()
    case.deploy("two", 4, ROLLING | {"AutoRollbackConfiguration": CANARY["AutoRollbackConfiguration"]})
    case.until(lambda: case.endpoint.deployment is not None and case.endpoint.deployment.step == 1)
    case.alarms["high"] = "ALARM"
    case.until(lambda: case.endpoint.status == "InService")
    assert len(case.plane.serving("one")) == 4
    assert case.endpoint.config["EndpointConfigName"] == "one"


def test_a_fleet_that_does_not_start_is_turned_back() -> None:
    case = Case()
    case.machines.broken.add("two")
    case.deploy("two", 4, {})
    case.until(lambda: case.endpoint.status == "InService")
    assert case.endpoint.failure == "did not pass the ping health check"
    assert len(case.plane.serving("one")) == 4


def test_a_rollback_that_fails_says_so_and_keeps_the_bad_fleet_out() -> None:
    case = Case()
    case.settings.update({"faults": {"endpoints_without_rollback": ["e"]}})
    case.deploy("two", 4, CANARY)
    case.until(lambda: len(case.plane.serving("two")) == 1)
    case.alarms["high"] = "ALARM"
    case.until(lambda: case.endpoint.status == "UpdateRollbackFailed")
    for _ in range(20):
        case.tick()
    assert case.plane.serving("two") == []
    assert len(case.plane.serving("one")) == 4
    case.endpoint.status = "Deleting"
    case.until(lambda: "e" not in case.runner.endpoints)
    assert case.events[-1] == "gone"
