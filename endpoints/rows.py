"""Rows of a workload's own data, as a caller would send them."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import polars as pl

from sluice.errors import SluiceError
from workloads import modules
from workloads.contract import Workload

Row = dict[str, Any]


def since(workload: Workload, start: datetime) -> Iterator[Row]:
    """Rows from the event time on, in its order, with every field of the schema; moments as ISO 8601 texts.

    Raises:
        SluiceError: if the source offers no table of observations, or none so late.
    """
    source: Any = modules.source(workload.name)
    if not hasattr(source, "load_observations"):
        raise SluiceError(
            f"workloads/{workload.name}/source.py offers no rows to send",
            "Define load_observations(), which gives the observations as a polars table.",
        )
    table: pl.DataFrame = source.load_observations()
    table = table.filter(pl.col(workload.time) >= pl.lit(start)).sort(workload.time, workload.id)
    if table.is_empty():
        raise SluiceError(
            f"{workload.name} has no rows from {start:%Y-%m-%d %H:%M} on", "Choose an earlier --from."
        )
    moments = [field.name for field in workload.input if field.type == "timestamp"]
    table = table.select(field.name for field in workload.input)
    for part in table.iter_slices(1000):
        texts = part.with_columns(pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ") for name in moments)
        yield from texts.iter_rows(named=True)
