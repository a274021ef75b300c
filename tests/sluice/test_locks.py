"""Locks between processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from sluice.errors import SluiceError
from sluice.locks import exclusive, exclusive_or_refuse

HOLD = """
import sys, time
from pathlib import Path
from sluice.locks import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def held(tmp_path: Path):
    """A lock that another process holds."""
    lock = tmp_path / "deep" / "a.lock"
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield lock, process
    process.kill()
    process.wait()


def test_a_held_lock_is_refused_and_freed_by_sigkill(held) -> None:
    lock, process = held
    with pytest.raises(SluiceError, match="taken"), exclusive_or_refuse(lock, "it is taken", "Wait."):
        pytest.fail("two hold it")
    process.kill()
    process.wait()
    with exclusive_or_refuse(lock, "it is taken", "Wait."):
        pass


def test_who_waits_is_told_so_and_gets_it(held) -> None:
    lock, process = held
    told = []

    def waiting() -> None:
        told.append(True)
        process.kill()

    with exclusive(lock, waiting):
        assert told == [True]


def test_a_free_lock_is_had_without_a_word(tmp_path: Path) -> None:
    with exclusive(tmp_path / "a.lock", lambda: pytest.fail("it was free")):
        pass
    with exclusive(tmp_path / "a.lock", lambda: pytest.fail("it was given back")):
        pass
