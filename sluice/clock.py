"""The one clock. Code that waits or stamps takes a `Clock`, so that a test in one process can hold the time."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the time is, and how to let it pass."""

    def now(self) -> datetime:
        """The time, with time zone UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return `seconds` later."""
        ...


class SystemClock:
    """The clock on the wall."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class ManualClock:
    """A clock that a test holds: `sleep` moves it at once and calls `on_sleep`, which may change the world."""

    def __init__(self, start: datetime, on_sleep: Callable[[datetime], None] | None = None) -> None:
        self._now = start
        self._on_sleep = on_sleep

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        if self._on_sleep is not None:
            self._on_sleep(self._now)


def iso(moment: datetime) -> str:
    """`2026-11-21T10:00:00Z`: whole seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_iso(text: str) -> datetime:
    """The moment that `iso` wrote; a text without a zone is taken as UTC.

    Raises:
        ValueError: if the text is no ISO 8601 moment.
    """
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
