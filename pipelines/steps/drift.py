"""Drift of a batch against a stored profile: effect sizes, not p-values, for on 100,000 rows everything is
significant. The profile is small and lies beside the model; the data it was made of is not needed again."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from workloads.contract import InputField
from workloads.modules import Array, Columns

QUANTILES = 257
BINS = 10
TOP = 200
EPSILON = 1e-4
"""The least share of a bin: an empty one must not make PSI infinite."""


def profile(fields: Iterable[InputField], columns: Columns) -> dict[str, Any]:
    """What each field looked like: quantiles of numbers, shares of categories, share of nulls."""
    return {f.name: _profile(f, columns[f.name]) for f in fields if f.type != "timestamp"}


def compare(profiles: dict[str, Any], columns: Columns) -> dict[str, dict[str, float]]:
    """PSI of each field of the batch against its profile, and for numbers KS: the largest distance of the two
    distribution functions."""
    found: dict[str, dict[str, float]] = {}
    for name, stored in profiles.items():
        if name not in columns or not stored.get("rows"):
            continue
        if "quantiles" in stored:
            found[name] = _compare_numbers(stored, columns[name])
        elif "shares" in stored:
            found[name] = {"psi": _psi_categories(stored["shares"], _shares(columns[name]))}
    return found


def _profile(field: InputField, column: Array) -> dict[str, Any]:
    rows = len(column)
    if field.numeric:
        present = column[~np.isnan(column)]
        stored: dict[str, Any] = {"rows": rows, "null": 1 - len(present) / rows if rows else 0.0}
        if len(present):
            stored["quantiles"] = np.quantile(present, np.linspace(0, 1, QUANTILES)).tolist()
            stored["mean"] = float(present.mean())
        return stored
    shares = _shares(column)
    if len(shares) > TOP:
        # Ids and free text: hardly a value comes twice, so there is no distribution to keep.
        return {"rows": rows, "distinct": len(shares)}
    return {"rows": rows, "shares": dict(sorted(shares.items()))}


def _shares(column: Array) -> dict[str, float]:
    values, counts = np.unique([value or "" for value in column.tolist()], return_counts=True)
    return dict(zip(values.tolist(), (counts / max(1, len(column))).tolist(), strict=True))


def _compare_numbers(stored: dict[str, Any], column: Array) -> dict[str, float]:
    quantiles = np.asarray(stored["quantiles"])
    present = np.sort(column[~np.isnan(column)])
    null = 1 - len(present) / len(column) if len(column) else 0.0
    if not len(present):
        return {"psi": _psi(np.array([1 - stored["null"], stored["null"]]), np.array([0.0, 1.0])), "ks": 1.0}
    edges = np.unique(quantiles[:: (QUANTILES - 1) // BINS][1:-1])
    here = np.diff(np.searchsorted(present, edges, side="right"), prepend=0, append=len(present)) / len(
        present
    )
    there = np.diff(_cdf(quantiles, edges), prepend=0, append=1)
    expected = np.append(there * (1 - stored["null"]), stored["null"])
    actual = np.append(here * (1 - null), null)
    points = np.unique(quantiles)
    gap = np.abs(np.searchsorted(present, points, side="right") / len(present) - _cdf(quantiles, points))
    return {"psi": _psi(expected, actual), "ks": float(gap.max())}


def _cdf(quantiles: Array, points: Array) -> Array:
    """Share of the profiled values at or below each point, to 1/(QUANTILES - 1)."""
    return np.searchsorted(quantiles, points, side="right").clip(1) / QUANTILES


def _psi_categories(expected: dict[str, float], actual: dict[str, float]) -> float:
    names = sorted({*expected, *actual})
    return _psi(
        np.array([expected.get(n, 0.0) for n in names]), np.array([actual.get(n, 0.0) for n in names])
    )


def _psi(expected: Array, actual: Array) -> float:
    e, a = np.maximum(expected, EPSILON), np.maximum(actual, EPSILON)
    return float(np.sum((a - e) * np.log(a / e)))
