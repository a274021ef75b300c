"""`sluice fault …` against a running emulator: its JSON is what others build on."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from sluice import cli, output, paths
from tests.emulator.endpoints.world import World
from tests.emulator.faults.running import Running

LABELS = ("labels", "flights", "--late", "60")
FAULTS = EntryPoint("faults", "emulator.faults.commands:register", cli.GROUP)
Command = Callable[..., tuple[int, Any]]


@pytest.fixture
def command(running: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`sluice --json fault …` in this process: its exit code and its answer."""
    monkeypatch.setattr("sluice.engine.environment.apply", lambda name=None: None)
    monkeypatch.setattr(cli, "points", lambda: [FAULTS])
    monkeypatch.setenv("SLUICE_LOCAL", str(running.emulator.local))
    monkeypatch.delenv("SLUICE_ENVIRONMENT", raising=False)

    def run(*arguments: str) -> tuple[int, Any]:
        capsys.readouterr()
        try:
            code = cli.run(["--json", "fault", *arguments])
        finally:
            output.use_json(False)
        return code, json.loads(capsys.readouterr().out)

    return run


def test_a_fault_is_injected_listed_and_ended(world: World, command: Command) -> None:
    world.endpoint("commanded", world.config("commanded-1"))
    code, fault = command("model", "commanded", "--fail", "0.5", "--seconds", "600")
    assert code == 0, fault
    assert fault["fault"] == "model-1" and fault["active"] and fault["ends"] is not None
    assert fault["what"] == {"endpoint": "commanded", "share": 1.0, "fail": 0.5}
    world.invoke("commanded")
    with pytest.raises(world.runtime.exceptions.ModelError):
        world.invoke("commanded")
    code, killed = command("instance", "commanded")
    assert (code, killed["fault"], killed["active"], len(killed["instances"])) == (0, "instance-1", False, 1)
    code, listed = command("list")
    assert code == 0
    assert [(each["fault"], each["seen"], each["struck"]) for each in listed["faults"]] == [("model-1", 2, 1)]
    code, listed = command("list", "--all")
    assert [each["fault"] for each in listed["faults"]] == ["model-1", "instance-1"]
    code, ended = command("end", "model-1")
    assert (code, ended["fault"], ended["active"]) == (0, "model-1", False)
    assert command("end", "model-1")[0] == 1
    world.invoke("commanded")
    world.invoke("commanded")
    world.delete("commanded")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("zone", "us-east-1b"), {"zone": "us-east-1b"}),
        (("events", "--duplicate"), {"duplicate": 1.0}),
        (("api", "--throttle", "0.2"), {"throttle": 0.2}),
        (
            ("api", "--lose", "1", "--service", "sagemaker", "--action", "UpdateEndpoint"),
            {"lose": 1.0, "service": "sagemaker", "action": "UpdateEndpoint"},
        ),
        (LABELS, {"workload": "flights", "late": 60.0}),
        (("labels", "flights", "--missing", "0.3"), {"workload": "flights", "missing": 0.3}),
    ],
)
def test_each_command_says_what_it_did(command: Command, arguments: tuple[str, ...], what: object) -> None:
    code, fault = command(*arguments)
    assert (code, fault["what"], fault["kind"]) == (0, what, arguments[0])
    code, ended = command("end", "--all")
    assert (code, ended) == (0, {"ended": [fault["fault"]]})


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("instance", "no"), "there is no endpoint 'no'"),
        (("function", "no"), "there is no function 'no'"),
        (("labels", "no", "--late", "60"), "there is no workload 'no'"),
        (("api", "--throttle", "1.5"), "a share lies above 0 and is at most 1, not 1.5"),
        (("events",), "say what happens to events"),
        (("end",), "say which fault is to end"),
        (("end", "zone-99"), "there is no fault 'zone-99'"),
    ],
)
def test_what_is_wrong_is_said(command: Command, arguments: tuple[str, ...], problem: str) -> None:
    code, answer = command(*arguments)
    assert code == 1
    assert problem in answer["error"]
    assert command("list") == (0, {"faults": []})


def test_it_is_for_this_machine_alone(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_ENVIRONMENT", "prod-us-east-1")
    code, answer = command(*LABELS)
    assert code == 1
    assert answer["error"] == "faults are injected into the emulator, and the environment is prod-us-east-1"
    monkeypatch.delenv("SLUICE_ENVIRONMENT")
    assert command("list") == (0, {"faults": []})


def test_without_an_emulator_it_says_so(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path))
    answer = {"error": "no emulator answers", "way_out": "`sluice emulator start` starts one."}
    assert command("list") == (1, answer)


def test_people_read_it(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("zone", "us-east-1b", "--seconds", "600")[0] == 0
    assert cli.run(["fault", "list"]) == 0
    assert "zone-" in (shown := capsys.readouterr().out) and "us-east-1b" in shown
    assert cli.run(["fault", "end", "--all"]) == 0
    assert capsys.readouterr().out.startswith("ended zone-")


def test_the_command_is_installed(running: Running) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sluice.cli", "--json", "fault", "events", "--duplicate"],
        cwd=paths.ROOT,
        env={**os.environ, "SLUICE_LOCAL": str(running.emulator.local), "SLUICE_ENVIRONMENT": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kind"] == "events"


def test_the_command_imports_no_part_of_the_emulator_s_aws() -> None:
    script = (
        "import sys, emulator.faults.commands;"
        "print(*sorted({'moto', 'werkzeug', 'aiohttp', 'boto3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=paths.ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "")
