"""The automatic flow on one machine: look, take the next step, look again. The workflows of a real environment take
the same steps, one for each event."""

from collections.abc import Callable
from datetime import datetime
from typing import assert_never

from botocore.exceptions import BotoCoreError, ClientError

from endpoints import registry
from endpoints.release import operations
from endpoints.release.file import ReleaseFile
from endpoints.release.flow import (
    Advance,
    Approve,
    Ask,
    Candidate,
    Deploy,
    Facts,
    Propose,
    Reject,
    Rules,
    Step,
    Wait,
    deployed,
    next_step,
)
from endpoints.release.opinion import Opinion, opinion
from endpoints.release.serving import serving
from endpoints.release.target import Target
from endpoints.rollout.faults import Fault, fault
from sluice.errors import SluiceError

Think = Callable[[Target, ReleaseFile], Opinion]


def facts(target: Target, release: ReleaseFile, think: Think = opinion) -> Facts:
    """What there is to see. The evidence is read only where a decision rests on it."""
    found = registry.packages(target.workload.name, target.clients["sagemaker"])
    seen = serving(target.cloud, target.endpoint)
    canary = release.challenger is not None and release.challenger.stage == "canary"
    asked = not canary and release.hold is None and deployed(release, seen)
    return Facts(
        packages=tuple(
            Candidate(package=each.arn, version=each.version, approved=each.approval == "Approved")
            for each in found
            # A patched image has a lane of its own: `sluice release patch`.
            if each.kind == "model" and each.approval != "Rejected" and not each.patches
        ),
        patched=next(
            (each.patches for each in found if release.champion and each.arn == release.champion.package),
            None,
        ),
        serving=seen,
        opinion=think(target, release) if asked else None,
    )


def once(target: Target, think: Think = opinion, tell: Callable[[Step], None] | None = None) -> Step:
    """Look, and take the next step; which it was. It may be killed at any moment and begun again.

    Args:
        tell: is told the step before it is taken.

    Raises:
        SluiceError: if the step failed; the next look finds what came of it.
    """
    release = target.read()
    rules = Rules(release=target.workload.release, approval=target.workload.approval)
    step = next_step(release, facts(target, release, think), rules, target.clock.now())
    if tell is not None:
        tell(step)
    take(target, step, release)
    return step


def take(target: Target, step: Step, release: ReleaseFile) -> None:
    """Do it.

    Args:
        release: what the step was decided on; if the file says something else by now, nothing is done.
    """
    match step:
        case Approve(package, _, why):
            operations.approve(target, package, why)
        case Propose(package, _, why):
            operations.propose(target, package, why)
        case Deploy():
            # Pulumi compares the file with its state. Where the endpoint is another than the state says, because a
            # run was killed or a hand was at it, there would be nothing to do.
            target.refresh(target)
            operations.deploy(target)
        case Advance(why, force):
            operations.advance(target, why, force, expected=release)
        case Reject(why):
            operations.reject(target, why, expected=release)
        case Wait() | Ask():
            pass
        case _:
            assert_never(step)


def run(
    target: Target,
    every: float,
    tell: Callable[[Step | SluiceError], None],
    until_idle: bool = False,
    patience: float | None = None,
    think: Think = opinion,
) -> None:
    """Step after step, with a wait where there is nothing to do; for ever, or until it is idle.

    Args:
        every: seconds between two looks at something that has to come by itself.
        tell: is told each step before it is taken, and each failure, which is tried again.
        until_idle: end when nothing is on trial and no approved version waits.
        patience: seconds for which a challenger may be undecided before this gives up; the challenger stays.

    Raises:
        SluiceError: with `until_idle`, if a person has to decide, or the same failure comes three times in a row;
            if the patience is over.
    """
    failures: list[str] = []
    undecided: datetime | None = None
    while True:
        try:
            step = _patiently(lambda: once(target, think, tell))
        except SluiceError as error:
            tell(error)
            failures = [*failures, error.problem] if failures[-1:] == [error.problem] else [error.problem]
            if until_idle and len(failures) >= 3:
                raise
            target.clock.sleep(every)
            continue
        failures = []
        if until_idle and isinstance(step, Ask):
            raise SluiceError(f"a person has to decide about {target.workload.name}: {step.why}")
        if isinstance(step, Wait) and step.idle and until_idle:
            return
        undecided = (undecided or target.clock.now()) if isinstance(step, Wait) and not step.idle else None
        if undecided is not None and patience is not None and _since(target, undecided) > patience:
            assert isinstance(step, Wait)
            raise SluiceError(
                f"the release of {target.workload.name} is undecided for {patience:.0f} s: {step.why}",
                f"It goes on with `sluice release run {target.workload.name}`, or ends with `reject` or `withdraw`.",
            )
        if isinstance(step, Wait | Ask | Deploy):
            # After a deployment too: one that brings nothing about must not be repeated without a breath.
            target.clock.sleep(every)


def _patiently(act: Callable[[], Step]) -> Step:
    """A step that AWS does not answer is a failed one, which is tried again, and no end of the flow.

    Raises:
        SluiceError: if AWS throttled it, or its answer was lost, beyond the patience of the client.
    """
    try:
        return act()
    except (ClientError, BotoCoreError) as error:
        if fault(error) not in (Fault.THROTTLED, Fault.LOST):
            raise
        raise SluiceError(
            f"AWS does not answer: {error}", "It is tried again; the next look finds what came of it."
        ) from error


def _since(target: Target, moment: datetime) -> float:
    return (target.clock.now() - moment).total_seconds()
