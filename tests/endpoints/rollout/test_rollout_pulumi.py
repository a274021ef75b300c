"""The plugin under the real engine, with the emulator as AWS."""

import contextlib
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sluice import paths
from sluice.engine import cli, environment
from tests.emulator.conftest import Emulator, emulator
from tests.emulator.endpoints.world import World
from tests.endpoints.rollout.samples import ALARMS

__all__ = ["emulator"]
HERE = Path(__file__).parent


@dataclass
class Engine:
    """`pulumi` on the program of this folder."""

    program: Path
    variables: dict[str, str]

    def __call__(self, *arguments: str, **wanted: Any) -> "subprocess.CompletedProcess[str]":
        told = {"alarms": list(ALARMS), "model": "good", "stage": "live", "release": "r1", **wanted}
        return subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color", "never"],
            cwd=self.program,
            env={**self.variables, "WANTED": json.dumps(told)},
            capture_output=True,
            text=True,
            timeout=180,
        )

    def up(self, **wanted: Any) -> str:
        done = self("up", "--yes", "--skip-preview", **wanted)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("stack", "output", "--json").stdout)
        return found


@pytest.fixture
def engine(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    if cli.find() is None and shutil.which("go") is None:
        pytest.skip("neither a Pulumi CLI nor Go is installed")
    program = tmp_path / "program"
    shutil.copytree(HERE / "program", program)
    plugin = paths.ROOT / "endpoints" / "rollout"
    (program / "Pulumi.yaml").write_text(
        f"name: rollout\nruntime: python\nplugins:\n  providers:\n    - name: mlops\n      path: {plugin}\n"
    )
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path / "local"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint_url)
    (tmp_path / "local" / "state").mkdir(parents=True)
    variables = environment.complete("local", cli=cli.ensure().path)
    made = Engine(program, variables)
    done = made("stack", "init", "local")
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def test_a_release_and_its_refusal(engine: Engine, emulator: Emulator, tmp_path: Path) -> None:
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
    preview = engine("preview")
    assert preview.returncode == 0, preview.stdout + preview.stderr
    engine.up()
    first = engine.outputs()
    assert first["status"] == "InService" and first["arn"].endswith("endpoint/e")
    same = engine("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert same.returncode == 0, same.stdout + same.stderr

    engine.up(shadow="better", stage="shadow", release="r2")
    engine.up(model="better", stage="canary", release="r3")
    promoted = engine.outputs()
    assert promoted["config"] != first["config"] and promoted["previous"] != first["config"]
    refresh = engine(
        "preview", "--refresh", "--expect-no-changes", model="better", stage="canary", release="r3"
    )
    assert refresh.returncode == 0, refresh.stdout + refresh.stderr

    # The operator aborts the canary: SageMaker goes back, and `pulumi up` says so.
    bad = {"model": "bad", "stage": "canary", "release": "r4"}
    with aborting(world):
        failed = engine("up", "--yes", "--skip-preview", **bad)
    assert failed.returncode != 0
    assert f"rolled back to {promoted['config']}" in failed.stdout and ALARMS[0] in failed.stdout
    assert "Traceback" not in failed.stdout + failed.stderr
    assert world.describe("e")["EndpointConfigName"] == promoted["config"]
    for command in (["preview"], ["up", "--yes"]):
        again = engine(*command, **bad)
        assert again.returncode != 0 and "is not tried again" in again.stdout + again.stderr
    back = engine("preview", "--refresh", "--expect-no-changes", model="better", stage="canary", release="r3")
    assert back.returncode == 0, back.stdout + back.stderr

    destroyed = engine("destroy", "--yes", "--skip-preview")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert not world.sagemaker.list_endpoints()["Endpoints"]
    assert not world.sagemaker.list_endpoint_configs()["EndpointConfigs"]


@contextlib.contextmanager
def aborting(world: World) -> Iterator[None]:
    """Set the alarm as soon as an update is under way."""
    stop = threading.Event()
    cloudwatch = world.emulator.client("cloudwatch")

    def watch() -> None:
        while not stop.wait(0.2):
            if world.describe("e")["EndpointStatus"] == "Updating":
                cloudwatch.set_alarm_state(AlarmName=ALARMS[0], StateValue="ALARM", StateReason="operator")

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
