"""What to do next about an endpoint: a pure function of what is seen, what is wanted and what was asked before.

The stock Pulumi resource takes "InService" for success, although SageMaker rolls a bad update back to InService on
the old config. Here only InService on the wanted config is success.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from endpoints.rollout.observe import Observed

GRACE = 30.0
"""Seconds after which a call that AWS accepted must be visible in DescribeEndpoint, which may lag behind."""

BUSY = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "OutOfService"})
"""UpdateEndpoint and DeleteEndpoint are refused in these; OutOfService passes or becomes Failed."""


Asked = Literal["create", "update", "delete"]


@dataclass(frozen=True)
class Wanted:
    """The goal, and the limits in seconds."""

    config: str
    guarded: bool
    """Whether alarms may turn the update back, so that one that rings already would do so at once."""
    limit: float
    alarm_limit: float


@dataclass(frozen=True)
class Attempt:
    """A rollout of the wanted release that an earlier run began and did not see end."""

    modified: datetime | None
    """The endpoint's LastModifiedTime before its UpdateEndpoint."""


@dataclass(frozen=True)
class Memory:
    """What this run has asked for and seen since."""

    asked: Asked | None = None
    at: float = 0.0
    modified: datetime | None = None
    """Of the endpoint, when it was asked."""
    certain: bool = True
    """False where the answer was lost: the call may or may not have arrived."""
    moved: bool = False
    """What was asked has begun."""
    ringing_since: float | None = None
    attempt: Attempt | None = None

    def ask(self, what: Asked, seen: Observed, elapsed: float, certain: bool) -> "Memory":
        """After a call."""
        return replace(
            self, asked=what, at=elapsed, modified=seen.modified, certain=certain, moved=False, attempt=None
        )


@dataclass(frozen=True)
class Create:
    """CreateEndpoint."""


@dataclass(frozen=True)
class Update:
    """UpdateEndpoint."""


@dataclass(frozen=True)
class Delete:
    """DeleteEndpoint: the only call that a Failed endpoint takes."""

    why: str


@dataclass(frozen=True)
class Wait:
    """Look again later."""

    why: str


@dataclass(frozen=True)
class Done:
    """The wanted config is live."""

    created: bool


@dataclass(frozen=True)
class Fail:
    """The wanted config is not live and will not be in this run."""

    why: str
    refuse: bool = False
    """The release itself is what failed: it is not tried again."""


Action = Create | Update | Delete | Wait | Done | Fail


def remember(
    memory: Memory, seen: Observed, wanted: Wanted, ringing: Collection[str], elapsed: float
) -> Memory:
    """What there is to remember of an observation. An update, or a creation, that is under way to the wanted config
    counts as asked for: it is joined."""
    towards = seen.pending == wanted.config or (
        seen.status == "Creating" and seen.config == wanted.config and seen.pending is None
    )
    if seen.status in BUSY and towards:
        what: Asked = "create" if seen.status == "Creating" else "update"
        if memory.asked != what:
            memory = replace(memory.ask(what, seen, elapsed, certain=True), attempt=memory.attempt)
        memory = replace(memory, moved=True, certain=True)
    elif seen.status in BUSY and memory.asked == "update" and memory.certain:
        memory = replace(memory, moved=True)
    elif seen.status is None and memory.asked == "delete":
        memory = replace(memory, asked=None)
    if not ringing:
        return replace(memory, ringing_since=None)
    return replace(memory, ringing_since=elapsed if memory.ringing_since is None else memory.ringing_since)


def decide(
    wanted: Wanted, seen: Observed, memory: Memory, ringing: Collection[str], elapsed: float
) -> Action:
    """The next step.

    Args:
        wanted: the goal.
        seen: the endpoint now.
        memory: what `remember` made of everything seen so far, this observation included.
        ringing: rollback alarms that are in ALARM now.
        elapsed: seconds since this run began.
    """
    action = _decide(wanted, seen, memory, ringing, elapsed)
    if isinstance(action, Wait) and elapsed > wanted.limit:
        return Fail(f"it is not done after {wanted.limit:.0f} s: {action.why}")
    return action


def _decide(
    wanted: Wanted, seen: Observed, memory: Memory, ringing: Collection[str], elapsed: float
) -> Action:
    visible = elapsed - memory.at > GRACE
    match seen.status:
        case None:
            return _absent(memory, visible)
        case "InService":
            return _in_service(wanted, seen, memory, ringing, elapsed)
        case "UpdateRollbackFailed":
            if memory.asked == "update" and (memory.moved or seen.modified != memory.modified):
                return Fail(_because("the update failed and so did its rollback", seen), refuse=True)
            if memory.asked == "update" and memory.certain and not visible:
                return Wait("the update is accepted and not visible yet")
            # It serves a mix of two configs; an update to one is the way out.
            return _alarms(wanted, memory, ringing, elapsed) or Update()
        case "Failed":
            return _failed(seen, memory, visible)
        case "Deleting":
            if memory.asked in ("create", "update"):
                return Fail("somebody else is deleting it")
            return Wait("it is being deleted")
        case _:
            return Wait(_progress(seen, memory))


def _absent(memory: Memory, visible: bool) -> Action:
    if memory.asked == "update":
        return Fail("it was deleted while it was being updated")
    if memory.asked == "create":
        if not visible:
            return Wait("the creation is accepted and not visible yet")
        if memory.certain:
            return Fail("it was deleted while it was being created")
    return Create()


def _failed(seen: Observed, memory: Memory, visible: bool) -> Action:
    if memory.asked == "create":
        # What fails a first creation is often capacity or a permission: the same release may be tried again.
        return Fail(_because("its creation failed", seen))
    if memory.asked == "update":
        return Fail(_because("the update failed", seen), refuse=True)
    if memory.asked == "delete" and not visible:
        return Wait("it is about to be deleted")
    return Delete(_because("an earlier creation or update failed", seen))


def _in_service(
    wanted: Wanted, seen: Observed, memory: Memory, ringing: Collection[str], elapsed: float
) -> Action:
    if seen.config == wanted.config:
        return Done(created=memory.asked == "create")
    if memory.asked == "update":
        # The autoscaler modifies an endpoint too, so for a call whose answer was lost only motion is proof.
        if memory.moved or (memory.certain and seen.modified != memory.modified):
            return Fail(_because(f"SageMaker rolled back to {seen.config}", seen), refuse=True)
        if elapsed - memory.at <= GRACE:
            return Wait("the update is asked for and not visible yet")
        if memory.certain:
            return Fail("SageMaker accepted the update and never began it")
    if memory.asked == "create" and memory.certain:
        return Fail(f"it was created and serves {seen.config}: somebody else changed it")
    if memory.attempt is not None and seen.modified != memory.attempt.modified:
        why = f"an earlier rollout of this release, interrupted here, ended back on {seen.config}"
        return Fail(_because(why, seen), refuse=True)
    return _alarms(wanted, memory, ringing, elapsed) or Update()


def _alarms(wanted: Wanted, memory: Memory, ringing: Collection[str], elapsed: float) -> Action | None:
    """PutMetricAlarm keeps an alarm's old state, so yesterday's would roll today's update back at once."""
    if not wanted.guarded or not ringing:
        return None
    names = ", ".join(sorted(ringing))
    since = elapsed if memory.ringing_since is None else memory.ringing_since
    if elapsed - since >= wanted.alarm_limit:
        return Fail(
            f"{names} {'is' if len(ringing) == 1 else 'are'} still in ALARM after {elapsed - since:.0f} s and "
            "would roll the update back at once; nothing was changed"
        )
    return Wait(f"waiting for {names} to leave ALARM")


def _progress(seen: Observed, memory: Memory) -> str:
    phase = f" ({seen.phase})" if seen.phase else ""
    target = f" to {seen.pending}" if seen.pending and seen.pending != seen.config else ""
    if memory.asked is None and seen.status != "Creating":
        return f"{seen.status}{phase}{target}: waiting for what is under way"
    return f"{seen.status}{phase}{target}"


def _because(what: str, seen: Observed) -> str:
    return what if seen.reason is None else f"{what}: {seen.reason.rstrip('.')}"
