"""CloudWatch's statistics over one bin (CloudWatch User Guide, "CloudWatch statistics definitions"). Pure."""

import math
import re
from collections.abc import Callable

from emulator.cloudwatch.series import Bin

Statistic = Callable[[Bin], float | None]

BASIC: dict[str, Statistic] = {
    "SampleCount": lambda found: found.count,
    "Sum": lambda found: found.total,
    "Average": lambda found: found.total / found.count if found.count else None,
    "Minimum": lambda found: found.minimum,
    "Maximum": lambda found: found.maximum,
}

_SHORT = re.compile(r"^(p|tm|tc|ts|wm)(\d{1,2}(?:\.\d{1,10})?|100)$")
_RANGE = re.compile(r"^(PR|TM|TC|TS|WM)\((-?[\d.]*%?):(-?[\d.]*%?)\)$")


def parse(name: str) -> Statistic:
    """The function for `Average`, `p99.9`, `tm90`, `TM(10%:90%)`, `TC(:0.5)`, `PR(:300)`, `IQM` …

    The function returns None where CloudWatch gives no datapoint: percentiles and trimmed statistics need the values,
    which a statistic set does not carry.

    Raises:
        ValueError: if CloudWatch has no such statistic.
    """
    if name in BASIC:
        return BASIC[name]
    if name == "IQM":
        return _trimmed("TM", ("%", 25.0), ("%", 75.0))
    short = _SHORT.match(name)
    if short:
        kind, percent = short.group(1), float(short.group(2))
        if kind == "p":
            return lambda found: _percentile(found, percent)
        return _trimmed(kind.upper(), None, ("%", percent))
    ranged = _RANGE.match(name)
    if ranged:
        kind, low, high = ranged.group(1), _bound(ranged.group(2)), _bound(ranged.group(3))
        if low is None and high is None:
            raise ValueError(name)
        if kind == "PR":
            if any(bound is not None and bound[0] == "%" for bound in (low, high)):
                raise ValueError(name)
            return _trimmed("PR", low, high)
        return _trimmed(kind, low, high)
    raise ValueError(name)


def percentile(values: list[tuple[float, float]], percent: float) -> float:
    """The smallest of the sorted (value, count) pairs that at least `percent` per cent of the samples do not exceed."""
    rank = percent / 100 * math.fsum(count for _, count in values)
    seen = 0.0
    for value, count in values:
        seen += count
        if seen >= rank - 1e-9:
            return value
    return values[-1][0]


def _sorted(found: Bin) -> list[tuple[float, float]] | None:
    if found.values is None or not found.count:
        return None
    return sorted((value, count) for value, count in found.values.items() if count > 0)


def _percentile(found: Bin, percent: float) -> float | None:
    values = _sorted(found)
    return None if not values else percentile(values, percent)


Bound = tuple[str, float]


def _bound(text: str) -> Bound | None:
    if not text:
        return None
    return ("%", float(text[:-1])) if text.endswith("%") else ("=", float(text))


def _slice(
    values: list[tuple[float, float]], low: Bound | None, high: Bound | None
) -> list[tuple[float, float]]:
    """The part of the samples inside the bounds: by rank for per cents, by value for numbers (low < value <= high)."""
    total = math.fsum(count for _, count in values)
    from_rank = low[1] / 100 * total if low and low[0] == "%" else 0.0
    to_rank = high[1] / 100 * total if high and high[0] == "%" else total
    kept, seen = [], 0.0
    for value, count in values:
        part = min(seen + count, to_rank) - max(seen, from_rank)
        seen += count
        below = low is not None and low[0] == "=" and value <= low[1]
        above = high is not None and high[0] == "=" and value > high[1]
        if part > 1e-12 and not below and not above:
            kept.append((value, part))
    return kept


def _trimmed(kind: str, low: Bound | None, high: Bound | None) -> Statistic:
    def statistic(found: Bin) -> float | None:
        values = _sorted(found)
        if not values:
            return None
        if kind == "WM":
            return _winsorized(values, low, high)
        kept = _slice(values, low, high)
        count = math.fsum(part for _, part in kept)
        if kind == "TC":
            return count
        if kind == "PR":
            return 100 * count / found.count
        total = math.fsum(value * part for value, part in kept)
        if kind == "TS":
            return total
        return total / count if count else None

    return statistic


def _winsorized(values: list[tuple[float, float]], low: Bound | None, high: Bound | None) -> float:
    floor = None if low is None else (percentile(values, low[1]) if low[0] == "%" else low[1])
    roof = None if high is None else (percentile(values, high[1]) if high[0] == "%" else high[1])
    total = count = 0.0
    for value, weight in values:
        held = value if floor is None else max(value, floor)
        held = held if roof is None else min(held, roof)
        total += held * weight
        count += weight
    return total / count
