"""The schema of a request and of a batch, from the same declaration: raw values in, typed columns and problems out.

Numpy only, for it runs in the request path; validation of a batch uses the same rules by mask. A column that is
plainly good is read once and checked at once; only one that is not goes rule by rule, to say what is wrong where.
"""

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from workloads.contract import InputField
from workloads.modules import Array
from workloads.values import (
    Mask,
    listed,
    moment,
    moments,
    number,
    numbers,
    objects,
    quick_moments,
    quick_numbers,
    texts,
)

FEW = 8
"""Up to so many rows are read value by value."""

_HUGE = sys.float_info.max


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
    """`Reader(needed, known).read(raw, rows)`, for who reads one batch."""
    return Reader(needed, known).read(raw, rows)


class Reader:
    """What reads the batches of one version.

    Args:
        needed: the fields of the version that is to answer (`Workload.needed`).
        known: names of fields declared for other versions, which are ignored (`Workload.fields`).
    """

    def __init__(self, needed: Iterable[InputField], known: Iterable[str] = ()) -> None:
        self._fields = tuple(_Field(field) for field in needed)
        self._allowed = frozenset(field.name for field in self._fields) | frozenset(known)

    def read(self, raw: Mapping[str, Any], rows: int) -> tuple[dict[str, Array], list[Violation]]:
        """Typed columns of a batch and everything that is wrong with it.

        Args:
            raw: columns of any sequence or array, each with `rows` values: of JSON or CSV, where numbers may be
                text, or of Arrow, npy and Parquet, where they are typed.
            rows: how many rows there are.

        Returns:
            The columns of the needed fields, as `workloads.modules.Columns` says, and the violations. A column that
            is missing altogether is one violation of all rows, unless the field is nullable.
        """
        few = rows <= FEW
        columns: dict[str, Array] = {}
        found: list[Violation] = []
        for field in self._fields:
            values = raw.get(field.name)
            # numpy costs a microsecond a call and a rule is several, so few rows are read value by value.
            column = None if values is None else field.few(values) if few else field.many(values)
            if column is None:
                column = self._thorough(field, raw, rows, found)
            columns[field.name] = column
        if not self._allowed.issuperset(raw):
            found += [
                Violation(str(name), "unknown", np.arange(rows), lambda _: "is not a field of this workload")
                for name in raw
                if name not in self._allowed
            ]
        return columns, found

    def _thorough(self, field: "_Field", raw: Mapping[str, Any], rows: int, found: list[Violation]) -> Array:
        """The column of a field that is not plainly good, with what is wrong added to `found`."""
        if field.name not in raw:
            if not field.declared.nullable:
                found.append(Violation(field.name, "missing", np.arange(rows), lambda _: "is missing"))
            return field.empty(rows)
        values = raw[field.name]
        column, bad = field.coerce(values)
        told = np.flatnonzero(bad)
        if told.size:
            found.append(_not_of_type(field.declared, values, told))
        for rule, mask, say in _rules(field.declared, column):
            # Not a second time of a row that has no value of its type.
            mask[told] = False
            if mask.any():
                found.append(Violation(field.name, rule, np.flatnonzero(mask), say))
        return column


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


class _Field:
    """One field, with what its checks need laid out: pydantic's attributes cost as much as a comparison."""

    def __init__(self, declared: InputField) -> None:
        self.declared = declared
        self.name = declared.name
        self._nullable = declared.nullable
        self._low = -_HUGE if declared.min is None else declared.min
        self._high = _HUGE if declared.max is None else declared.max
        self._whole = declared.type == "integer"
        self._longest = declared.max_length
        self._allowed = frozenset((*declared.categories, None) if declared.nullable else declared.categories)
        self.few: Callable[[Any], Array | None]
        self.many: Callable[[Any], Array | None]
        self.coerce: Callable[[Any], tuple[Array, Mask]]
        if declared.numeric:
            self.few, self.many, self.coerce = self._few_numbers, self._many_numbers, numbers
        elif declared.type == "timestamp":
            self.few, self.many, self.coerce = self._few_moments, self._many_moments, moments
        elif declared.categories:
            self.few, self.many, self.coerce = self._few_categories, self._many_categories, texts
        else:
            self.few, self.many, self.coerce = self._few_texts, self._many_texts, texts

    def empty(self, rows: int) -> Array:
        if self.declared.numeric:
            return np.full(rows, np.nan)
        if self.declared.type == "timestamp":
            return np.full(rows, np.datetime64("NaT"), dtype="datetime64[us]")
        return np.full(rows, None, dtype=object)

    def _few_numbers(self, values: Any) -> Array | None:
        out = []
        for value in listed(values):
            kind = type(value)
            if kind is str:
                read = number(value) if value else None
                if value and read is None:
                    return None
                value = read
            elif kind is not float and kind is not int and value is not None:
                return None
            if value is None or value != value:
                if not self._nullable:
                    return None
                out.append(math.nan)
            elif not self._low <= value <= self._high or (self._whole and value != int(value)):
                return None
            else:
                out.append(value)
        return np.array(out, dtype=np.float64)

    def _many_numbers(self, values: Any) -> Array | None:
        column = quick_numbers(values)
        if column is None:
            return None
        good = column >= self._low
        good &= column <= self._high
        if self._whole:
            good &= np.rint(column) == column
        count = np.count_nonzero(good)
        if count == len(column) or (
            self._nullable and count + np.count_nonzero(np.isnan(column)) == len(column)
        ):
            return column
        return None

    def _few_moments(self, values: Any) -> Array | None:
        if isinstance(values, np.ndarray):
            return self._many_moments(values)
        out = []
        for value in values:
            read = moment(value)
            if read is None and not (value is None and self._nullable):
                return None
            out.append(read)
        return np.array(out, dtype="datetime64[us]")

    def _many_moments(self, values: Any) -> Array | None:
        column = quick_moments(values)
        return None if column is None or (not self._nullable and np.isnat(column).any()) else column

    def _few_texts(self, values: Any) -> Array | None:
        plain = listed(values)
        for value in plain:
            if type(value) is not str:
                if value is not None or not self._nullable:
                    return None
            elif not 0 < len(value) <= self._longest:
                return None
        return objects(plain)

    def _many_texts(self, values: Any) -> Array | None:
        plain = listed(values)
        present = [value for value in plain if value is not None] if None in plain else plain
        if (len(present) < len(plain) and not self._nullable) or not set(map(type, present)) <= {str}:
            return None
        lengths = set(map(len, present))
        return None if 0 in lengths or max(lengths, default=0) > self._longest else objects(plain)

    def _few_categories(self, values: Any) -> Array | None:
        return self._many_categories(values)

    def _many_categories(self, values: Any) -> Array | None:
        plain = listed(values)
        try:
            return objects(plain) if self._allowed.issuperset(plain) else None
        except TypeError:
            # A list or an object, which has no hash.
            return None


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


def _not_of_type(field: InputField, values: Any, rows: npt.NDArray[np.intp]) -> Violation:
    wanted = {"float": "a number", "integer": "a whole number", "timestamp": "an ISO 8601 moment"}
    noun = wanted.get(field.type, "text")
    return Violation(field.name, "type", rows, lambda row: f"{_shown(values[row])} is not {noun}")


def _shown(value: Any) -> str:
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= 40 else text[:37] + "..."
