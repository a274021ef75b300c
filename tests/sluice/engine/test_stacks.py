"""Runs of a real program with the real engine, killed where it hurts."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sluice.engine import environment, processes, runs, stacks
from sluice.engine.programs import Program
from sluice.errors import SluiceError
from tests.emulator.tiny_image import until

RUN = """
import sys
from pathlib import Path
from sluice.engine import stacks
from sluice.engine.programs import Program
print(stacks.up(Program("slow", Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "local")))
"""


def journal() -> list[str]:
    file = Path(os.environ["SLOW_JOURNAL"])
    return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """While this file is missing, nothing is made."""
    file = tmp_path / "gate"
    monkeypatch.setenv("SLOW_GATE", str(file))
    return file


def state(local: Path) -> dict:
    return json.loads((local / "state/.pulumi/stacks/sluice-slow/local.json").read_text())["checkpoint"][
        "latest"
    ]


def test_up_changes_nothing_the_second_time(program: Program) -> None:
    first = stacks.up(program)
    assert first.changes["create"] == 4  # the stack, the group, two things
    assert first.changed
    assert runs.read("sluice-slow-local") is None

    second = stacks.up(program)
    assert second.changes == {"same": 4}
    assert not second.changed
    assert journal().count("made thing0") == 1
    assert "pulumi" in first.log.read_text()


def test_preview_refresh_and_destroy(
    program: Program, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert not stacks.exists(program)
    stacks.up(program)
    assert stacks.exists(program)
    monkeypatch.setenv("SLOW_SIZE", "2")
    assert stacks.preview(program).changes == {"update": 2, "same": 2}
    assert "updated thing0" not in journal()
    stacks.refresh(program, expect_no_changes=True)
    monkeypatch.setenv("SLOW_WARN", "this field goes away")
    assert stacks.up(program).changes == {"update": 2, "same": 2}
    assert "warning: this field goes away" in capfd.readouterr().err
    assert stacks.destroy(program).changes == {"delete": 4}
    assert "deleted thing1" in journal()


def test_failure_says_what_the_provider_said(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLOW_FAIL", "the thing fell over because alarm x rang")
    with pytest.raises(SluiceError) as caught:
        stacks.up(program)
    assert "alarm x rang" in str(caught.value)
    assert "Thing thing0" in str(caught.value)
    assert "ended with code" in str(caught.value)
    assert runs.read("sluice-slow-local") is None


def test_failure_of_the_program_says_where(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLOW_RAISE", "no such network")
    with pytest.raises(SluiceError, match="no such network"):
        stacks.up(program)


@pytest.mark.parametrize("also_engine", [False, True], ids=["sluice", "sluice and engine"])
def test_killed_run_is_recovered(program: Program, local: Path, gate: Path, also_engine: bool) -> None:
    killed = subprocess.Popen([sys.executable, "-c", RUN, str(program.folder)], stderr=subprocess.DEVNULL)
    until(lambda: "begin thing0" in journal() and "begin thing1" in journal())
    run = runs.read("sluice-slow-local")
    assert run is not None and run.leader is not None
    killed.kill()
    killed.wait()
    if also_engine:
        os.kill(run.leader, signal.SIGKILL)
        until(lambda: processes.identity(run.leader or 0) is None)
    left = runs.alive(run)
    assert left, "the kill left nothing alive, so this test proves nothing"

    # Recovery tells the engine to stop; only then can it finish what is in flight.
    opening = threading.Timer(3, gate.touch)
    opening.start()
    result = stacks.up(program)
    opening.join()

    assert not [pid for pid in left if processes.identity(pid)]
    after = state(local)
    assert not after.get("pending_operations")
    assert len(after["resources"]) == 5  # the stack, the group, two things, their provider
    assert any("ended" in line for line in result.recovered)
    if also_engine:
        assert any("lock" in line for line in result.recovered)
        assert any("pending" in line for line in result.recovered)
    else:
        # The engine was let finish what was in flight: nothing is made twice.
        assert journal().count("made thing0") == 1
    assert stacks.up(program).changes == {"same": 4}


def test_lock_of_a_living_process_is_respected(program: Program, local: Path) -> None:
    stacks.up(program)
    folder = local / "state/.pulumi/locks/organization/sluice-slow/local"
    folder.mkdir(parents=True, exist_ok=True)
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        lock = folder / "11111111-1111-1111-1111-111111111111.json"
        taken = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
        host = os.uname().nodename
        lock.write_text(
            json.dumps({"pid": stranger.pid, "username": "x", "hostname": host, "timestamp": taken})
        )
        with pytest.raises(SluiceError, match=f"locked by process {stranger.pid}"):
            stacks.up(program)
        assert lock.exists()
    finally:
        stranger.kill()
        stranger.wait()
    result = stacks.up(program)
    assert "cancelled a dead process's lock" in result.recovered


def test_interrupted_run_ends_in_order(program: Program, local: Path, gate: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-c", RUN, str(program.folder)], stderr=subprocess.PIPE, text=True
    )
    until(lambda: "begin thing0" in journal())
    run = runs.read("sluice-slow-local")
    assert run is not None
    running.send_signal(signal.SIGTERM)
    threading.Timer(1, gate.touch).start()
    _, said = running.communicate(timeout=180)
    assert running.returncode != 0
    assert "in flight" in said
    assert not runs.alive(run)
    assert not state(local).get("pending_operations")


def test_two_at_once_on_one_stack_are_refused(program: Program, gate: Path) -> None:
    first = subprocess.Popen([sys.executable, "-c", RUN, str(program.folder)], stderr=subprocess.DEVNULL)
    until(lambda: "begin thing0" in journal())
    with pytest.raises(SluiceError, match="another `sluice` is at work"):
        stacks.up(program)
    gate.touch()
    assert first.wait(60) == 0


def test_another_workloads_stack_is_not_held_up(
    program: Program, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = subprocess.Popen(
        [sys.executable, "-c", RUN, str(program.folder), "local-weld"], stderr=subprocess.DEVNULL
    )
    until(lambda: "begin thing0" in journal())
    monkeypatch.delenv("SLOW_GATE")
    assert stacks.up(program).changes["create"] == 4
    assert first.poll() is None
    gate.touch()
    assert first.wait(60) == 0


def test_a_missing_program_is_named(local: Path, tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match="no Pulumi program"):
        stacks.up(Program("gone", tmp_path / "gone", "local"))
    assert not environment.state_folder().exists()
