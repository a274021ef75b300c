"""Tables in files: daily Parquet partitions in, frames and typed columns out. Polars reads ten times faster than
pyarrow or pandas here."""

from pathlib import Path

import polars as pl

from sluice.errors import SluiceError
from workloads import schema
from workloads.contract import Workload
from workloads.modules import Array
from workloads.schema import Violation
from workloads.score import raw_columns


def read_partitions(folder: Path) -> pl.DataFrame:
    """Every Parquet file below the folder, in the order of their names, as one frame.

    Raises:
        SluiceError: if there is none, or one has other columns than the first.
    """
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise SluiceError(f"there is no data in {folder.name}", "Let data arrive first: sluice data arrive.")
    try:
        return pl.concat(
            [pl.read_parquet(file, hive_partitioning=False) for file in files], how="vertical_relaxed"
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SluiceError(f"{folder.name} cannot be read: {str(error).splitlines()[0]}") from error


def typed(workload: Workload, frame: pl.DataFrame) -> tuple[dict[str, Array], list[Violation]]:
    """The input fields of a frame as columns, and what is wrong with them. Fields beyond the schema are ignored:
    a source may give more than this method uses."""
    known = frame.select([name for name in frame.columns if name in workload.fields])
    return schema.read(workload.input, raw_columns(known), frame.height, workload.fields)
