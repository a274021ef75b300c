"""Score a file of rows with the model in a directory: `python -m workloads.score MODEL_DIR ROWS.parquet OUT.npy`.

An evaluation runs a champion this way, in a process of its own that sees the `code/` of the champion's own
model.tar.gz first, so that two versions with different features stand side by side.
"""

import sys
from pathlib import Path

import numpy as np
import polars as pl

from workloads import schema
from workloads.modules import Scorer


def score(model: Path, rows: Path, out: Path) -> None:
    """Write the scores (n,) of the rows, in their order.

    Raises:
        ValueError: if the version refuses a row.
    """
    scorer = Scorer(model)
    needed = scorer.workload.needed(scorer.description.version)
    frame = pl.read_parquet(rows, columns=[field.name for field in needed])
    columns, violations = schema.read(needed, raw_columns(frame), frame.height)
    if violations:
        raise ValueError("; ".join(map(str, schema.problems(violations, 3))))
    np.save(out, scorer.score(columns), allow_pickle=False)


def raw_columns(frame: pl.DataFrame) -> dict[str, object]:
    """The columns of a frame as `workloads.schema.read` takes them: typed arrays where the frame has them."""
    raw: dict[str, object] = {}
    for column in frame.iter_columns():
        if column.dtype.is_numeric():
            raw[column.name] = column.cast(pl.Float64).to_numpy()
        elif column.dtype.is_temporal():
            raw[column.name] = column.cast(pl.Datetime("us")).to_numpy()
        else:
            raw[column.name] = column.to_list()
    return raw


if __name__ == "__main__":
    score(*(Path(argument) for argument in sys.argv[1:4]))
