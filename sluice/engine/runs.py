"""The record of a run, so that one that was killed is found and ended by the next."""

import json
import os
import signal
import uuid
from pathlib import Path

from sluice import paths
from sluice.config import Frozen
from sluice.engine import processes

GRACEFUL_SECONDS = 60.0
"""How long an orphan may finish what is in flight. The engine then writes it to the state, and nothing is left
pending; what takes longer (a canary) is joined again by the next run."""


class Run(Frozen):
    """One process that `sluice` started in a session of its own."""

    mark: str
    """In the environment of each of its processes."""
    command: tuple[str, ...]
    log: str
    leader: int | None = None
    """Process and session id; None if `sluice` was killed just before it could note it."""
    started: str = ""
    """Of the leader (`processes.Identity`)."""


def record_file(name: str) -> Path:
    """Where the record of the run of this name is kept."""
    return paths.local() / "run" / f"{name}.json"


def new_mark(name: str) -> str:
    """A mark that no other run has."""
    return f"{name}-{uuid.uuid4().hex[:12]}"


def write(name: str, run: Run) -> None:
    """Keep the record; it is there whole or not at all."""
    file = record_file(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(f".{os.getpid()}.tmp")
    fresh.write_text(run.model_dump_json(), encoding="utf-8")
    fresh.replace(file)


def read(name: str) -> Run | None:
    """The record of the last run of this name, if there is one."""
    try:
        return Run.model_validate(json.loads(record_file(name).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def forget(name: str) -> None:
    """Take the record away: the run has ended, with all its processes."""
    record_file(name).unlink(missing_ok=True)


def names() -> list[str]:
    """The runs that have a record."""
    return sorted(file.stem for file in (paths.local() / "run").glob("*.json"))


def leader(run: Run) -> processes.Identity | None:
    """The run's first process, if it is alive."""
    if run.leader is None:
        return None
    process = processes.Identity(run.leader, run.started)
    return process if processes.is_alive(process) else None


def alive(run: Run) -> list[int]:
    """The ids of the run's living processes, however it left them."""
    found = []
    for pid in processes.all_pids():
        environment = processes.environment_of(pid)
        # It is empty for the moment in which a process takes on its program.
        ours = environment.get(processes.MARK) == run.mark if environment else _in_session(pid, run)
        # Whoever has ended keeps its number until its parent has looked; it has nothing left to end.
        if ours and processes.identity(pid) is not None:
            found.append(pid)
    first = leader(run)
    if first is not None and first.pid not in found:
        found.append(first.pid)
    return [pid for pid in found if pid != os.getpid()]


def end(run: Run, patience: float = GRACEFUL_SECONDS) -> int:
    """End every process of a run: its leader with SIGINT first, on which Pulumi finishes what is in flight.
    Gives how many processes there were."""
    first = leader(run)
    count = len(alive(run))
    if first is not None:
        os.kill(first.pid, signal.SIGINT)
        processes.wait([first], patience)
    processes.end(alive(run), patience=5)
    return count


def _in_session(pid: int, run: Run) -> bool:
    """For what shows no environment: some systems, and a process at its very start. The session's id cannot be given
    away while a member lives; a later process of the same id has another start."""
    try:
        if run.leader is None or os.getsid(pid) != run.leader:
            return False
    except (ProcessLookupError, PermissionError):
        return False
    now = processes.identity(run.leader)
    return now is None or now.started == run.started
