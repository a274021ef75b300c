"""What is said of a candidate: the same rows, the same metrics, for it and for everything it has to beat."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.steps.metrics import Flags, Floats, Scored, bootstrap, calibration, metrics
from workloads.contract import Slice, Workload
from workloads.modules import Columns

CANDIDATE, CHAMPION, INCUMBENT, BASELINE = "candidate", "champion", "incumbent", "baseline"


def evaluate(
    workload: Workload, columns: Columns, labels: Flags, scores: Mapping[str, Floats]
) -> dict[str, Any]:
    """Metrics with 95 % intervals, calibration and slices of every model.

    Args:
        columns: the input fields of the evaluation rows.
        labels: (n,).
        scores: (n,) by model; the candidate first, for differences are to it.
    """
    scored = {name: Scored(values, labels) for name, values in scores.items()}
    overall = {name: metrics(s, workload.threshold, workload.costs) for name, s in scored.items()}
    intervals = bootstrap(scored, workload.threshold, workload.costs, workload.seed)
    return {
        "rows": len(labels),
        "positives": int(labels.sum()),
        "threshold": workload.threshold,
        "costs": workload.costs.model_dump(),
        "models": {
            name: {"metrics": overall[name], "intervals": intervals[name], "calibration": calibration(s)}
            for name, s in scored.items()
        },
        "differences": {name: found for name, found in intervals.items() if name not in scored},
        "slices": [
            {
                "slice": name,
                "rows": int(mask.sum()),
                "metrics": {
                    model: metrics(Scored(values[mask], labels[mask]), workload.threshold, workload.costs)
                    for model, values in scores.items()
                },
            }
            for name, mask in slices(workload.slices, columns)
        ],
    }


def slices(declared: tuple[Slice, ...], columns: Columns) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    """Each declared slice that has rows, by name: `origin=EWR`, `dep_delay=[0, 15)`, and the missing ones."""
    for part in declared:
        column = columns[part.field]
        if part.edges:
            edges = (-np.inf, *part.edges, np.inf)
            for low, high in pairwise(edges):
                mask = (column >= low) & (column < high)
                if mask.any():
                    yield f"{part.field}=[{low:g}, {high:g})", mask
            missing = np.isnan(column)
        elif column.dtype == object:
            listed = column.tolist()
            for value in sorted({value for value in listed if value is not None}):
                yield f"{part.field}={value}", np.fromiter((v == value for v in listed), bool, len(listed))
            missing = np.fromiter((v is None for v in listed), bool, len(listed))
        else:
            for value in np.unique(column[~np.isnan(column)]):
                yield f"{part.field}={value:g}", column == value
            missing = np.isnan(column)
        if missing.any():
            yield f"{part.field}=missing", missing
