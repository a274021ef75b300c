"""Running Pulumi on one stack: recover what a killed run left, run, show how it goes, say how it went."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from sluice import paths, progress
from sluice.engine import cli, environment, events, processes, recovery, runs
from sluice.engine.programs import Program
from sluice.errors import SluiceError
from sluice.locks import exclusive_or_refuse

LOG_LIMIT = 5_000_000
"""Bytes after which a stack's log is begun anew; the last one stays beside it."""
SHOWN_WARNINGS = 5
"""More are in the log."""


@dataclass(frozen=True)
class Result:
    """How a run ended that ended well."""

    program: Program
    operation: str
    changes: Mapping[str, int]
    """Resources by the engine's name of the operation: create, update, same, …"""
    seconds: float
    log: Path
    warnings: tuple[str, ...] = ()
    recovered: tuple[str, ...] = ()
    """What was mended before the run."""

    @property
    def changed(self) -> bool:
        """Whether anything was changed (by a preview: would be)."""
        return events.changed(dict(self.changes))


@dataclass(frozen=True)
class _Stack:
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


def up(program: Program, *, name: str | None = None) -> Result:
    """Bring the stack to what the program says; makes the stack if this machine has none.

    Raises:
        SluiceError: with Pulumi's own errors, if it does not end well.
    """
    return _run(program, name, "up", ["--yes", "--skip-preview"], "")


def preview(program: Program, *, name: str | None = None) -> Result:
    """What `up` would do."""
    return _run(program, name, "preview", ["--diff"], "preview of ")


def refresh(program: Program, *, name: str | None = None, expect_no_changes: bool = False) -> Result:
    """Bring the state to what there is.

    Raises:
        SluiceError: if it fails; with `expect_no_changes` also if anything differs.
    """
    extra = ["--expect-no-changes"] if expect_no_changes else []
    return _run(program, name, "refresh", ["--yes", "--skip-preview", *extra], "refresh of ")


def destroy(program: Program, *, name: str | None = None) -> Result:
    """Take away every resource of the stack; the stack itself and its history stay."""
    return _run(program, name, "destroy", ["--yes", "--skip-preview"], "destroy of ")


def exists(program: Program, *, name: str | None = None) -> bool:
    """Whether the stack is there to be destroyed."""
    stack = _stack(program, name)
    return _state_file(stack).exists() if stack.local else True


def end_all() -> int:
    """End the processes of all recorded Pulumi runs, watched or not: what is in flight is finished first.
    Gives how many there were."""
    count = 0
    for name in runs.names():
        run = runs.read(name)
        if run is not None and name.startswith("sluice-"):
            count += runs.end(run)
            runs.forget(name)
    return count


def select(program: Program, *, name: str | None = None) -> None:
    """Make the stack the one that a bare `pulumi` in the program's folder works on; `local` is made if missing."""
    _select(_stack(program, name))


def query(program: Program, *arguments: str, name: str | None = None) -> str:
    """A command of Pulumi that changes nothing and takes no time; its output.

    Raises:
        SluiceError: if it fails.
    """
    return _quick(_stack(program, name), *arguments)


def _stack(program: Program, name: str | None) -> _Stack:
    if not (program.folder / "Pulumi.yaml").is_file():
        raise SluiceError(f"there is no Pulumi program in {program.folder}", "The checkout is not complete.")
    chosen = name or environment.selected()
    pulumi = cli.ensure().path
    variables = environment.complete(chosen, os.environ, cli=pulumi)
    local = chosen == environment.LOCAL
    if local:
        environment.state_folder().mkdir(parents=True, exist_ok=True)
    return _Stack(program, variables, pulumi, local)


def _select(stack: _Stack) -> None:
    create = ["--create"] if stack.local else []
    _quick(stack, "stack", "select", *create, "--stack", stack.program.stack)


def _run(program: Program, name: str | None, operation: str, options: Sequence[str], title: str) -> Result:
    stack = _stack(program, name)
    with (
        _exclusive(stack.name),
        interruptible(),
        progress.step(f"{title}{program.title} ({program.stack})") as step,
    ):
        recovered = _recover(stack, step)
        _select(stack)
        result = _supervise(stack, operation, options, step)
        for warning in result.warnings[:SHOWN_WARNINGS]:
            step.line(f"  warning: {warning.splitlines()[0]}")
        step.done(events.counted(dict(result.changes)) or "nothing to do")
    return replace(result, recovered=tuple(recovered))


def _exclusive(name: str) -> AbstractContextManager[None]:
    return exclusive_or_refuse(
        runs.record_file(name).with_suffix(".lock"),
        f"another `sluice` is at work on {name}",
        "Wait for it to end, or end it.",
    )


def _recover(stack: _Stack, step: progress.Step) -> list[str]:
    """Mend what a killed run left; says what it did."""
    done = []
    left = runs.read(stack.name)
    if left is not None:
        step.update("ending what an interrupted run left")
        if count := runs.end(left):
            done.append(f"ended {count} processes of an interrupted run")
        runs.forget(stack.name)
    if not stack.local:
        # Another machine's state says nothing of its processes; there Pulumi's own messages stand.
        return done
    holders = {held: recovery.holder(held, socket.gethostname(), _started) for held in _locks(stack)}
    plan = recovery.plan(holders, _pending(stack))
    if plan.blocked_by is not None:
        where = f" on {plan.blocked_by.host}" if plan.elsewhere else ""
        raise SluiceError(
            f"the stack {stack.program.stack} of {stack.program.project} is locked by process "
            f"{plan.blocked_by.pid}{where}, a Pulumi that was not started by `sluice`",
            f"Wait for it; if it is gone, run `pulumi cancel` in {stack.program.folder}.",
        )
    if plan.cancel:
        step.update("cancelling a dead process's lock")
        if _state_file(stack).exists():
            _quick(stack, "cancel", "--yes", "--stack", stack.program.stack)
        else:  # killed while the stack was made; Pulumi cancels nothing of a stack that does not exist
            shutil.rmtree(_lock_folder(stack))
        done.append("cancelled a dead process's lock")
    # Cancelling can bring back a state with pending operations; so they are counted again.
    if plan.clear_pending or _pending(stack):
        step.update("clearing operations that were never finished")
        _select(stack)
        _supervise(stack, "refresh", ["--yes", "--skip-preview", "--clear-pending-creates"], step)
        done.append("refreshed and cleared pending operations")
    for line in done:
        step.line(f"  {line}")
    return done


def _supervise(stack: _Stack, operation: str, options: Sequence[str], step: progress.Step) -> Result:
    """Run Pulumi in a session of its own, show its events, keep its output in the log."""
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
    return Result(
        stack.program,
        operation,
        tally.result(),
        time.monotonic() - began,
        stack.log,
        warnings=tuple(tally.warnings),
    )


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
        runs.forget(runs_name(run))
        raise KeyboardInterrupt


def runs_name(run: runs.Run) -> str:
    """The name under which a run is recorded: its mark without the last part."""
    return run.mark.rpartition("-")[0]


def _feed(tally: events.Tally, text: str) -> str:
    """Give the whole lines to the tally; gives back the rest, which is still being written."""
    *lines, rest = text.split("\n")
    for line in lines:
        tally.feed(line)
    return rest


def _failure(stack: _Stack, operation: str, code: int, tally: events.Tally, start: int) -> SluiceError:
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


def _quick(stack: _Stack, *arguments: str) -> str:
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


def _lock_folder(stack: _Stack) -> Path:
    locks = environment.state_folder() / ".pulumi/locks/organization"
    return locks / stack.program.project / stack.program.stack


def _state_file(stack: _Stack) -> Path:
    return (
        environment.state_folder() / ".pulumi/stacks" / stack.program.project / f"{stack.program.stack}.json"
    )


def _locks(stack: _Stack) -> list[recovery.Lock | None]:
    found = []
    for file in sorted(_lock_folder(stack).glob("*.json")):
        try:
            found.append(recovery.lock(json.loads(file.read_text(encoding="utf-8"))))
        except ValueError:
            found.append(None)
        except FileNotFoundError:
            continue
    return found


def _pending(stack: _Stack) -> int:
    try:
        return recovery.pending_operations(json.loads(_state_file(stack).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return 0


def _started(pid: int) -> float | None:
    return None if processes.identity(pid) is None else processes.started_at(pid)


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
