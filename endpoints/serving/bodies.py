"""Rows to request bodies: what a caller sends, and what a container warms itself up with."""

import csv
import io
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from endpoints.serving.codecs import ARROW, CSV, JSON, NPY

Rows = list[dict[str, Any]]


def _json(sample: Rows) -> bytes:
    return orjson.dumps({"instances": sample})


def _csv(sample: Rows) -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(sample[0]))
    writer.writeheader()
    writer.writerows(sample)
    return stream.getvalue().encode()


def _npy(sample: Rows) -> bytes:
    columns = {name: _column([row[name] for row in sample]) for name in sample[0]}
    array = np.empty(len(sample), dtype=[(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        array[name] = column
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def _column(values: list[Any]) -> npt.NDArray[Any]:
    """Missing is NaN among numbers and an empty text among texts: an npy array has no null."""
    texts = any(isinstance(value, str) for value in values)
    return np.array([("" if texts else math.nan) if value is None else value for value in values])


def _arrow(sample: Rows) -> bytes:
    import pyarrow as pa

    table = pa.Table.from_pylist(sample)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


ENCODERS: Mapping[str, Callable[[Rows], bytes]] = {JSON: _json, CSV: _csv, NPY: _npy, ARROW: _arrow}
"""How rows, each with the same fields, become a body."""
