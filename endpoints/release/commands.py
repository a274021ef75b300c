"""`sluice release …`: what is live, what is tried, and the steps between."""

import dataclasses
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from endpoints.release import back, live, operations, runner
from endpoints.release.file import ReleaseFile, short
from endpoints.release.options import Commits, Deploys, PackageName, Why, WorkloadName
from endpoints.release.patch_commands import patch
from endpoints.release.status import describe, summary, tables
from endpoints.release.target import Target
from endpoints.watch.commands import report
from sluice import output, progress
from sluice.clock import SystemClock, iso
from sluice.errors import SluiceError
from workloads.contract import names

PASSED = "the judge says pass"


def register(app: typer.Typer) -> None:
    """Add the group `release`."""
    group = typer.Typer(
        help="What is live, what is tried, and the steps from shadow through canary to live, or back.",
        no_args_is_help=True,
    )
    commands: tuple[Callable[..., None], ...] = (
        *(status, propose, approve, advance, patch, reject, withdraw, hold, resume),
        *(rollback, abort, break_glass, adopt, init, run, report),
    )
    for command in commands:
        group.command()(command)
    app.add_typer(group, name="release")


def status(
    workload: Annotated[str | None, typer.Argument(help="The workload; without it all of them.")] = None,
) -> None:
    """Show what is live, the challenger with its evidence, the endpoint and its alarms."""
    values = [describe(Target.of(name)) for name in ([workload] if workload else names())]
    output.emit(values[0] if workload else values, lambda: tables(values))


def propose(
    workload: WorkloadName,
    package: PackageName = None,
    why: Why = "a new version",
    deploy: Deploys = True,
    commit: Commits = False,
) -> None:
    """Let a version run in shadow: it gets a copy of every request, and nobody sees its answers.

    Without a version it is the newest approved one that was not tried yet.
    """
    _done(Target.of(workload, deploy, commit), lambda target: operations.propose(target, package, why))


def approve(
    workload: WorkloadName, package: PackageName = None, why: Why = "looked at and found good"
) -> None:
    """Approve a version for release. On AWS only the promotion role may."""
    found = operations.approve(Target.of(workload), package, why)
    output.emit(
        found.model_dump(mode="json"),
        f"{short(found.arn)}, version {found.version} of {workload}, is approved",
    )


def advance(
    workload: WorkloadName,
    why: Why = PASSED,
    deploy: Deploys = True,
    commit: Commits = False,
    force: Annotated[
        bool, typer.Option("--force", help="Though the judge does not say pass; say why.")
    ] = False,
) -> None:
    """Take the challenger from shadow through canary to live, once the judge says pass.

    If SageMaker turns the canary back, the version is rejected and the command fails. With --no-deploy one call is
    one step: the first writes `canary`, the second, after somebody has deployed it, `live`.
    """
    if force and why == PASSED:
        raise SluiceError("--force needs a reason", "Add --why, which stays in the history.")
    _done(Target.of(workload, deploy, commit), lambda target: operations.advance(target, why, force))


def reject(
    workload: WorkloadName,
    why: Annotated[str, typer.Option("--why", help="For the history: the reason.")],
    deploy: Deploys = True,
    commit: Commits = False,
) -> None:
    """End the challenger's trial for ever: this package is never deployed again."""
    _done(Target.of(workload, deploy, commit), lambda target: operations.reject(target, why))


def withdraw(
    workload: WorkloadName, why: Why = "withdrawn", deploy: Deploys = True, commit: Commits = False
) -> None:
    """End the challenger's trial without a verdict; it may be proposed again."""
    _done(Target.of(workload, deploy, commit), lambda target: operations.withdraw(target, why))


def rollback(
    workload: WorkloadName,
    why: Annotated[str, typer.Option("--why", help="For the history: the reason.")],
    to: Annotated[
        str | None, typer.Option("--to", help="A version, number or ARN of the history; default: the newest.")
    ] = None,
    deploy: Deploys = True,
    commit: Commits = False,
) -> None:
    """Put a champion of before back, and never deploy this one again.

    This is a new deployment of the old version, and it says how long that takes. A canary that is still under way
    goes back sooner, by `abort`; where Pulumi or git do not work, `break-glass` needs neither.
    """
    target = Target.of(workload, deploy, commit)
    if deploy:
        takes = back.takes(target)
        output.note(
            f"going back is a new deployment: {takes.says}; {takes.baking}, and Pulumi needs its time"
        )
    _done(target, lambda target: back.rollback(target, why, to))


def hold(
    workload: WorkloadName,
    why: Annotated[str, typer.Option("--why", help="For the history: the reason.")],
    commit: Commits = False,
) -> None:
    """Let nothing go forward: no proposal and no promotion, by hand or by itself. What goes back still works."""
    _done(Target.of(workload, deploy=False, commit=commit), lambda target: operations.hold(target, why))


def resume(workload: WorkloadName, why: Why = "the reason is gone", commit: Commits = False) -> None:
    """Let what is held go on."""
    _done(Target.of(workload, deploy=False, commit=commit), lambda target: operations.resume(target, why))


def break_glass(
    workload: WorkloadName,
    to: Annotated[
        str,
        typer.Option("--to", help="The version to put live: a version, a number in the registry, or an ARN."),
    ],
    why: Annotated[str, typer.Option("--why", help="The reason; it is kept on the endpoint.")],
) -> None:
    """Emergency: put an earlier version live past git and Pulumi, through SageMaker itself.

    All traffic goes over as soon as the new fleet is ready; no alarm turns it back. Who, why and when are kept in the
    endpoint's tags, and `pulumi up` refuses until the release file agrees: `sluice release adopt`.
    """
    target = Target.of(workload, deploy=False)
    choice = back.choose(target, to)
    output.note(f"{choice.package.version} comes back by a new fleet: {choice.expected.says}")
    with progress.step(
        f"{target.endpoint}: {choice.package.version} goes live past the release file"
    ) as step:
        glass = back.break_glass(target, choice, why, step.update)
    if problem := back.remember(target, glass, choice.package.version):
        output.note(f"the releases' history could not be written, the endpoint's tags have it: {problem}")
    output.emit(
        {
            "endpoint": target.endpoint,
            "version": choice.package.version,
            "package": choice.package.arn,
            "config": glass.config,
            "who": glass.who,
            "why": glass.why,
            "at": iso(glass.at),
        },
        f"{target.endpoint}: {choice.package.version} answers. `pulumi up` refuses until the release file says so: "
        f"sluice release adopt {workload}",
    )


def adopt(
    workload: WorkloadName,
    why: Why = "what is live is right",
    deploy: Deploys = True,
    commit: Commits = False,
) -> None:
    """Make the release file say what is live, after a broken glass: that version is champion, and the one it took the
    place of is never deployed again."""
    _done(Target.of(workload, deploy, commit), lambda target: back.adopt(target, why))


def init(
    workload: WorkloadName,
    package: PackageName = None,
    why: Why = "what decided before any model",
    deploy: Deploys = True,
    commit: Commits = False,
) -> None:
    """Make the incumbent the first champion, so that there is always something to compare with."""
    _done(Target.of(workload, deploy, commit), lambda target: operations.initialise(target, package, why))


def abort(
    workload: WorkloadName,
    why: Annotated[str, typer.Option("--why", help="For the history: the reason.")],
) -> None:
    """Turn a deployment back that is under way: SageMaker sends all traffic to the old fleet at once.

    It needs neither Pulumi nor git. Whoever is deploying sees it fail and rejects the version.
    """
    target = Target.of(workload)
    config = live.abort(target.endpoint, target.clients, SystemClock())
    target.store.note(target.workload.name, f"deployment of {config} aborted", target.who, why)
    output.emit(
        {"endpoint": target.endpoint, "aborted": config, "who": target.who, "why": why},
        f"{target.endpoint}: SageMaker turns {config} back; the old fleet answers",
    )


def run(
    workload: WorkloadName,
    once: Annotated[bool, typer.Option("--once", help="Take one step, and say which.")] = False,
    until_idle: Annotated[
        bool,
        typer.Option("--until-idle", help="End when nothing is on trial and no approved version waits."),
    ] = False,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two looks.")] = 5.0,
    patience: Annotated[
        float | None, typer.Option(min=1, help="Give up if a challenger is undecided for so many seconds.")
    ] = None,
    commit: Commits = False,
) -> None:
    """Take releases through shadow and canary without a person, or back out.

    It proposes the newest approved version that was not tried, promotes what the evidence speaks for, and rejects
    what it speaks against or what SageMaker turned back. `hold` stops it. It may be ended at any moment: it finds its
    place again by looking.
    """
    target = Target.of(workload, commit=commit)
    if once:
        step = runner.once(target)
        output.emit(_said(step), lambda: f"{workload}: {_text(step)}")
        return
    said: list[dict[str, Any]] = []

    last = {"told": float("-inf")}

    def tell(step: Any) -> None:
        now = _said(step)
        if said and said[-1] == now:
            return
        # How much is still missing changes with each look.
        again = bool(said) and now["step"] == said[-1]["step"] == "wait"
        if again:
            said[-1] = now
        else:
            said.append(now)
        if not again or time.monotonic() - last["told"] >= progress.QUIET_SECONDS:
            last["told"] = time.monotonic()
            output.note(f"{workload}: {_text(step)}")

    runner.run(target, every, tell, until_idle, patience)
    output.emit(
        {"steps": said, "release": target.read().model_dump(mode="json")}, lambda: summary(target.read())
    )


def _said(step: Any) -> dict[str, Any]:
    fields = {"why": step.problem} if isinstance(step, SluiceError) else dataclasses.asdict(step)
    return {"step": "failed" if isinstance(step, SluiceError) else type(step).__name__.lower(), **fields}


def _text(step: Any) -> str:
    said = _said(step)
    about = f" {said['version']}" if "version" in said else ""
    return f"{said['step']}{about}: {said['why']}"


def _done(target: Target, act: Any) -> None:
    release: ReleaseFile = act(target)
    value = {"workload": target.workload.name, "release": release.model_dump(mode="json")}
    output.emit(value, lambda: f"{target.workload.name}: {summary(release)}")
