"""Commands of an end-to-end test: what they said when they ended, and those under way."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.engine import processes

PATIENCE = 900.0
"""Seconds after which something is taken to hang. No test is about how long things take: a machine may be busy."""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it answered."""
        return json.loads(self.out)

    def ok(self) -> Any:
        """Its answer; fails the test with all it said if it did not end well."""
        assert self.code == 0, f"ended with {self.code}:\n{self.out}\n{self.err}"
        return self.json if self.out.strip() else None


class Running:
    """A command under way, whose output goes to files so that no pipe can fill."""

    def __init__(
        self, command: Sequence[str], cwd: Path, env: Mapping[str, str], folder: Path, name: str
    ) -> None:
        """
        Args:
            folder: for its output, in files of that name.
        """
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                command,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """Its progress so far."""
        return self._err.read_text(encoding="utf-8", errors="replace")

    def wait(self) -> Done:
        """Its end."""
        self.process.wait(timeout=PATIENCE)
        return Done(self.process.returncode, self._out.read_text(encoding="utf-8"), self.said)

    def until(self, condition: Callable[[], object], what: str, every: float = 0.1) -> None:
        """Wait for the condition while it runs."""

        def alive() -> object:
            assert self.process.poll() is None, f"ended before {what}:\n{self.said}"
            return condition()

        wait(alive, what, every)

    def stop(self) -> Done:
        """End it in order, by SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()


def wait(condition: Callable[[], object], what: str, every: float = 0.1, seconds: float = PATIENCE) -> None:
    """Wait until the condition holds.

    Raises:
        AssertionError: if it does not come.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(every)


def descendants(pid: int, but: int | None) -> list[int]:
    """All that the process started, and what those started, without the tree of `but`."""
    parents = _parents()
    found: list[int] = []
    fresh = [pid]
    while fresh:
        fresh = [child for child, parent in parents.items() if parent in fresh and child != but]
        found += fresh
    return found


def _parents() -> Mapping[int, int]:
    parents = {}
    for pid in processes.all_pids():
        try:
            fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[pid] = int(fields[1])
    return parents
