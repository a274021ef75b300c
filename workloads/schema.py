"""The schema of a request and of a batch, from the same declaration: raw values in, typed columns and problems out.

Numpy only, for it runs in the request path; validation of a batch uses the same rules by mask.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from workloads.contract import InputField
from workloads.modules import Array, Columns

Mask = npt.NDArray[np.bool_]
MISSING = (None, "")
"""An empty CSV cell is a missing value, as null is in JSON."""


FEW = 8
"""Up to so many rows are read value by value."""


class Violation(NamedTuple):
    """One rule that rows of one field break."""

    field: str
    rule: str
    rows: npt.NDArray[np.intp]
    """Their positions, ascending."""
    say: Callable[[int], str]
    """What is wrong with one of these rows."""


class Problem(NamedTuple):
    """What is wrong with one row, for whoever sent it."""

    row: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"row {self.row}, field {self.field}: {self.message}"


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows as columns; a row that lacks a field has None there. Every key of every row is kept, so that unknown
    ones are seen."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def read(
    needed: Iterable[InputField], raw: Mapping[str, Any], rows: int, known: Iterable[str] = ()
) -> tuple[dict[str, Array], list[Violation]]:
    """Typed columns of a batch and everything that is wrong with it.

    Args:
        needed: the fields of the version that is to answer (`Workload.needed`).
        raw: columns of any sequence or array, each with `rows` values: of JSON or CSV, where numbers may be text,
            or of Arrow and npy, where they are typed.
        rows: how many rows there are.
        known: names of fields declared for other versions, which are ignored (`Workload.fields`).

    Returns:
        The columns of `needed`, as `workloads.modules.Columns` says, and the violations. A column that is missing
        altogether is one violation of all rows, unless the field is nullable.
    """
    fields = tuple(needed)
    if rows <= FEW:
        # numpy costs a microsecond a call and a rule is several: a request of one row is read five times faster
        # value by value. Whatever is not plainly good goes the long way, which says what is wrong.
        plain = _plain(fields, raw, rows, known)
        if plain is not None:
            return plain, []
    columns: dict[str, Array] = {}
    found: list[Violation] = []
    everyone = np.arange(rows)
    for field in fields:
        if field.name in raw:
            columns[field.name], bad = coerce(field, raw[field.name])
            if bad.any():
                found.append(_not_of_type(field, raw[field.name], bad))
        else:
            columns[field.name] = _empty(field, rows)
            if not field.nullable:
                found.append(Violation(field.name, "missing", everyone, lambda _: "is missing"))
                continue
    wrong = {violation.field: violation.rows for violation in found}
    found += check(fields, columns, wrong)
    allowed = {field.name for field in fields} | set(known)
    for name in raw:
        if name not in allowed:
            found.append(
                Violation(str(name), "unknown", everyone, lambda _: "is not a field of this workload")
            )
    return columns, found


def check(
    fields: Iterable[InputField], columns: Columns, skip: Mapping[str, npt.NDArray[np.intp]] | None = None
) -> list[Violation]:
    """What the typed columns break: null, range, whole number, category, length. Rows in `skip` were already told."""
    found: list[Violation] = []
    for field in fields:
        column = columns[field.name]
        told = None if skip is None else skip.get(field.name)
        for rule, mask, say in _rules(field, column):
            if told is not None:
                mask = mask.copy()
                mask[told] = False
            if mask.any():
                found.append(Violation(field.name, rule, np.flatnonzero(mask), say))
    return found


def problems(violations: Iterable[Violation], limit: int = 10) -> list[Problem]:
    """The first `limit` problems by row, one for each row and field."""
    first: dict[tuple[int, str], Problem] = {}
    for violation in violations:
        for row in violation.rows[:limit].tolist():
            first.setdefault((row, violation.field), Problem(row, violation.field, violation.say(row)))
    return sorted(first.values(), key=lambda problem: problem.row)[:limit]


def bad_rows(violations: Iterable[Violation], rows: int) -> Mask:
    """Which rows break any rule."""
    bad = np.zeros(rows, dtype=bool)
    for violation in violations:
        bad[violation.rows] = True
    return bad


def coerce(field: InputField, values: Any) -> tuple[Array, Mask]:
    """One raw column as its type, and where that was impossible (there it is missing)."""
    if field.numeric:
        return _numbers(values)
    if field.type == "timestamp":
        return _moments(values)
    return _texts(values)


def _plain(
    fields: tuple[InputField, ...], raw: Mapping[str, Any], rows: int, known: Iterable[str]
) -> dict[str, Array] | None:
    """The columns, if every value is plainly good; None says that somebody has to look."""
    names = {field.name for field in fields}
    if not raw.keys() <= names and not raw.keys() <= names | set(known):
        return None
    columns: dict[str, Array] = {}
    for field in fields:
        values = raw.get(field.name)
        if values is None and field.name not in raw and field.nullable:
            columns[field.name] = _empty(field, rows)
        elif not isinstance(values, list) or len(values) != rows:
            return None
        elif field.type == "timestamp":
            columns[field.name], bad = _moments(values)
            if bad.any() or (not field.nullable and None in values) or "" in values:
                return None
        elif not all(_good_number(field, v) if field.numeric else _good_text(field, v) for v in values):
            return None
        else:
            columns[field.name] = np.array(values, dtype=np.float64 if field.numeric else object)
    return columns


def _good_number(field: InputField, value: Any) -> bool:
    if value is None:
        return field.nullable
    if type(value) is not float and type(value) is not int:
        return False
    # NaN fails both comparisons, infinity one of them.
    low, high = field.min, field.max
    return (
        -1e15 < value < 1e15
        and (low is None or value >= low)
        and (high is None or value <= high)
        and (field.type != "integer" or value == int(value))
    )


def _good_text(field: InputField, value: Any) -> bool:
    if value is None:
        return field.nullable
    if type(value) is not str or not value:
        return False
    return value in field.categories if field.categories else len(value) <= field.max_length


def _empty(field: InputField, rows: int) -> Array:
    if field.numeric:
        return np.full(rows, np.nan)
    if field.type == "timestamp":
        return np.full(rows, np.datetime64("NaT"), dtype="datetime64[us]")
    return np.full(rows, None, dtype=object)


def _rules(field: InputField, column: Array) -> list[tuple[str, Mask, Callable[[int], str]]]:
    rules: list[tuple[str, Mask, Callable[[int], str]]] = []
    if field.numeric:
        if not field.nullable:
            rules.append(("null", np.isnan(column), lambda _: "must not be null"))
        if field.min is not None:
            rules.append(("range", column < field.min, lambda row: f"{column[row]:g} is below {field.min:g}"))
        if field.max is not None:
            rules.append(("range", column > field.max, lambda row: f"{column[row]:g} is above {field.max:g}"))
        rules.append(("range", np.isinf(column), lambda _: "is not finite"))
        if field.type == "integer":
            fraction = np.isfinite(column) & (np.rint(column) != column)
            rules.append(("type", fraction, lambda row: f"{column[row]:g} is not a whole number"))
        return rules
    if field.type == "timestamp":
        return [] if field.nullable else [("null", np.isnat(column), lambda _: "must not be null")]
    values = column.tolist()
    size = len(values)
    if not field.nullable:
        null = np.fromiter((value is None for value in values), bool, size)
        rules.append(("null", null, lambda _: "must not be null"))
    if field.categories:
        allowed = {*field.categories, None}
        other = np.fromiter((value not in allowed for value in values), bool, size)
        rules.append(
            ("category", other, lambda row: f"{column[row]!r} is not one of {_listed(field.categories)}")
        )
    else:
        long = np.fromiter(
            (value is not None and len(value) > field.max_length for value in values), bool, size
        )
        rules.append(("length", long, lambda _: f"is longer than {field.max_length} characters"))
    return rules


def _listed(categories: tuple[str, ...]) -> str:
    shown = ", ".join(categories[:8])
    return shown if len(categories) <= 8 else f"{shown} and {len(categories) - 8} more"


def _not_of_type(field: InputField, values: Any, bad: Mask) -> Violation:
    wanted = {"float": "a number", "integer": "a whole number", "timestamp": "an ISO 8601 moment"}
    noun = wanted.get(field.type, "text")
    return Violation(
        field.name, "type", np.flatnonzero(bad), lambda row: f"{_shown(values[row])} is not {noun}"
    )


def _shown(value: Any) -> str:
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= 40 else text[:37] + "..."


def _numbers(values: Any) -> tuple[Array, Mask]:
    array = values if isinstance(values, np.ndarray) else None
    if array is None and not _any(values, (str, bool, list, dict)):
        try:
            # None becomes NaN; text and flags must not become numbers unseen, hence the look before.
            array = np.array(values, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            array = None
    if array is not None and array.dtype.kind in "fiu" and array.ndim == 1:
        return array.astype(np.float64, copy=False), np.zeros(len(array), dtype=bool)
    size = len(values)
    out, bad = np.full(size, np.nan), np.zeros(size, dtype=bool)
    for row, value in enumerate(values):
        if value in MISSING if not isinstance(value, (list, dict, np.ndarray)) else False:
            continue
        number = _number(value)
        if number is None:
            bad[row] = True
        else:
            out[row] = number
    return out, bad


def _any(values: Any, kinds: tuple[type, ...]) -> bool:
    return any(isinstance(value, kinds) for value in values)


def _number(value: Any) -> float | None:
    if isinstance(value, (bool, np.bool_, list, dict, np.ndarray)):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    # "nan" and "inf" are texts that Python reads as numbers; a missing number is null or an empty cell.
    return None if isinstance(value, str) and not np.isfinite(number) else number


def _moments(values: Any) -> tuple[Array, Mask]:
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return values.astype("datetime64[us]"), np.zeros(len(values), dtype=bool)
    size = len(values)
    out, bad = np.full(size, np.datetime64("NaT"), dtype="datetime64[us]"), np.zeros(size, dtype=bool)
    for row, value in enumerate(values):
        if value is None or (isinstance(value, str) and not value):
            continue
        moment = _moment(value)
        if moment is None:
            bad[row] = True
        else:
            out[row] = moment
    return out, bad


def _moment(value: Any) -> np.datetime64 | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(value, "us")


def _texts(values: Any) -> tuple[Array, Mask]:
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    size = len(listed)
    out = np.empty(size, dtype=object)
    bad = np.zeros(size, dtype=bool)
    for row, value in enumerate(listed):
        if isinstance(value, str):
            out[row] = value or None
        elif value is not None:
            bad[row] = True
    return out, bad
