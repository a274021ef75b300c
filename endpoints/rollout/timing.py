"""How long a deployment takes here, from how long the last ones took."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TOOK = "sluice:took"
"""On an endpoint config: `start=<seconds> bake=<seconds>`, of its last deployment."""

_MARK = re.compile(r"^start=(\d+(?:\.\d+)?) bake=(\d+(?:\.\d+)?)$")


@dataclass(frozen=True)
class Timing:
    """One deployment that was seen from its begin to its end, in seconds.

    Attributes:
        start: until the new fleet was ready, without the waits that were asked for.
        bake: how long the old fleet stays after that.
    """

    start: float
    bake: float


@dataclass(frozen=True)
class Expected:
    """What the next deployment will take."""

    shortest: float
    longest: float
    bake: float
    measured: int
    """On how many deployments it rests; 0: nothing was measured, AWS's usual time is given."""

    @property
    def says(self) -> str:
        """For people: until the traffic has moved."""
        moved = f"all traffic has moved after about {_span(self.shortest, self.longest)}"
        if not self.measured:
            return f"{moved} (no deployment was measured here yet; this is what SageMaker usually takes)"
        last = (
            "the last deployment" if self.measured == 1 else f"each of the last {self.measured} deployments"
        )
        return f"{moved}, as long as the new fleet took to start in {last}"

    @property
    def baking(self) -> str:
        """For people: what follows."""
        return f"the old fleet stays another {_duration(self.bake)} in case an alarm goes off"


USUAL = Expected(shortest=300, longest=600, bake=0, measured=0)
"""SageMaker publishes no figure. Five to ten minutes is what starting an instance and pulling an image take."""


def mark(timing: Timing) -> dict[str, str]:
    """The tag."""
    return {TOOK: f"start={timing.start:.1f} bake={timing.bake:.0f}"}


def timing_of(tags: Mapping[str, str]) -> Timing | None:
    """What the tags of a config tell of its last deployment."""
    found = _MARK.match(tags.get(TOOK, ""))
    return Timing(float(found[1]), float(found[2])) if found else None


def expected(newest_first: Sequence[Timing]) -> Expected:
    """What the last deployments let expect of the next one."""
    if not newest_first:
        return USUAL
    starts = [timing.start for timing in newest_first]
    # An emergency bakes nothing, and says nothing of what an ordinary deployment does.
    bake = max(timing.bake for timing in newest_first)
    return Expected(min(starts), max(starts), bake, len(starts))


def _span(shortest: float, longest: float) -> str:
    low, high = _duration(shortest), _duration(longest)
    if low == high:
        return high
    (few, unit), (many, other) = low.split(" ", 1), high.split(" ", 1)
    return f"{few} to {many} {unit}" if unit == other else f"{low} to {high}"


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"
