"""Requests made up from the schema, so that the first caller does not wait for what loads lazily."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import orjson

from endpoints.serving.codecs import ARROW, CSV, JSON, NPY
from endpoints.serving.model import Served
from workloads.contract import InputField

_MOMENT = "2013-07-01T12:00:00Z"


def rows(fields: Iterable[InputField], count: int) -> list[dict[str, Any]]:
    """`count` rows that the schema allows."""
    return [{field.name: _value(field, row) for field in fields} for row in range(count)]


def _value(field: InputField, row: int) -> Any:
    if field.categories:
        return field.categories[row % len(field.categories)]
    if field.type == "timestamp":
        return _MOMENT
    if field.type == "string":
        return f"{row:03d}"[-field.max_length :]
    low = field.min if field.min is not None else min(0.0, field.max or 0.0)
    high = field.max if field.max is not None else max(low, 0.0)
    middle = (low + high) / 2
    return int(np.floor(middle)) if field.type == "integer" else middle


def bodies(served: Served, counts: Iterable[int]) -> Iterator[tuple[str, bytes]]:
    """Bodies of each content type and each number of rows, with their content types."""
    for count in counts:
        sample = rows(served.needed, count)
        for content_type in ENCODERS:
            yield content_type, ENCODERS[content_type](sample)


def _json(sample: list[dict[str, Any]]) -> bytes:
    return orjson.dumps({"instances": sample})


def _csv(sample: list[dict[str, Any]]) -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(sample[0]))
    writer.writeheader()
    writer.writerows(sample)
    return stream.getvalue().encode()


def _npy(sample: list[dict[str, Any]]) -> bytes:
    columns = {name: np.array([row[name] for row in sample]) for name in sample[0]}
    array = np.empty(len(sample), dtype=[(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        array[name] = column
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def _arrow(sample: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa

    table = pa.Table.from_pylist(sample)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


ENCODERS: Mapping[str, Any] = {JSON: _json, CSV: _csv, NPY: _npy, ARROW: _arrow}
"""How rows become a body; the commands send with the same."""
