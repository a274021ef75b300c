"""Whatever way the emulator ends, no process of it is left."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.emulator import tiny_image
from tests.emulator.conftest import Emulator, start_emulator, stop_emulator
from tests.emulator.endpoints.world import World


def children(root: Path) -> list[int]:
    """Every process that has the data folder in its command line or environment, the launcher too."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            about = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if os.fsencode(root) in about and state != "Z":
            found.append(int(entry.name))
    return found


def serving(tmp_path: Path) -> Emulator:
    running = start_emulator(tmp_path / "local")
    world = World(running, tmp_path / "image")
    world.endpoint("ending", world.config("ending-1"))
    world.invoke("ending")
    assert len(children(running.root)) >= 4
    return running


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc")
def test_sigterm_leaves_nothing(tmp_path: Path) -> None:
    running = serving(tmp_path)
    stop_emulator(running)
    assert running.process.returncode == 0
    assert not (running.root / "emulator.json").exists()
    tiny_image.until(lambda: not children(running.root))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc")
def test_kill_9_leaves_nothing(tmp_path: Path) -> None:
    running = serving(tmp_path)
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()
    tiny_image.until(lambda: not children(running.root))
    time.sleep(0.2)
    assert not children(running.root)
