"""The real engine with everything that it started, killed in the middle of an update."""

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.emulator import tiny_image
from tests.emulator.conftest import Emulator, emulator
from tests.emulator.endpoints.world import World
from tests.endpoints.rollout.samples import ALARMS
from tests.endpoints.rollout.test_rollout_pulumi import Engine, engine

__all__ = ["emulator", "engine"]


def kill_while(engine: Engine, world: World, status: str, **wanted: Any) -> None:
    """Begin an update, and kill the engine's whole session as soon as the endpoint is in a status."""
    told = {"alarms": list(ALARMS), "model": "good", "stage": "live", "release": "r1", **wanted}
    process = subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive"],
        cwd=engine.program,
        env={**engine.variables, "WANTED": json.dumps(told)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        tiny_image.until(lambda: world.describe("e")["EndpointStatus"] == status, 60)
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


def test_killed_it_goes_on_or_refuses(engine: Engine, emulator: Emulator, tmp_path: Path) -> None:
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


def _configs(world: World) -> list[str]:
    return [each["EndpointConfigName"] for each in world.sagemaker.list_endpoint_configs()["EndpointConfigs"]]
