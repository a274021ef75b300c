"""`/_sluice/faults`: POST injects one, GET lists all, DELETE ends one or all."""

from collections.abc import Mapping, Sequence
from typing import Any

from emulator.context import Context
from emulator.faults import instances
from emulator.faults.book import Faults
from emulator.faults.kinds import Captures, Fault, Instance, Model, Zone, packed, read
from emulator.faults.known import check
from emulator.sagemaker.endpoints.dataplane import HttpDataPlane
from sluice.clock import Clock, iso
from sluice.errors import SluiceError

PATH = "/_sluice/faults"
_NOTHING = (0, 0)


def install(context: Context) -> None:
    """Add the routes, and let the data plane know of what concerns it."""
    faults = context.faults
    plane = _Plane(HttpDataPlane(context.endpoint_url))

    def view(fault: Fault) -> Mapping[str, Any]:
        return shown(fault, context.clock, _counts(faults, plane).get(fault.name, _NOTHING))

    def inject(body: Any) -> Mapping[str, Any]:
        what, seconds = read(body)
        what = check(what)
        if isinstance(what, Instance):
            if seconds is not None:
                raise SluiceError("an instance that died is replaced at once, so this fault takes no seconds")
            struck = instances.end_one(context, what)
            fault = faults.note(faults.add(what).name, struck)
            return view(faults.end(fault.name))
        fault = faults.add(what, seconds)
        if isinstance(what, Zone):
            fault = faults.note(fault.name, instances.end_zone(context, what))
        return view(fault)

    def every(_: Any) -> Mapping[str, Any]:
        counts = _counts(faults, plane)
        all_ = faults.every()
        return {"faults": [shown(each, context.clock, counts.get(each.name, _NOTHING)) for each in all_]}

    faults.on_change(plane.tell)
    context.api.add("POST", PATH, inject)
    context.api.add("GET", PATH, every)
    context.api.add("DELETE", PATH, lambda _: {"ended": faults.end_all()})
    context.api.add("DELETE", f"{PATH}/<name>", lambda _, name: view(faults.end(name)))


def shown(fault: Fault, clock: Clock, counts: tuple[int, int]) -> Mapping[str, Any]:
    """A fault as it is answered. `what` holds its parameters; `seen` says how many calls it has looked at and `struck`
    how many of them it struck; `instances` are those it ended."""
    over = fault.over(clock.now())
    return {
        "fault": fault.name,
        "kind": fault.what.kind,
        "what": fault.what.model_dump(exclude_none=True),
        "active": over is None,
        "began": iso(fault.began),
        "ends": iso(fault.ends) if fault.ends else None,
        "ended": iso(over) if over else None,
        "seen": counts[0],
        "struck": counts[1],
        "instances": [each.model_dump() for each in fault.instances],
    }


class _Plane:
    """The data plane, told and asked only if a fault ever concerned it."""

    def __init__(self, plane: HttpDataPlane) -> None:
        self._plane = plane
        self._concerned = False

    def tell(self, active: Sequence[Fault]) -> None:
        mine = [packed(fault) for fault in active if isinstance(fault.what, Model | Captures)]
        self._concerned = self._concerned or bool(mine)
        if self._concerned:
            try:
                self._plane.faults(mine)
            except OSError as error:
                raise SluiceError(
                    f"the data plane was not told of the faults: {error}", "End them and inject them again."
                ) from error

    def counts(self) -> Mapping[str, tuple[int, int]]:
        if not self._concerned:
            return {}
        try:
            return self._plane.fault_counts()
        except OSError:
            return {}


def _counts(faults: Faults, plane: _Plane) -> Mapping[str, tuple[int, int]]:
    return {**faults.counts(), **plane.counts()}
