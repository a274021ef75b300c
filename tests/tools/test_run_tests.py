"""What `make test` runs the tests with, on tests of a few lines."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.paths import ROOT
from tests.emulator.tiny_image import until

FILE = ROOT / "tools" / "run_tests.py"
MAIN = """
import importlib.util, sys
from pathlib import Path

spec = importlib.util.spec_from_file_location("run_tests", sys.argv[1])
runner = sys.modules["run_tests"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(runner)
folder = Path(sys.argv[2])


def part(name):
    return runner.Part(f"the {name}", ("-p", "no:cacheprovider", f"--rootdir={folder}", str(folder / f"{name}.py")))


lanes = {"one": [part("good"), part("other")], "two": [part("slow")]}
sys.exit(runner.main(sys.argv[3:], lanes, folder / "logs"))
"""
GOOD = "def test_it():\n    pass\n"
BAD = "def test_it():\n    assert 1 + 1 == 3\n"
SLOW = """
import os, subprocess, time
from pathlib import Path
import pytest

HERE = Path(__file__).parent


@pytest.fixture
def child():
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    (HERE / "child").write_text(str(process.pid))
    yield
    process.kill()
    process.wait()
    (HERE / "over").touch()


def test_it(child):
    while not (HERE / "gate").exists():
        time.sleep(0.05)
"""


def start(folder: Path, *arguments: str, other: str = GOOD) -> "subprocess.Popen[str]":
    for name, source in {"good": GOOD, "other": other, "slow": SLOW}.items():
        (folder / f"{name}.py").write_text(source)
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, str(FILE), str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_lanes_run_beside_each_other_and_the_last_lines_say_how_each_part_ended(tmp_path: Path) -> None:
    running = start(tmp_path)
    # The slow one ends after both of the other lane, which it would not, were it waited for or begun later.
    until((tmp_path / "child").exists)
    told = read_until(running, "== the other: passed")
    (tmp_path / "gate").touch()
    said, _ = running.communicate(timeout=180)
    assert running.returncode == 0, told + said
    last = said.strip().splitlines()[-6:]
    assert [line.partition(" in ")[0] for line in last] == [
        *("1 passed", "== the good: passed"),
        *("1 passed", "== the other: passed"),
        *("1 passed", "== the slow: passed"),
    ]


def test_a_failing_part_is_told_at_once_with_all_it_said_and_fails_the_run(tmp_path: Path) -> None:
    running = start(tmp_path, other=BAD)
    told = read_until(running, "== the other: FAILED after")
    assert "assert (1 + 1) == 3" in told
    assert not (tmp_path / "over").exists(), "it was told only when all had ended"
    (tmp_path / "gate").touch()
    said, _ = running.communicate(timeout=180)
    assert running.returncode == 1
    assert "== the slow: passed in" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_ends_what_runs_and_tests_end_what_they_started(tmp_path: Path, number: int) -> None:
    running = start(tmp_path, "two")
    until((tmp_path / "child").exists)
    child = int(until((tmp_path / "child").read_text))
    running.send_signal(number)
    said, _ = running.communicate(timeout=180)
    assert running.returncode == 130
    assert said.strip().endswith("interrupted")
    assert (tmp_path / "over").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_an_unknown_part_is_named_with_those_there_are(tmp_path: Path) -> None:
    running = start(tmp_path, "three")
    said, _ = running.communicate(timeout=180)
    assert running.returncode == 2
    assert said.strip() == "There is no part three; there are one, two."
    assert not (tmp_path / "logs").exists()


def test_every_test_is_in_one_part() -> None:
    """A folder that is left out of one part is in another."""
    spec = importlib.util.spec_from_file_location("run_tests_of_make", FILE)
    assert spec is not None and spec.loader is not None
    runner = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    arguments = [text for parts in runner.LANES.values() for part in parts for text in part.arguments]
    assert "tests" in arguments
    left_out = {text.removeprefix("--ignore=") for text in arguments if text.startswith("--ignore=")}
    assert left_out == {text for text in arguments if text.startswith("tests/")}
    assert all((ROOT / folder).is_dir() for folder in left_out)


def read_until(running: "subprocess.Popen[str]", text: str) -> str:
    """What it says, up to the line with the text."""
    assert running.stdout is not None
    told = ""
    while text not in told:
        line = running.stdout.readline()
        assert line, told
        told += line
    return told
