"""Running Pulumi on one stack: recover what a killed run left, run, show how it goes, say how it went."""

import json
import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from sluice import progress
from sluice.engine import cli, environment, events, processes, recovery, runs
from sluice.engine.programs import Program
from sluice.engine.supervise import Stack, interruptible, quick, supervise
from sluice.errors import SluiceError
from sluice.locks import exclusive_or_refuse

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
    return quick(_stack(program, name), *arguments)


def _stack(program: Program, name: str | None) -> Stack:
    if not (program.folder / "Pulumi.yaml").is_file():
        raise SluiceError(f"there is no Pulumi program in {program.folder}", "The checkout is not complete.")
    chosen = name or environment.selected()
    pulumi = cli.ensure().path
    variables = environment.complete(chosen, os.environ, cli=pulumi)
    local = chosen == environment.LOCAL
    if local:
        environment.state_folder().mkdir(parents=True, exist_ok=True)
    return Stack(program, variables, pulumi, local)


def _select(stack: Stack) -> None:
    create = ["--create"] if stack.local else []
    quick(stack, "stack", "select", *create, "--stack", stack.program.stack)


def _run(program: Program, name: str | None, operation: str, options: Sequence[str], title: str) -> Result:
    stack = _stack(program, name)
    with (
        _exclusive(stack.name),
        interruptible(),
        progress.step(f"{title}{program.title} ({program.stack})") as step,
    ):
        recovered = _recover(stack, step)
        _select(stack)
        ended = supervise(stack, operation, options, step)
        for warning in ended.warnings[:SHOWN_WARNINGS]:
            step.line(f"  warning: {warning.splitlines()[0]}")
        step.done(events.counted(dict(ended.changes)) or "nothing to do")
    return Result(
        program, operation, ended.changes, ended.seconds, stack.log, ended.warnings, tuple(recovered)
    )


def _exclusive(name: str) -> AbstractContextManager[None]:
    return exclusive_or_refuse(
        runs.record_file(name).with_suffix(".lock"),
        f"another `sluice` is at work on {name}",
        "Wait for it to end, or end it.",
    )


def _recover(stack: Stack, step: progress.Step) -> list[str]:
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
            quick(stack, "cancel", "--yes", "--stack", stack.program.stack)
        else:  # killed while the stack was made; Pulumi cancels nothing of a stack that does not exist
            shutil.rmtree(_lock_folder(stack))
        done.append("cancelled a dead process's lock")
    # Cancelling can bring back a state with pending operations; so they are counted again.
    if plan.clear_pending or _pending(stack):
        step.update("clearing operations that were never finished")
        _select(stack)
        supervise(stack, "refresh", ["--yes", "--skip-preview", "--clear-pending-creates"], step)
        done.append("refreshed and cleared pending operations")
    for line in done:
        step.line(f"  {line}")
    return done


def _lock_folder(stack: Stack) -> Path:
    locks = environment.state_folder() / ".pulumi/locks/organization"
    return locks / stack.program.project / stack.program.stack


def _state_file(stack: Stack) -> Path:
    return (
        environment.state_folder() / ".pulumi/stacks" / stack.program.project / f"{stack.program.stack}.json"
    )


def _locks(stack: Stack) -> list[recovery.Lock | None]:
    found = []
    for file in sorted(_lock_folder(stack).glob("*.json")):
        try:
            found.append(recovery.lock(json.loads(file.read_text(encoding="utf-8"))))
        except ValueError:
            found.append(None)
        except FileNotFoundError:
            continue
    return found


def _pending(stack: Stack) -> int:
    try:
        return recovery.pending_operations(json.loads(_state_file(stack).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return 0


def _started(pid: int) -> float | None:
    return None if processes.identity(pid) is None else processes.started_at(pid)
