"""Processes that outlive the command which started them: who they are, whether they live, how to end them.

A process id alone proves nothing, for it is given away again; here a process is its id and the moment it started.
Pulumi gives each plugin a process group of its own (sdk/v3/go/common/util/cmdutil/child_unix.go), so a group does
not hold a run together. A mark in the environment does, which every child inherits.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
MARK = "SLUICE_RUN"
"""Variable that marks every process of a run, so that an id that was given away again is not taken for ours."""


@dataclass(frozen=True)
class Identity:
    """One process, now and after its id has been given away."""

    pid: int
    started: str
    """The moment of its start as the system tells it, boot included; compared, never read."""


def identity(pid: int) -> Identity | None:
    """The process that has this id now, or None; one that has ended and was not collected yet is none."""
    started = _started(pid)
    return None if started is None else Identity(pid, started)


def is_alive(process: Identity) -> bool:
    """Whether it is this very process that runs under its id."""
    return identity(process.pid) == process


def started_at(pid: int) -> float | None:
    """When the process started, in seconds of `time.time()`, to a second or so; None if there is none."""
    stat = _stat(pid)
    if stat is not None:
        ticks = int(stat[19])
        uptime = float((_PROC / "uptime").read_text().split()[0])
        return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")
    elapsed = _ps(pid, "etime")
    return None if not elapsed else time.time() - _elapsed(elapsed)


def all_pids() -> list[int]:
    """The ids of all processes."""
    if _PROC.joinpath("self").exists():
        return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    output = subprocess.run(["ps", "-axo", "pid="], capture_output=True, text=True, check=False).stdout
    return [int(line) for line in output.split()]


def environment_of(pid: int) -> Mapping[str, str] | None:
    """The environment that a process was started with; None where the system does not tell."""
    try:
        raw = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return None
    pairs = (entry.partition("=") for entry in raw.decode(errors="replace").split("\0") if "=" in entry)
    return {key: value for key, _, value in pairs}


def end(pids: Iterable[int], *, patience: float, first: int = signal.SIGTERM) -> None:
    """Ask the processes to end with the signal `first`, and end with SIGKILL those that have not within
    `patience` seconds. Returns when all are gone."""
    processes = [process for process in map(identity, pids) if process is not None]
    _signal(processes, first)
    if not wait(processes, patience):
        _signal(processes, signal.SIGKILL)
        wait(processes, 10)


def wait(processes: Iterable[Identity], seconds: float, each: Callable[[], None] | None = None) -> bool:
    """Whether all processes have ended within so many seconds; `each` is called between looks."""
    deadline = time.monotonic() + seconds
    running = list(processes)
    while True:
        running = [process for process in running if is_alive(process)]
        if not running:
            return True
        if time.monotonic() >= deadline:
            return False
        if each is not None:
            each()
        time.sleep(0.05)


def _signal(processes: Iterable[Identity], number: int) -> None:
    for process in processes:
        if is_alive(process):
            try:
                os.kill(process.pid, number)
            except ProcessLookupError:
                continue


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the third on: the second, the name, may hold spaces and brackets."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _started(pid: int) -> str | None:
    stat = _stat(pid)
    if stat is not None:
        return None if stat[0] in "ZX" else f"{_boot()}:{stat[19]}"
    if _PROC.joinpath("self").exists():
        return None
    state = _ps(pid, "state")
    return None if not state or state.startswith("Z") else _ps(pid, "lstart") or None


def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _ps(pid: int, field: str) -> str:
    command = ["ps", "-o", f"{field}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _elapsed(text: str) -> float:
    """Seconds of ps's `[[dd-]hh:]mm:ss`."""
    days, _, clock = text.rpartition("-")
    seconds = 0.0
    for part in clock.split(":"):
        seconds = seconds * 60 + int(part)
    return seconds + int(days or 0) * 86400
