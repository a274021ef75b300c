"""Counts the calls that faults look at, and picks those that they strike."""

import threading
from collections import Counter
from collections.abc import Sequence

from emulator.faults.kinds import Fault, strikes


class Tally:
    """Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: Counter[str] = Counter()
        self._struck: Counter[str] = Counter()

    def first(self, concerned: Sequence[tuple[Fault, float]]) -> Fault | None:
        """The first fault that strikes this call, by its share; every one of them counts the call."""
        struck = None
        with self._lock:
            for fault, share in concerned:
                self._seen[fault.name] += 1
                if struck is None and strikes(self._seen[fault.name], share):
                    self._struck[fault.name] += 1
                    struck = fault
        return struck

    def counts(self) -> dict[str, tuple[int, int]]:
        """By fault: how many calls it looked at, and how many of them it struck."""
        with self._lock:
            return {name: (seen, self._struck[name]) for name, seen in self._seen.items()}
