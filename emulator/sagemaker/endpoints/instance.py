"""One instance: a serving process in a zone, from its machine to its end."""

import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")


class State(StrEnum):
    """Where an instance is in its life."""

    STARTING = "starting"
    IN_SERVICE = "in service"
    FAILED = "failed"
    """It never came into service."""
    DEAD = "dead"
    """Its process ended by itself."""
    DRAINING = "draining"
    GONE = "gone"


@dataclass
class Instance:
    """Written by its launcher's thread and by the runner; each field has one writer at a time."""

    id: str
    endpoint: str
    config: str
    variant: str
    model: str
    zone: str
    ready_at: datetime
    """When its machine is there."""
    startup_seconds: float
    """How long /ping may take to answer 200 (ContainerStartupHealthCheckTimeoutInSeconds)."""
    state: State = State.STARTING
    port: int = 0
    reason: str | None = None
    process: "subprocess.Popen[bytes] | None" = None
    ended: threading.Event = field(default_factory=threading.Event)
    """Set when nobody wants it any more, so that a start under way gives up."""
    settled: threading.Event = field(default_factory=threading.Event)
    """Set when its start has come to an end, so that its process, if any, is known."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def started(self, state: State) -> None:
        """Its start ended in `state`, unless it was given up meanwhile."""
        with self._lock:
            if self.state is State.STARTING:
                self.state = state

    def died(self) -> None:
        """It is gone without a word. One that was starting has not failed: nobody is to be blamed for it."""
        with self._lock:
            if self.state in (State.STARTING, State.IN_SERVICE):
                self.state = State.DEAD

    def give_up(self) -> None:
        """It gets no new request from now on."""
        with self._lock:
            self.state = State.DRAINING


class Launcher(Protocol):
    """Starts and ends instances; both return at once and write the instance's state when it is so."""

    def start(self, instance: Instance) -> None:
        """Towards IN_SERVICE or FAILED."""
        ...

    def stop(self, instance: Instance) -> None:
        """Towards GONE: requests under way are finished first. It is out of the routing table already."""
        ...


@dataclass(frozen=True)
class Serving:
    """How the process of an instance is started."""

    command: tuple[str | Path, ...]
    environment: Mapping[str, str]
    folder: Path
