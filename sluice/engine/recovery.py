"""What a run that was killed leaves behind, and what to do about each thing. Pure: it decides, stacks.py acts.

Seen with v3.250.0: SIGKILL leaves the language host, the program and the plugins alive, the stack locked, and
operations `pending` in the state, which stay there after a good `up` until `refresh --clear-pending-creates`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sluice.clock import parse_iso

CLOCK_SLACK_SECONDS = 2.0
"""How exactly the start of a process and the time of a lock can be compared."""


@dataclass(frozen=True)
class Lock:
    """A lock of Pulumi's file backend (pkg/v3/backend/diy/lock.go)."""

    pid: int
    host: str
    taken: float
    """Seconds of `time.time()`."""


class Holder(Enum):
    """Who holds a lock."""

    DEAD = "dead"
    ALIVE = "alive"
    ELSEWHERE = "elsewhere"
    """A process of another machine, of which nothing can be known from here."""


def lock(content: Mapping[str, Any]) -> Lock | None:
    """The lock that a lock file describes; None for one that is cut, whose writer was killed while writing."""
    try:
        taken = parse_iso(content["timestamp"]).timestamp()
        return Lock(int(content["pid"]), str(content["hostname"]), taken)
    except (KeyError, TypeError, ValueError):
        return None


def holder(held: Lock | None, host: str, started_at: Callable[[int], float | None]) -> Holder:
    """Whether the process that took the lock still runs. A process that started after the lock was taken only
    has its number.

    Args:
        host: this machine.
        started_at: when the process that has an id now started, or None if there is none.
    """
    if held is None:
        return Holder.DEAD
    if held.host != host:
        return Holder.ELSEWHERE
    started = started_at(held.pid)
    if started is None or started > held.taken + CLOCK_SLACK_SECONDS:
        return Holder.DEAD
    return Holder.ALIVE


@dataclass(frozen=True)
class Plan:
    """What has to be done before a stack can be run again."""

    cancel: bool = False
    """`pulumi cancel`: every lock is a dead process's."""
    clear_pending: bool = False
    """`pulumi refresh --clear-pending-creates`."""
    blocked_by: Lock | None = None
    """A lock that must be respected; then nothing else is done."""
    elsewhere: bool = False


def plan(holders: Mapping[Lock | None, Holder], pending: int) -> Plan:
    """What to do about the locks of a stack and its pending operations.

    Args:
        holders: each lock with who holds it, after our own orphans were ended.
        pending: how many operations the state holds as pending.
    """
    for held, who in holders.items():
        if who is not Holder.DEAD:
            return Plan(blocked_by=held, elsewhere=who is Holder.ELSEWHERE)
    return Plan(cancel=bool(holders), clear_pending=pending > 0)


def pending_operations(state: Mapping[str, Any]) -> int:
    """How many operations a state holds as pending.

    Args:
        state: a checkpoint of the file backend, or what `pulumi stack export` prints.
    """
    deployment = state.get("checkpoint", {}).get("latest") or state.get("deployment") or {}
    return len(deployment.get("pending_operations") or ())
