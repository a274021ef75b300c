"""Raw columns, as they come from JSON, CSV, npy, Arrow or Parquet, to typed arrays.

Each kind has two ways. The quick one takes a column of the usual kind at once and gives None for any other; the
thorough one goes value by value and says where it failed. Both read the same value as the same.
"""

import math
from datetime import UTC, datetime
from types import NoneType
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

MISSING = (None, "")
"""An empty CSV cell is a missing value, as null is in JSON."""

_NUMBERS = frozenset({float, int, NoneType})
_WRITTEN = len("2013-07-01T12:00:00Z")
_DIGITS = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18]
_MARKS = [4, 7, 10, 13, 16, 19]
_FIRST, _LAST = np.datetime64(datetime.min, "us"), np.datetime64(datetime.max, "us")
_MARK_BYTES = np.frombuffer(b"--T::Z", dtype=np.uint8)


def quick_numbers(values: Any) -> Array | None:
    """A column of numbers, or of their texts, as float64; None if it may hold anything else."""
    if isinstance(values, np.ndarray):
        if values.dtype.kind not in "fiu" or values.ndim != 1:
            return None
        return values.astype(np.float64, copy=False)
    kinds = set(map(type, values))
    try:
        if kinds <= _NUMBERS:
            return np.array(values, dtype=np.float64)
        if kinds == {str}:
            # Python reads "nan" and "inf" as numbers, which a text must not say.
            numbers = np.array([float(value) if value else math.nan for value in values])
            return numbers if np.count_nonzero(np.isfinite(numbers)) == sum(map(bool, values)) else None
    except (ValueError, OverflowError):
        pass
    return None


def numbers(values: Any) -> tuple[Array, Mask]:
    """A column as float64, NaN where missing, and where a value is no number."""
    quick = quick_numbers(values)
    if quick is not None:
        return quick, np.zeros(len(quick), dtype=bool)
    size = len(values)
    out, bad = np.full(size, np.nan), np.zeros(size, dtype=bool)
    for row, value in enumerate(values):
        if isinstance(value, (list, dict, np.ndarray)):
            bad[row] = True
        elif value not in MISSING:
            read = number(value)
            bad[row] = read is None
            out[row] = math.nan if read is None else read
    return out, bad


def number(value: Any) -> float | None:
    """The value as a number; None if it is none. Flags are no numbers, nor are the texts "nan" and "inf"."""
    if isinstance(value, (bool, np.bool_, list, dict, np.ndarray)):
        return None
    try:
        read = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return None if isinstance(value, str) and not math.isfinite(read) else read


def quick_moments(values: Any) -> Array | None:
    """A column of moments, typed or all written like 2013-07-01T12:00:00Z, as datetime64[us]; None if it may hold
    anything else."""
    if isinstance(values, np.ndarray):
        if values.dtype.kind != "M":
            return None
        typed, bad = _typed_moments(values)
        return None if bad.any() else typed
    try:
        if set(map(len, values)) != {_WRITTEN}:
            return None
        text = "".join(values).encode("ascii")
    except (TypeError, ValueError):
        return None
    written = np.frombuffer(text, dtype=np.uint8).reshape(-1, _WRITTEN)
    # numpy reads more than moments of this form ("NaT", "today", the year 0000), so it is told apart here.
    if (
        (written[:, _MARKS] != _MARK_BYTES).any()
        or (written[:, _DIGITS] - ord("0") > 9).any()
        or (written[:, :4] == ord("0")).all(axis=1).any()
    ):
        return None
    try:
        # Without the Z, which numpy knows no zones for: its moments are UTC.
        return np.ndarray(len(written), f"S{_WRITTEN - 1}", text, 0, (_WRITTEN,)).astype("datetime64[us]")
    except ValueError:
        return None


def moments(values: Any) -> tuple[Array, Mask]:
    """A column as datetime64[us] in UTC, NaT where missing, and where a value is no moment of ISO 8601 or none that
    a datetime can hold; one without a zone is UTC."""
    quick = quick_moments(values)
    if quick is not None:
        return quick, np.zeros(len(quick), dtype=bool)
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return _typed_moments(values)
    size = len(values)
    out, bad = np.full(size, np.datetime64("NaT"), dtype="datetime64[us]"), np.zeros(size, dtype=bool)
    for row, value in enumerate(values):
        if value is None or (isinstance(value, str) and not value):
            continue
        read = moment(value)
        if read is None:
            bad[row] = True
        else:
            out[row] = read
    return out, bad


def _typed_moments(values: Array) -> tuple[Array, Mask]:
    """datetime64 of any unit as microseconds; numpy would let a coarse unit wrap around unseen."""
    out = values.astype("datetime64[us]")
    absent = np.isnat(values)
    held = (out >= _FIRST) & (out <= _LAST)
    unit = np.datetime_data(values.dtype)[0]
    if unit in ("Y", "M", "W", "D", "h", "m", "s", "ms"):
        held &= out.astype(values.dtype) == values
    bad = ~(held | absent) if unit != "generic" else ~absent
    if bad.any():
        out[bad] = np.datetime64("NaT")
    return out, bad


def moment(value: Any) -> datetime | None:
    """The value as a naive datetime in UTC; None if it is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    try:
        return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        # The first and the last hours that a datetime can hold, seen from another zone.
        return None


def listed(values: Any) -> list[Any]:
    """A column as a list of Python's own values."""
    if isinstance(values, list):
        return values
    return list(values.tolist()) if isinstance(values, np.ndarray) else list(values)


def texts(values: Any) -> tuple[Array, Mask]:
    """A column as objects, `str` or None where missing, and where a value is no text."""
    plain = listed(values)
    out = objects([value or None if isinstance(value, str) else None for value in plain])
    bad = np.fromiter((value is not None and not isinstance(value, str) for value in plain), bool, len(plain))
    return out, bad


def objects(values: list[Any]) -> Array:
    """A list as an array of the same objects, whatever they are."""
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out
