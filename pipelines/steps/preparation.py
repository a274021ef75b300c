"""From clean rows to what training and evaluation read, split by time and never by chance."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.steps import drift
from pipelines.steps.tables import typed
from sluice.clock import iso
from sluice.errors import SluiceError
from workloads import modules
from workloads.contract import Workload
from workloads.modules import Array


@dataclass(frozen=True)
class Prepared:
    """Training data as the model wants it, evaluation rows as a request brings them.

    Attributes:
        x, y: features and labels of the events before `train_until` whose label was known by then.
        profile: what the training rows looked like, field by field.
        evaluation: input fields and label of the events from `train_until` to `evaluate_until`.
        facts: hash, period and counts of the training data.
    """

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.bool_]
    profile: dict[str, Any]
    evaluation: pl.DataFrame
    facts: dict[str, Any]


def prepare(
    workload: Workload,
    observations: pl.DataFrame,
    labels: pl.DataFrame,
    train_until: datetime,
    evaluate_until: datetime,
) -> Prepared:
    """Join, split and compute features.

    A label that became known after `train_until` is not trained on: at that moment nobody could have.

    Raises:
        SluiceError: if one of the parts is empty or has one class only.
    """
    time, label = pl.col(workload.time).cast(pl.Datetime("us", "UTC")), workload.label.name
    joined = observations.join(
        labels.filter(pl.col("known_at") < evaluate_until), on=workload.id, how="inner"
    ).sort(workload.time, workload.id)
    training = joined.filter((time < train_until) & (pl.col("known_at") < train_until))
    evaluation = joined.filter((time >= train_until) & (time < evaluate_until))
    for name, part in (("train on", training), ("evaluate with", evaluation)):
        if part[label].n_unique() < 2:
            raise SluiceError(
                f"of the {part.height} labelled rows to {name}, {label} has fewer than two values"
            )
    columns, violations = typed(workload, training)
    if violations:
        raise SluiceError(
            f"{violations[0].field} breaks {violations[0].rule}, which validation should have put aside"
        )
    x = modules.features(workload.name).features(columns)
    y = training[label].to_numpy().astype(np.bool_)
    facts = {
        "data_hash": data_hash(training[workload.id].to_list(), columns, y),
        "train_from": iso(training.select(time.min()).item()),
        "train_until": iso(train_until),
        "evaluated_until": iso(evaluate_until),
        "training_rows": training.height,
        "evaluation_rows": evaluation.height,
        "base_rate": float(y.mean()),
    }
    profile = drift.profile(workload.input, columns)
    return Prepared(x, y, profile, evaluation.drop("known_at"), facts)


def data_hash(ids: list[str], columns: dict[str, Array], y: npt.NDArray[np.bool_]) -> str:
    """SHA-256 of the training rows: ids, every input value, labels, in order. Of the data, not of the features,
    for those belong to the code."""
    digest = hashlib.sha256("\n".join(ids).encode())
    for name in sorted(columns):
        column = columns[name]
        digest.update(name.encode())
        if column.dtype == object:
            digest.update("\n".join(value or "\0" for value in column.tolist()).encode())
        else:
            digest.update(np.ascontiguousarray(column).tobytes())
    digest.update(y.tobytes())
    return digest.hexdigest()
