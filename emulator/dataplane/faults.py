"""The faults of the data plane: slow and failing models, captures that are lost. The control process says which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from emulator.dataplane.table import Fleet
from emulator.faults.kinds import Captures, Fault, Model, unpacked
from emulator.faults.tally import Tally


@dataclass(frozen=True, slots=True)
class Effect:
    """What happens to one invocation."""

    delay_seconds: float
    failed_by: str | None
    """The fault in whose place of the container's answer a status 500 comes."""


class DataFaults:
    """Counters stay with a fault's name, whatever else begins or ends."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._tally = Tally()

    def set(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """Replace them all: `packed` ones."""
        self._faults = [unpacked(each) for each in faults]

    def invocation(self, endpoint: str, fleet: Fleet) -> Effect | None:
        """What happens to an invocation of a fleet; None if nothing does."""
        if not self._faults:
            return None
        concerned = [
            (fault, what)
            for fault in self._active()
            if isinstance(what := fault.what, Model)
            and what.concerns(endpoint, fleet.variant, fleet.config, fleet.package)
        ]
        slow = self._tally.first([(fault, what.rate) for fault, what in concerned if what.fail is None])
        failed = self._tally.first([(fault, what.rate) for fault, what in concerned if what.fail is not None])
        if slow is None and failed is None:
            return None
        delay = slow.what.slow if slow is not None and isinstance(slow.what, Model) else None
        return Effect((delay or 0) / 1000, failed.name if failed is not None else None)

    def loses_capture(self, endpoint: str, variant: str) -> bool:
        """Whether a captured request never reaches S3."""
        if not self._faults:
            return False
        concerned = [
            (fault, what.lose)
            for fault in self._active()
            if isinstance(what := fault.what, Captures)
            and what.endpoint == endpoint
            and what.variant in (None, variant)
        ]
        return self._tally.first(concerned) is not None

    def counts(self) -> Mapping[str, tuple[int, int]]:
        """By fault: how many calls it has looked at, and how many it struck."""
        return self._tally.counts()

    def _active(self) -> list[Fault]:
        now = datetime.now(UTC)
        return [fault for fault in self._faults if fault.over(now) is None]
