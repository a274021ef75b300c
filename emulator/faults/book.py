"""The faults of one emulator: which there are, until when, and what they struck. They die with it."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from emulator.faults.kinds import Api, Events, Fault, Function, Labels, Struck, What, Zone
from emulator.faults.tally import Tally
from sluice.clock import Clock, iso
from sluice.errors import SluiceError

KEPT = 500
"""Faults that are over stay in the list, so that one can say afterwards what was injected."""
AnyWhat = TypeVar("AnyWhat", bound=What)
Listener = Callable[[Sequence[Fault]], None]


class Faults:
    """Safe between threads. Areas ask it at the point where a fault would strike."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._all: dict[str, Fault] = {}
        self._made: Counter[str] = Counter()
        self._tally = Tally()
        self._listeners: list[Listener] = []

    def on_change(self, listener: Listener) -> None:
        """Call `listener` with the active faults after each that is added or ended."""
        self._listeners.append(listener)

    def add(self, what: What, seconds: float | None = None) -> Fault:
        """Let a fault begin, for `seconds` or until it is ended."""
        with self._lock:
            now = self._clock.now()
            self._made[what.kind] += 1
            name = f"{what.kind}-{self._made[what.kind]}"
            ends = None if seconds is None else now + timedelta(seconds=seconds)
            fault = self._all[name] = Fault(name=name, what=what, began=now, ends=ends)
            over = [each for each, known in self._all.items() if known.over(now) is not None]
            for each in over[: max(0, len(self._all) - KEPT)]:
                del self._all[each]
        self._tell()
        return fault

    def end(self, name: str) -> Fault:
        """End a fault.

        Raises:
            SluiceError: if it is unknown or over.
        """
        with self._lock:
            now = self._clock.now()
            fault = self._all.get(name)
            if fault is None:
                raise SluiceError(f"there is no fault {name!r}", "`sluice fault list` names those there are.")
            since = fault.over(now)
            if since is not None:
                raise SluiceError(f"the fault {name} has been over since {iso(since)}")
            fault = self._all[name] = fault.model_copy(update={"ended": now})
        self._tell()
        return fault

    def end_all(self) -> list[str]:
        """End every fault that lasts; gives their names."""
        with self._lock:
            now, names = self._clock.now(), [fault.name for fault in self.active()]
            for name in names:
                self._all[name] = self._all[name].model_copy(update={"ended": now})
        self._tell()
        return names

    def note(self, name: str, instances: Sequence[Struck]) -> Fault:
        """Keep which instances a fault ended."""
        with self._lock:
            fault = self._all[name]
            fault = self._all[name] = fault.model_copy(update={"instances": (*fault.instances, *instances)})
            return fault

    def every(self) -> list[Fault]:
        """All, the oldest first, those that are over too."""
        with self._lock:
            return list(self._all.values())

    def counts(self) -> Mapping[str, tuple[int, int]]:
        """By fault: how many calls it has looked at in this process, and how many it struck."""
        return self._tally.counts()

    def active(self) -> list[Fault]:
        """Those that last."""
        now = self._clock.now()
        with self._lock:
            return [fault for fault in self._all.values() if fault.over(now) is None]

    def closed_zones(self, endpoint: str) -> frozenset[str]:
        """The zones that an endpoint may not use."""
        return frozenset(what.zone for _, what in self._of(Zone) if what.closes(endpoint))

    def twice(self, rule: str) -> bool:
        """Whether a target of an EventBridge rule is called twice for one event."""
        found = [(f, what.duplicate) for f, what in self._of(Events) if what.rule in (None, rule)]
        return self._tally.first(found) is not None

    def drops(self, function: str) -> bool:
        """Whether an invocation of a Lambda function never happens."""
        return self._function(function, drop=True)

    def breaks(self, function: str) -> bool:
        """Whether an invocation of a Lambda function fails."""
        return self._function(function, drop=False)

    def call(self, service: str, action: Callable[[], str | None]) -> Api | None:
        """What happens to a call of the control plane; None if it is just done.

        Args:
            action: looked up only where a fault is about calls.
        """
        faults = self._of(Api)
        if not faults:
            return None
        name = action()
        found = [(f, what.throttle or what.lose or 0.0) for f, what in faults if what.concerns(service, name)]
        fault = self._tally.first(found)
        return fault.what if fault is not None and isinstance(fault.what, Api) else None

    def labels(self) -> list[Labels]:
        """What is wrong with labels."""
        return [what for _, what in self._of(Labels)]

    def _function(self, name: str, drop: bool) -> bool:
        found = [(f, 1.0) for f, what in self._of(Function) if what.function == name and what.drop is drop]
        return self._tally.first(found) is not None

    def _of(self, kind: type[AnyWhat]) -> list[tuple[Fault, AnyWhat]]:
        if not self._all:
            return []
        return [(fault, fault.what) for fault in self.active() if isinstance(fault.what, kind)]

    def _tell(self) -> None:
        active = self.active()
        for listener in self._listeners:
            listener(active)
