"""Up and down as a whole: order, what stops it, what is ended."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from sluice import images, paths
from sluice.engine import cli, emulator, everything, outputs, processes, runs, stacks
from sluice.engine.programs import Program
from sluice.errors import SluiceError


@pytest.fixture
def machine(local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A checkout with two workloads, one with a tour; what is done to it, in order."""
    done: list[str] = []
    for name, text in {"flights": "name: flights\ntour: [train]\n", "weld": "name: weld\n"}.items():
        (tmp_path / "workloads" / name).mkdir(parents=True)
        (tmp_path / "workloads" / name / "workload.yaml").write_text(text)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(cli, "ensure", lambda: done.append("cli"))
    status = emulator.Status("http://127.0.0.1:1", 1, "b")
    monkeypatch.setattr(emulator, "start", lambda: (done.append("emulator"), status)[1])
    monkeypatch.setattr(emulator, "status", lambda: status)
    monkeypatch.setattr(emulator, "stop", lambda: (done.append("emulator stop"), 3)[1])

    def deploy(program: Program) -> stacks.Result:
        done.append(program.title)
        return stacks.Result(program, "up", {"create": 1}, 0.1, Path("log"))

    def destroy(program: Program) -> stacks.Result:
        done.append(f"destroy {program.title}")
        return stacks.Result(program, "destroy", {"delete": 1}, 0.1, Path("log"))

    monkeypatch.setattr(stacks, "up", deploy)
    monkeypatch.setattr(stacks, "destroy", destroy)
    monkeypatch.setattr(stacks, "exists", lambda program: program.title != "endpoints of weld")
    monkeypatch.setattr(outputs, "platform", lambda: SimpleNamespace(image_repository="code"))
    monkeypatch.setattr(
        images, "push", lambda name, repository: done.append(f"images of {name} to {repository}")
    )
    monkeypatch.setattr(everything, "find_spec", lambda name: object())
    walks = type(
        "tour", (), {"walk": staticmethod(lambda name: done.append(f"tour {name}") or {"live": "1.1"})}
    )
    monkeypatch.setattr(everything, "import_module", lambda name: walks)
    yield done
    os.environ.pop(processes.MARK, None)


def test_everything_comes_up_in_order(machine: list[str]) -> None:
    outcome = everything.up(None, None, tour=True)
    assert machine == [
        *("cli", "emulator", "account", "platform"),
        *("images of flights to code", "pipelines of flights", "endpoints of flights"),
        *("images of weld to code", "pipelines of weld", "endpoints of weld"),
        "tour flights",
    ]
    assert outcome.tours == {"flights": {"live": "1.1"}}
    assert runs.names() == []


def test_one_program_alone(machine: list[str]) -> None:
    everything.up("endpoints", "weld", tour=False)
    assert machine == ["cli", "emulator", "endpoints of weld"]


def test_nothing_goes_on_after_a_failure(machine: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(program: Program) -> stacks.Result:
        raise SluiceError("rolled back")

    monkeypatch.setattr(stacks, "up", fail)
    with pytest.raises(SluiceError, match="rolled back"):
        everything.up(None, None, tour=True)
    assert machine == ["cli", "emulator"]
    assert runs.names() == []


def test_an_environment_in_aws_gets_no_emulator_and_no_tour(
    machine: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_ENVIRONMENT", "prod")
    outcome = everything.up(None, "weld", tour=True)
    assert "emulator" not in machine
    assert not [line for line in machine if line.startswith("tour")]
    assert not [line for line in machine if line.startswith("images")]
    assert outcome.endpoint_url is None
    assert outcome.results[0].program.stack == "prod-us-east-1"


def test_what_a_killed_up_left_running_is_ended_first(machine: list[str]) -> None:
    mark = "up-killed"
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], env={**os.environ, processes.MARK: mark}
    )
    # Popen returns a moment before the kernel shows the environment of what it started.
    while processes.MARK not in (processes.environment_of(child.pid) or {}):
        time.sleep(0.01)
    runs.write("up", runs.Run(mark=mark, command=("sluice", "up"), log="", leader=2**22 + 1, started="gone"))
    everything.up(None, None, tour=False)
    assert child.wait(10) != 0


def test_down_takes_away_what_there_is_in_the_other_order(machine: list[str]) -> None:
    outcome = everything.down(destroy=True)
    assert machine == [
        "destroy pipelines of weld",
        *("destroy endpoints of flights", "destroy pipelines of flights"),
        *("destroy platform", "destroy account", "emulator stop"),
    ]
    assert outcome.ended == 3
    assert len(outcome.destroyed) == 5
