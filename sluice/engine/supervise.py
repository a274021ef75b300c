"""One run of Pulumi: in a session of its own, followed by its event log, ended in order, told by its own errors."""

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sluice import paths, progress
from sluice.engine import events, processes, runs
from sluice.engine.programs import Program
from sluice.errors import SluiceError

LOG_LIMIT = 5_000_000
"""Bytes after which a stack's log is begun anew; the last one stays beside it."""


@dataclass(frozen=True)
class Stack:
    """A program with what is needed to run Pulumi on it."""

    program: Program
    variables: Mapping[str, str]
    pulumi: Path
    local: bool

    @property
    def name(self) -> str:
        """Of its record and its log."""
        return f"{self.program.project}-{self.program.stack}"

    @property
    def log(self) -> Path:
        return paths.local() / "logs" / f"pulumi-{self.name}.log"


@dataclass(frozen=True)
class Ended:
    """A run that ended well."""

    changes: Mapping[str, int]
    warnings: tuple[str, ...]
    seconds: float


def supervise(stack: Stack, operation: str, options: Sequence[str], step: progress.Step) -> Ended:
    """Run Pulumi in a session of its own, show its events, keep its output in the log.

    Raises:
        SluiceError: with Pulumi's own errors, if it does not end well.
        KeyboardInterrupt: after an interruption, when all its processes have ended.
    """
    began = time.monotonic()
    mark = runs.new_mark(stack.name)
    event_log = runs.record_file(stack.name).with_suffix(".events")
    event_log.parent.mkdir(parents=True, exist_ok=True)
    event_log.unlink(missing_ok=True)
    command = [
        *(str(stack.pulumi), operation, "--stack", stack.program.stack, "--non-interactive"),
        *("--color", "never", "--event-log", str(event_log), *options),
    ]
    variables = {**stack.variables, processes.MARK: mark, "PULUMI_DEBUG_COMMANDS": "true"}
    _rotate(stack.log)
    run = runs.Run(mark=mark, command=tuple(command), log=str(stack.log))
    runs.write(stack.name, run)
    with stack.log.open("ab") as log:
        log.write(f"\n# {time.strftime('%Y-%m-%d %H:%M:%S')} {' '.join(command)}\n".encode())
        log.flush()
        start = log.tell()
        process = subprocess.Popen(
            command,
            cwd=stack.program.folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    who = processes.identity(process.pid)
    run = run.model_copy(update={"leader": process.pid, "started": who.started if who else ""})
    runs.write(stack.name, run)
    tally = events.Tally()
    _watch(process, event_log, tally, step, run)
    # A plugin may outlive the engine for a moment; after an error, for ever.
    processes.end(runs.alive(run), patience=5)
    runs.forget(stack.name)
    if process.returncode:
        raise _failure(stack, operation, process.returncode, tally, start)
    return Ended(tally.result(), tuple(tally.warnings), time.monotonic() - began)


def _watch(
    process: "subprocess.Popen[bytes]",
    event_log: Path,
    tally: events.Tally,
    step: progress.Step,
    run: runs.Run,
) -> None:
    """Follow the run to its end. The first interruption lets Pulumi finish what is in flight, the second ends it."""
    interrupted = False
    reader: IO[str] | None = None
    tail = ""
    try:
        while True:
            try:
                ended = process.poll() is not None
                if reader is None and event_log.exists():
                    reader = event_log.open(encoding="utf-8")
                if reader is not None:
                    tail = _feed(tally, tail + reader.read())
                    step.update(tally.progress())
                if ended:
                    break
                time.sleep(0.1)
            except KeyboardInterrupt:
                if interrupted:
                    processes.end(runs.alive(run), patience=1, first=signal.SIGKILL)
                    process.wait()
                    raise
                interrupted = True
                step.line("  stopping after what is in flight; once more ends it at once")
                process.send_signal(signal.SIGINT)
    finally:
        if reader is not None:
            reader.close()
    if interrupted:
        processes.end(runs.alive(run), patience=5)
        runs.forget(_name(run))
        raise KeyboardInterrupt


def _name(run: runs.Run) -> str:
    """The name under which a run is recorded: its mark without the last part."""
    return run.mark.rpartition("-")[0]


def _feed(tally: events.Tally, text: str) -> str:
    """Give the whole lines to the tally; gives back the rest, which is still being written."""
    *lines, rest = text.split("\n")
    for line in lines:
        tally.feed(line)
    return rest


def _failure(stack: Stack, operation: str, code: int, tally: events.Tally, start: int) -> SluiceError:
    lines = events.error_lines(tally.errors)
    if not lines:
        with stack.log.open("rb") as log:
            log.seek(start)
            text = log.read().decode(errors="replace")
        lines = [line for line in text.splitlines() if line.strip()][-12:]
    body = "\n".join(f"  {line}" for line in lines)
    return SluiceError(
        f"`pulumi {operation}` of {stack.program.title} ended with code {code}:\n{body}",
        f"All it said is in {stack.log}.",
    )


def quick(stack: Stack, *arguments: str) -> str:
    """A command of Pulumi that takes no time; its output.

    Raises:
        SluiceError: if it fails.
    """
    result = subprocess.run(
        [str(stack.pulumi), *arguments, "--non-interactive", "--color", "never"],
        cwd=stack.program.folder,
        env=dict(stack.variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        said = (result.stderr or result.stdout).strip()
        raise SluiceError(f"`pulumi {' '.join(arguments)}` failed in {stack.program.folder}: {said}")
    return result.stdout


def _rotate(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a run as Ctrl-C does, in order."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    try:
        before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    except ValueError:  # not the main thread: signals go to the main thread's own handlers
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
