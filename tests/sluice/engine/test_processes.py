"""Processes that outlive the command that started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from sluice.engine import processes, runs
from sluice.engine.runs import Run

NEST = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], process_group=0)
print("ready", flush=True)
time.sleep(60)
"""
"""A leader with a child in a process group of its own, as Pulumi starts its plugins."""


def begin(mark: str) -> tuple[subprocess.Popen[str], Run]:
    process = subprocess.Popen(
        [sys.executable, "-c", NEST],
        env={**os.environ, processes.MARK: mark},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    who = processes.identity(process.pid)
    assert who is not None
    return process, Run(mark=mark, command=("x",), log="", leader=process.pid, started=who.started)


def test_an_identity_is_of_one_process() -> None:
    child = subprocess.Popen(["sleep", "60"])
    who = processes.identity(child.pid)
    assert who is not None
    assert processes.is_alive(who)
    assert not processes.is_alive(processes.Identity(who.pid, "another start"))
    child.kill()
    assert processes.wait([who], 10)
    assert processes.identity(child.pid) is None  # ended, though not collected yet
    child.wait()


def test_the_start_of_a_process_is_told_in_wall_time() -> None:
    child = subprocess.Popen(["sleep", "60"])
    started = processes.started_at(child.pid)
    child.kill()
    child.wait()
    assert started is not None
    assert abs(started - time.time()) < 5


def test_a_run_is_found_and_ended_after_its_leader_was_killed() -> None:
    process, run = begin("test-killed")
    process.kill()
    process.wait()
    left = runs.alive(run)
    assert len(left) == 1
    assert runs.leader(run) is None
    assert runs.end(run, patience=1) == 1
    assert runs.alive(run) == []


def test_a_run_whose_leader_was_never_noted_is_found_by_its_mark() -> None:
    process, run = begin("test-unnoted")
    unnoted = run.model_copy(update={"leader": None, "started": ""})
    assert process.pid in runs.alive(unnoted)
    assert runs.end(unnoted, patience=1) == 2
    process.wait()


def test_a_number_given_away_again_is_not_ended() -> None:
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    run = Run(mark="test-old", command=("x",), log="", leader=stranger.pid, started="long ago")
    assert runs.alive(run) == []
    assert runs.end(run, patience=0) == 0
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_what_does_not_listen_is_killed() -> None:
    code = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    deaf = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert deaf.stdout is not None
    deaf.stdout.readline()
    processes.end([deaf.pid], patience=0.2)
    assert deaf.wait(10) == -signal.SIGKILL


def test_records_are_kept_and_forgotten(local: Path) -> None:
    run = Run(mark="m", command=("pulumi", "up"), log="x.log", leader=1, started="s")
    runs.write("sluice-a-local", run)
    assert runs.read("sluice-a-local") == run
    assert runs.names() == ["sluice-a-local"]
    runs.forget("sluice-a-local")
    assert runs.read("sluice-a-local") is None
    runs.record_file("broken").parent.mkdir(parents=True, exist_ok=True)
    runs.record_file("broken").write_text("{")
    assert runs.read("broken") is None
