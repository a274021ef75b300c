"""The emulator as a process: started, found, killed, ended."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice import ports
from sluice.engine import emulator, environment, processes, runs
from sluice.errors import SluiceError


@pytest.fixture
def port(local: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A free port for an emulator that is ended afterwards."""
    number = ports.free()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{number}")
    yield number
    emulator.stop()


def test_it_is_started_once_and_ended_with_all_it_started(port: int, local: Path) -> None:
    assert emulator.status() is None
    first = emulator.start()
    assert first.endpoint_url.endswith(f":{port}")
    assert emulator.start() == first
    assert (local / "bin" / "pulumi-resource-aws").exists()
    run = runs.read(emulator.NAME)
    assert run is not None
    living = runs.alive(run)
    assert first.pid in living
    assert emulator.stop() >= len(living)
    assert not [pid for pid in living if processes.identity(pid)]
    assert emulator.status() is None
    assert emulator.stop() == 0


def test_state_of_a_killed_emulator_is_cleared(
    port: int, local: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = emulator.start()
    stack = environment.state_folder() / ".pulumi" / "stacks" / "p" / "local.json"
    stack.parent.mkdir(parents=True)
    stack.write_text("{}")
    release = local / "releases" / "local" / "flights.yaml"
    release.parent.mkdir(parents=True)
    release.write_text("champion: null")
    log = local / "logs" / "kept.log"
    log.write_text("kept")
    assert emulator.start() == first
    assert stack.exists()

    killed = processes.identity(first.pid)
    assert killed is not None
    os.kill(first.pid, signal.SIGKILL)
    assert processes.wait([killed], 10)
    capsys.readouterr()
    second = emulator.start()
    assert second.boot_id != first.boot_id
    assert "starting over" in capsys.readouterr().err
    assert not stack.exists()
    assert not release.exists()
    assert log.exists()


@pytest.mark.parametrize(
    ("recorded", "has_state", "fresh"),
    [("a", True, False), ("b", True, True), (None, True, True), ("b", False, False), (None, False, False)],
)
def test_when_to_start_over(recorded: str | None, has_state: bool, fresh: bool) -> None:
    assert emulator.starts_over(recorded, "a", has_state) is fresh


def test_a_taken_port_is_named(port: int, local: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(SluiceError, match=str(port)):
            emulator.start()


def test_a_file_of_a_dead_emulator_is_no_emulator(local: Path) -> None:
    file = local / "emulator" / "emulator.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"endpoint_url": "http://127.0.0.1:9", "pid": 1, "boot_id": "x"}))
    assert emulator.status() is None
