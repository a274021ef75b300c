"""The datapoints of one metric, in bounded memory: exact counts, sums and extremes, and values for percentiles.

CloudWatch keeps datapoints below 60 s for 3 hours and those of 60 s for 15 days (CloudWatch User Guide, "Metrics
retention"); so does this.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field

MINUTE = 60
HIGH_RESOLUTION_SECONDS = 3 * 3600
RETENTION_SECONDS = 15 * 86400
MAX_DISTINCT = 512
"""Values a bin keeps apart. Beyond it they fall into buckets 1 % wide (wider if they span many powers of ten):
CloudWatch itself keeps a histogram with a relative error of 1 %."""
MAX_DISTINCT_MINUTES = 64
"""The same for what is folded into minutes, of which there are 15 days."""
_LARGEST = 709.0
"""The largest number that `math.exp` takes, in whole numbers."""
_WIDTHS = (1.01, 1.02, 1.05, 1.1, 1.2, 1.5, 2.0, 10.0)


@dataclass
class Bin:
    """What came in one interval. `values` maps each value to its count; None if a statistic set made it unknown."""

    count: float = 0.0
    total: float = 0.0
    minimum: float = float("inf")
    maximum: float = float("-inf")
    values: dict[float, float] | None = field(default_factory=dict)

    def add(self, value: float, count: float = 1.0) -> None:
        self.count += count
        self.total += value * count
        self.minimum = min(self.minimum, value)
        self.maximum = max(self.maximum, value)
        if self.values is not None:
            self.values[value] = self.values.get(value, 0.0) + count
            if len(self.values) > MAX_DISTINCT:
                self.values = _rounded(self.values)

    def add_set(self, count: float, total: float, minimum: float, maximum: float) -> None:
        """A statistic set. Its values are known only if it has one value, as AWS says of percentiles."""
        if minimum == maximum or count == 1:
            self.add(total / count if count else minimum, count)
            return
        self.count += count
        self.total += total
        self.minimum = min(self.minimum, minimum)
        self.maximum = max(self.maximum, maximum)
        self.values = None

    def merge(self, other: "Bin") -> None:
        self.count += other.count
        self.total += other.total
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        if self.values is None or other.values is None:
            self.values = None
            return
        for value, count in other.values.items():
            self.values[value] = self.values.get(value, 0.0) + count
        if len(self.values) > MAX_DISTINCT:
            self.values = _rounded(self.values)


def _rounded(values: dict[float, float], most: int = MAX_DISTINCT) -> dict[float, float]:
    """The values in buckets, at most half of `most` of them, so that the next rounding is many values away."""
    rounded: dict[float, float] = {}
    for width in _WIDTHS:
        step, rounded = math.log(width), {}
        for value, count in values.items():
            key = value and math.copysign(
                math.exp(min(round(math.log(abs(value)) / step) * step, _LARGEST)), value
            )
            rounded[key] = rounded.get(key, 0.0) + count
        if len(rounded) <= most // 2:
            break
    return rounded


class Timeline:
    """Bins by their second, in order of time."""

    def __init__(self) -> None:
        self._bins: dict[int, Bin] = {}
        self._times: list[int] = []

    def __len__(self) -> int:
        return len(self._times)

    def at(self, second: int) -> Bin:
        """The bin of a second, made if it is not there."""
        found = self._bins.get(second)
        if found is None:
            found = self._bins[second] = Bin()
            if not self._times or second > self._times[-1]:
                self._times.append(second)
            else:
                insort(self._times, second)
        return found

    def between(self, start: int, end: int) -> Iterator[tuple[int, Bin]]:
        """The bins with start <= second < end."""
        first, last = bisect_left(self._times, start), bisect_left(self._times, end)
        for second in self._times[first:last]:
            yield second, self._bins[second]

    def pop_before(self, second: int) -> list[tuple[int, Bin]]:
        """Take out and return all bins older than `second`."""
        cut = bisect_left(self._times, second)
        old, self._times = self._times[:cut], self._times[cut:]
        return [(time, self._bins.pop(time)) for time in old]

    @property
    def last(self) -> int | None:
        return self._times[-1] if self._times else None


class Series:
    """One metric in one unit: a timeline by second for high resolution and one by minute for standard resolution."""

    def __init__(self) -> None:
        self.fine = Timeline()
        self.coarse = Timeline()

    def at(self, second: int, high_resolution: bool) -> Bin:
        return self.fine.at(second) if high_resolution else self.coarse.at(second - second % MINUTE)

    def collect(self, into: dict[int, Bin], start: int, end: int, period: int, origin: int) -> None:
        """Merge the bins of [start, end) into `into`, by periods counted from `origin`. A period below a minute sees
        high resolution only."""
        timelines = (self.fine,) if period < MINUTE else (self.fine, self.coarse)
        for timeline in timelines:
            for second, found in timeline.between(start, end):
                into.setdefault(second - (second - origin) % period, Bin()).merge(found)

    def forget(self, now: int) -> bool:
        """Fold old fine bins into minutes and drop what is past retention; true if nothing is left."""
        for second, found in self.fine.pop_before(now - HIGH_RESOLUTION_SECONDS):
            minute = self.coarse.at(second - second % MINUTE)
            minute.merge(found)
            if minute.values is not None and len(minute.values) > MAX_DISTINCT_MINUTES:
                minute.values = _rounded(minute.values, MAX_DISTINCT_MINUTES)
        self.coarse.pop_before(now - RETENTION_SECONDS)
        return not self.fine and not self.coarse

    @property
    def last(self) -> int | None:
        times = [timeline.last for timeline in (self.fine, self.coarse) if timeline.last is not None]
        return max(times) if times else None
