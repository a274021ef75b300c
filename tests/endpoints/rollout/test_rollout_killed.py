"""The real engine with everything that it started, killed in the middle of an update."""

import contextlib
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator import tiny_image
from tests.emulator.conftest import Emulator, emulator
from tests.emulator.endpoints.world import World
from tests.emulator.faults.running import Running
from tests.endpoints.rollout.samples import ALARMS
from tests.endpoints.rollout.test_rollout_pulumi import Engine, engine

__all__ = ["emulator", "engine"]


UP = ("up", "--yes", "--skip-preview")


def kill_while(
    engine: Engine,
    world: World,
    status: str,
    command: Sequence[str] = UP,
    meanwhile: Callable[[], None] = lambda: None,
    **wanted: Any,
) -> None:
    """Begin a run, and kill the engine's whole session as soon as the endpoint is in a status, which `meanwhile` may
    bring about."""
    told = {"alarms": list(ALARMS), "model": "good", "stage": "live", "release": "r1", **wanted}
    process = subprocess.Popen(
        ["pulumi", *command, "--non-interactive"],
        cwd=engine.program,
        env={**engine.variables, "WANTED": json.dumps(told)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        meanwhile()
        tiny_image.until(lambda: status_of(world) == status)
    finally:
        for pid in [process.pid, *_session(process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
    done = engine("cancel", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr


def _session(leader: int) -> list[int]:
    """The other processes of a session: plugins put themselves into groups of their own."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != leader:
            try:
                # The name, in brackets, may hold anything; the session is the fourth field after it.
                session = (folder / "stat").read_text().rpartition(")")[2].split()[3]
            except OSError:
                continue
            if int(session) == leader:
                found.append(int(folder.name))
    return found


def status_of(world: World) -> str | None:
    try:
        return str(world.describe("e")["EndpointStatus"])
    except ClientError:
        return None


@pytest.fixture
def world(emulator: Emulator, tmp_path: Path) -> Iterator[World]:
    """Models and alarms, and no endpoint yet."""
    world = World(emulator, tmp_path / "image")
    cloudwatch = emulator.client("cloudwatch")
    for way in ("good", "better", "bad"):
        world.model(way)
    for alarm in ALARMS:
        cloudwatch.put_metric_alarm(
            AlarmName=alarm,
            Namespace="Sluice/Release",
            MetricName="Abort",
            Statistic="Sum",
            Period=10,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="notBreaching",
        )
    yield world
    world.set(provisioning_delay_seconds=0.2)
    if status_of(world) is not None:
        world.delete("e")
    for name in _configs(world):
        world.sagemaker.delete_endpoint_config(EndpointConfigName=name)


def test_killed_it_goes_on_or_refuses(engine: Engine, world: World) -> None:
    cloudwatch = world.emulator.client("cloudwatch")
    engine.up()
    better = {"model": "better", "stage": "canary", "release": "r2"}
    kill_while(engine, world, "Updating", **better)
    # SageMaker does not know of it and goes on; the next run joins what is under way, or finds it done.
    engine.up(**better)
    assert world.invoke("e")["About"]["way"] == "better"
    assert world.settled("e")["EndpointStatus"] == "InService"
    live = world.describe("e")["EndpointConfigName"]
    updates = [name for name in _configs(world) if name != live]
    assert len(updates) == 1  # the first one: no config was made twice

    # Killed again; nobody watches while an alarm turns the canary back.
    bad = {"model": "bad", "stage": "canary", "release": "r3"}
    kill_while(engine, world, "Updating", **bad)
    cloudwatch.set_alarm_state(AlarmName=ALARMS[0], StateValue="ALARM", StateReason="errors")
    assert world.settled("e")["EndpointConfigName"] == live
    cloudwatch.set_alarm_state(AlarmName=ALARMS[0], StateValue="OK", StateReason="over")
    before = world.describe("e")["LastModifiedTime"]
    again = engine("up", "--yes", "--skip-preview", **bad)
    said = again.stdout + again.stderr
    assert (
        again.returncode != 0 and "an earlier rollout of this release, interrupted here, ended back" in said
    )
    assert world.describe("e")["LastModifiedTime"] == before

    # The release file goes back to what is live, and nothing is left to do.
    engine.up(**better)
    same = engine("preview", "--refresh", "--expect-no-changes", **better)
    assert same.returncode == 0, same.stdout + same.stderr
    assert world.describe("e")["LastModifiedTime"] == before


def test_killed_while_it_creates_turns_back_or_deletes(engine: Engine, world: World) -> None:
    running, alarms = Running(world.emulator), world.emulator.client("cloudwatch")
    world.set(provisioning_delay_seconds=4.0)
    kill_while(engine, world, "Creating")
    world.set(provisioning_delay_seconds=0.2)
    engine.up()
    live = world.describe("e")["EndpointConfigName"]
    assert status_of(world) == "InService" and _configs(world) == [live]

    # Requests in flight hold a fleet that has to go, so that each status lasts until they are answered.
    with ThreadPoolExecutor(24) as pool:
        asked: list[Future[Any]] = []

        def hold() -> None:
            fault = running.inject("model", endpoint="e", slow=8000)
            asked.extend(pool.submit(world.invoke, "e") for _ in range(24))
            tiny_image.until(lambda: running.seen(fault) == 24)

        def turn_back() -> None:
            tiny_image.until(lambda: status_of(world) == "Updating")
            tiny_image.until(lambda: world.invoke("e")["About"]["way"] == "bad")
            hold()
            alarms.set_alarm_state(AlarmName=ALARMS[0], StateValue="ALARM", StateReason="errors")

        bad = {"model": "bad", "stage": "canary", "release": "r2"}
        kill_while(engine, world, "RollingBack", meanwhile=turn_back, **bad)
        assert world.settled("e")["EndpointConfigName"] == live
        # SageMaker lets a fleet finish what it began.
        assert Counter(each.result()["About"]["way"] for each in asked).keys() == {"good", "bad"}
        alarms.set_alarm_state(AlarmName=ALARMS[0], StateValue="OK", StateReason="over")
        running.end_all()
        again = engine(*UP, **bad)
        said = again.stdout + again.stderr
        assert again.returncode != 0 and "interrupted here, ended back" in said
        engine.up()
        same = engine("preview", "--refresh", "--expect-no-changes")
        assert same.returncode == 0, same.stdout + same.stderr
        assert world.describe("e")["EndpointConfigName"] == live

        asked.clear()
        hold()
        kill_while(engine, world, "Deleting", command=("destroy", "--yes", "--skip-preview"))
        assert {each.result()["About"]["way"] for each in asked} == {"good"}
    running.end_all()
    tiny_image.until(lambda: status_of(world) is None)
    done = engine("destroy", "--yes", "--skip-preview")
    assert done.returncode == 0, done.stdout + done.stderr
    assert _configs(world) == []


def _configs(world: World) -> list[str]:
    return [each["EndpointConfigName"] for each in world.sagemaker.list_endpoint_configs()["EndpointConfigs"]]
