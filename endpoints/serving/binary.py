"""npy and Arrow to columns. Never pickle."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from endpoints.serving.refusal import RefusedError, bad_row
from endpoints.serving.tables import Column, Names, Table, too_many, unknown


def decode_npy(body: bytes, names: Names, _parameters: Mapping[str, str], max_rows: int) -> Table:
    """A structured array, one row an element."""
    stream = io.BytesIO(body)
    try:
        shape, fortran, dtype = _npy_header(stream)
    except Exception as error:  # noqa: BLE001 - numpy parses the header as Python, which fails in many ways
        raise RefusedError(400, f"the body is no npy array: {error}") from None
    # An object array is a pickle, and unpickling runs what the caller wrote.
    if dtype.hasobject:
        raise RefusedError(400, "an npy array of objects is not accepted")
    if not shape:
        raise RefusedError(400, "the npy array has no rows")
    if shape[0] > max_rows:
        raise too_many(shape[0], max_rows)
    try:
        flat = np.frombuffer(body, dtype=dtype, offset=stream.tell())
        array = flat.reshape(shape, order="F" if fortran else "C")
    except (ValueError, TypeError, OverflowError) as error:
        raise RefusedError(400, f"the body is no npy array: {error}") from None
    # A plain matrix has no place for the row's id and time, without which no answer can be joined to its label.
    if dtype.names is None or array.ndim != 1:
        raise RefusedError(
            400, f"the npy array must be structured: one row an element, of {', '.join(names.ordered)}"
        )
    for name in dtype.names:
        if name not in names.known:
            raise unknown(0, name)
    return Table(len(array), {name: _plain(array[name], name) for name in dtype.names})


def _npy_header(stream: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran's order, and type of an npy array; the stream is left where its values begin."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)


def _plain(column: npt.NDArray[Any], name: str) -> Column:
    """The column in a kind that the schema reads: numbers, booleans, moments or texts."""
    if column.ndim != 1:
        raise bad_row(0, name, "must be one value")
    if column.dtype.kind == "U":
        points = np.ascontiguousarray(column.astype(column.dtype.newbyteorder("="))).view(np.uint32)
        # numpy does not look at what it is given as text; such a one breaks whoever touches it first.
        if ((points > 0x10FFFF) | ((points >= 0xD800) & (points < 0xE000))).any():
            raise bad_row(0, name, "is no Unicode text")
        return list(column.tolist())
    if column.dtype.kind == "S":
        try:
            return [text.decode() for text in column.tolist()]
        except UnicodeDecodeError:
            raise bad_row(0, name, "is no UTF-8") from None
    if column.dtype.kind in "fiubM":
        return column
    raise bad_row(0, name, f"of type {column.dtype} cannot be read")


def decode_arrow(body: bytes, names: Names, _parameters: Mapping[str, str], max_rows: int) -> Table:
    """A stream of record batches."""
    import pyarrow as pa

    rows = 0
    batches = []
    try:
        with pa.ipc.open_stream(pa.py_buffer(body)) as stream:
            for name in stream.schema.names:
                if name not in names.known:
                    raise unknown(0, name)
            if len(set(stream.schema.names)) != len(stream.schema.names):
                raise RefusedError(400, "the Arrow stream names a field twice")
            for batch in stream:
                rows += batch.num_rows
                if rows > max_rows:
                    raise too_many(rows, max_rows)
                # Offsets in a stream from outside may point anywhere; only this check makes them safe to follow.
                batch.validate(full=True)
                batches.append(batch)
            table = pa.Table.from_batches(batches, schema=stream.schema)
        columns = {name: _from_arrow(pa, table.column(name), name) for name in table.column_names}
    # ValueError: names and texts of a broken schema are decoded only when they are looked at.
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise RefusedError(400, f"the body is no Arrow stream: {said[0]}") from None
    return Table(rows, columns)


def _from_arrow(pa: Any, column: Any, name: str) -> Column:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    if any(is_one(kind) for is_one in texts):
        return list(column.to_pylist())
    if pa.types.is_timestamp(kind):
        # In its own unit: the schema tells what microseconds cannot hold, where a cast of Arrow's fails.
        return np.asarray(column.to_numpy(), dtype=f"datetime64[{kind.unit}]")
    if pa.types.is_boolean(kind):
        return list(column.to_pylist())
    if pa.types.is_integer(kind) and column.null_count:
        column = column.cast(pa.float64(), safe=False)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return np.asarray(column.to_numpy())
    raise bad_row(0, name, f"of type {kind} cannot be read")
