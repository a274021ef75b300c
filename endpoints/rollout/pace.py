"""How a rollout waits: on the injected clock, with progress, never in step with others."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sluice.clock import Clock

FIRST = 1.0
LONGEST = 15.0
REPEAT = 60.0
"""Seconds after which an unchanged state is told again."""


@dataclass
class Pace:
    """One wait.

    Args:
        clock: lets the time pass; it may raise to end the wait.
        progress: shows one line to the user, until the next one.
        milestone: shows a line that stays, also where nobody watches, as in CI.
        jitter: the random numbers that keep many waiters from asking AWS at the same moments.
    """

    clock: Clock
    progress: Callable[[str], None]
    milestone: Callable[[str], None]
    jitter: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._began = self.clock.now()
        self._told: tuple[str, datetime] | None = None

    def elapsed(self) -> float:
        """Seconds since this wait began."""
        return (self.clock.now() - self._began).total_seconds()

    def tell(self, message: str) -> None:
        """Show a message when it is new, or when it has stood for a while."""
        now = self.clock.now()
        if self._told is None or self._told[0] != message or (now - self._told[1]).total_seconds() >= REPEAT:
            self._told = (message, now)
            self.progress(message)

    def wait(self, message: str) -> None:
        """Show why, and let one interval pass: short at first, longer as the wait goes on."""
        self.tell(message)
        interval = min(LONGEST, max(FIRST, self.elapsed() / 20))
        self.clock.sleep(interval * self.jitter.uniform(0.8, 1.2))
