"""The life of one deployment (a creation is one too): a pure state machine.

`advance` turns a state and an observation into the next state; `desired` says what the fleets should be in a
state. The runner observes, advances and makes it so; nothing else decides.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from emulator.sagemaker.endpoints.policy import Counts, Step
from sluice.config import Frozen


class Phase(StrEnum):
    """Where a deployment is."""

    CREATING = "Creating"
    ACTIVATING = "ActivatingTraffic"
    BAKING = "Baking"
    TERMINATING = "Terminating"
    RESTORING = "Restoring"
    ROLLING_BACK = "RollingBack"
    SUCCEEDED = "Succeeded"
    ROLLED_BACK = "RolledBack"
    ROLLBACK_FAILED = "RollbackFailed"


FORWARD = frozenset({Phase.CREATING, Phase.ACTIVATING, Phase.BAKING})
"""Here an alarm, a failure or the time limit turns the deployment back."""
ENDED = frozenset({Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.ROLLBACK_FAILED})


class Deployment(Frozen):
    """A deployment under way."""

    plan: tuple[Step, ...]
    blue: dict[str, int]
    """Instances of each production variant before; empty for a creation."""
    started: datetime
    since: datetime
    """When this phase began."""
    maximum_seconds: float
    step: int = 0
    phase: Phase = Phase.CREATING
    reason: str | None = None


class Seen(Frozen):
    """What the runner sees at one moment."""

    now: datetime
    green_ready: bool = False
    """As many green instances as `desired` says are in service."""
    green_failed: str | None = None
    """Why a green instance will never be in service."""
    alarms: tuple[str, ...] = ()
    """The rollback alarms that are in ALARM."""
    blue_ready: bool = True
    """As many blue instances as `desired` says are in service."""
    blue_failed: str | None = None
    blue_gone: bool = False
    green_gone: bool = False


def begin(plan: tuple[Step, ...], blue: Mapping[str, int], now: datetime, maximum: float) -> Deployment:
    """A deployment at its start."""
    return Deployment(plan=plan, blue=dict(blue), started=now, since=now, maximum_seconds=maximum)


def advance(at: Deployment, seen: Seen) -> Deployment:
    """The state after one observation; the same object if nothing changed."""
    if at.phase in ENDED:
        return at
    if at.phase in FORWARD:
        problem = _problem(at, seen)
        if problem is not None:
            # In a rolling deployment a part of the old fleet is gone: it comes back before traffic does.
            back = Phase.RESTORING if _blue_is_cut(at) else Phase.ROLLING_BACK
            return _to(at, back, seen, reason=problem)
    match at.phase:
        case Phase.CREATING if seen.green_ready:
            return _to(at, Phase.ACTIVATING, seen)
        case Phase.ACTIVATING:
            return _to(at, Phase.BAKING, seen)
        case Phase.BAKING if (seen.now - at.since).total_seconds() >= at.plan[at.step].wait:
            return _next(at, seen)
        case Phase.TERMINATING if seen.blue_gone:
            return _to(at, Phase.SUCCEEDED, seen)
        case Phase.RESTORING if seen.blue_failed is not None:
            return _to(at, Phase.ROLLBACK_FAILED, seen, reason=f"{at.reason} Rollback: {seen.blue_failed}")
        case Phase.RESTORING if seen.blue_ready:
            return _to(at, Phase.ROLLING_BACK, seen)
        case Phase.ROLLING_BACK if seen.blue_failed is not None:
            return _to(at, Phase.ROLLBACK_FAILED, seen, reason=f"{at.reason} Rollback: {seen.blue_failed}")
        case Phase.ROLLING_BACK if seen.green_gone:
            return _to(at, Phase.ROLLED_BACK, seen)
    return at


def desired(at: Deployment) -> dict[str, Counts]:
    """How many instances of each variant should exist and take traffic now."""
    step, before = at.plan[at.step], _before(at)
    result = {}
    for name, after in step.variants.items():
        old = before[name]
        blue = at.blue.get(name, 0)
        match at.phase:
            case Phase.CREATING:
                counts = old.model_copy(update={"green": after.green})
            case Phase.ACTIVATING | Phase.BAKING:
                # A batch of the old fleet ends only after the bake, so that turning back is quick.
                counts = after.model_copy(update={"blue": old.blue})
            case Phase.TERMINATING | Phase.SUCCEEDED:
                counts = Counts(green=after.green, green_traffic=after.green, blue=0, blue_traffic=0)
            case Phase.RESTORING:
                # Traffic stays where it is until the old fleet is whole; its new instances join at once.
                counts = after.model_copy(update={"blue": blue, "blue_traffic": blue})
            case _:
                counts = Counts(green=0, green_traffic=0, blue=blue, blue_traffic=blue)
        result[name] = counts
    return result


def _before(at: Deployment) -> Mapping[str, Counts]:
    if at.step > 0:
        return at.plan[at.step - 1].variants
    return {
        name: Counts(green=0, green_traffic=0, blue=at.blue.get(name, 0), blue_traffic=at.blue.get(name, 0))
        for name in at.plan[0].variants
    }


def _problem(at: Deployment, seen: Seen) -> str | None:
    if seen.alarms:
        return (
            "The deployment was rolled back because the following CloudWatch alarm(s) are in ALARM state: "
            f"[{', '.join(seen.alarms)}]."
        )
    if seen.green_failed is not None:
        return seen.green_failed
    if (seen.now - at.started).total_seconds() > at.maximum_seconds:
        limit = f"{at.maximum_seconds:.0f} seconds"
        return f"The deployment did not complete within the maximum execution timeout of {limit}."
    return None


def _blue_is_cut(at: Deployment) -> bool:
    return any(counts.blue < at.blue.get(name, 0) for name, counts in desired(at).items())


def _next(at: Deployment, seen: Seen) -> Deployment:
    if at.step + 1 == len(at.plan):
        return _to(at, Phase.TERMINATING, seen)
    now, then = at.plan[at.step].variants, at.plan[at.step + 1].variants
    grows = any(then[name].green > now[name].green for name in then)
    phase = Phase.CREATING if grows else Phase.ACTIVATING
    return at.model_copy(update={"step": at.step + 1, "phase": phase, "since": seen.now})


def _to(at: Deployment, phase: Phase, seen: Seen, reason: str | None = None) -> Deployment:
    return at.model_copy(update={"phase": phase, "since": seen.now, "reason": reason or at.reason})
