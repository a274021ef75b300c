"""A clock whose waits let SageMaker go on."""

from collections.abc import Callable
from datetime import datetime, timedelta

STEP = 5.0
"""Seconds between two looks of SageMaker at what is under way."""


class RunningClock:
    """`tick` does what is due at the time, and says whether something is under way."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self.tick: Callable[[], bool] = _nothing
        self.moment: Callable[[], None] = _nothing

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.moment()
        self.pass_time(seconds)
        self.moment()

    def pass_time(self, seconds: float) -> None:
        """Wait where nobody is killed for it."""
        end, busy = self._now + timedelta(seconds=seconds), self.tick()
        while busy and self._now < end:
            self._now = min(end, self._now + timedelta(seconds=STEP))
            busy = self.tick()
        self._now = end
        self.tick()


def _nothing() -> bool:
    return False
