"""Bodies to columns: JSON, CSV, npy and Arrow. Never pickle, and nothing is built from a name that is not known."""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from endpoints.serving.refusal import RefusedError, bad_row

JSON = "application/json"
CSV = "text/csv"
NPY = "application/x-npy"
ARROW = "application/vnd.apache.arrow.stream"
CONTENT_TYPES = (JSON, CSV, NPY, ARROW)
BOM = b"\xef\xbb\xbf"
_SHORT = 4096
"""Up to so many bytes of CSV are read line by line: Arrow needs a quarter of a millisecond to begin."""

Column = npt.NDArray[Any] | list[Any]


@dataclass(frozen=True)
class Names:
    """The names a body may use.

    Args:
        ordered: the fields of this version in the schema's order: the columns of a CSV without header.
        known: every field declared for any version; another name is refused.
        numeric: those of `known` that are numbers.
    """

    ordered: tuple[str, ...]
    known: frozenset[str]
    numeric: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Table:
    """Columns of `rows` values each, as `workloads.schema.read` takes them: lists as they stood in JSON or CSV, typed
    arrays of npy and Arrow."""

    rows: int
    columns: Mapping[str, Column]


def decode(content_type: str, body: bytes, names: Names, max_rows: int) -> Table:
    """The columns in a request's body.

    Args:
        content_type: one of `CONTENT_TYPES`, with parameters if the caller sent some.

    Raises:
        RefusedError: 415 for another content type, 413 for too many rows, 400 for a body that cannot be read, is
            empty, or holds a field that the workload does not know.
    """
    media, parameters = media_type(content_type)
    decoder = _DECODERS.get(media)
    if decoder is None:
        raise RefusedError(415, f"content type {media or 'none'!r} is not one of {', '.join(CONTENT_TYPES)}")
    # JSON is UTF-8 by its standard, and CSV here: read as anything else, a name would become another one unseen.
    charset = parameters.get("charset", "utf-8")
    if media in (JSON, CSV) and charset not in ("utf-8", "utf8", "us-ascii"):
        raise RefusedError(415, f"charset {charset[:40]!r} is not utf-8")
    if not body:
        raise RefusedError(400, "the request has no body")
    table = decoder(body, names, parameters, max_rows)
    if table.rows == 0:
        raise RefusedError(400, "the request holds no rows")
    return table


def media_type(header: str) -> tuple[str, Mapping[str, str]]:
    """`text/csv; header=absent` as its lower-case type and its parameters."""
    media, *rest = header.split(";")
    pairs = (part.partition("=") for part in rest)
    return media.strip().lower(), {
        k.strip().lower(): v.strip().strip('"').lower() for k, _, v in pairs if k.strip()
    }


def _too_many(rows: int, max_rows: int) -> RefusedError:
    return RefusedError(413, f"{rows} rows are more than the {max_rows} that one request may hold")


def _unknown(row: int, name: str) -> RefusedError:
    return bad_row(row, name[:80], "is not a field of this workload")


def _decode_json(body: bytes, names: Names, _parameters: Mapping[str, str], max_rows: int) -> Table:
    try:
        document = orjson.loads(body.removeprefix(BOM))
    except orjson.JSONDecodeError as error:
        # Python's json writes them, and no other reads them.
        hint = "; a missing value is null, not NaN" if b"NaN" in body or b"Infinity" in body else ""
        raise RefusedError(400, f"the body is no JSON: {error}{hint}") from None
    instances = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(instances, list):
        raise RefusedError(400, 'the body must be {"instances": [{field: value, …}, …]}')
    if len(instances) > max_rows:
        raise _too_many(len(instances), max_rows)
    if not set(map(type, instances)) <= {dict}:
        row = next(row for row, instance in enumerate(instances) if not isinstance(instance, dict))
        raise RefusedError(400, f"row {row} must be an object of fields")
    return Table(len(instances), _transposed(instances, names))


def _transposed(instances: list[dict[str, Any]], names: Names) -> Mapping[str, Column]:
    if not instances:
        return {}
    first = tuple(instances[0])
    if len(first) > 1 and set(map(len, instances)) == {len(first)} and names.known.issuperset(first):
        # As many fields each and none of the first row's missing: the same fields.
        try:
            return dict(
                zip(first, map(list, zip(*map(itemgetter(*first), instances), strict=True)), strict=True)
            )
        except KeyError:
            pass
    present: set[str] = set().union(*instances)
    # Before any column is made: a body of many made-up names must not cost rows times names of memory.
    if not present <= names.known:
        for row, instance in enumerate(instances):
            for name in instance:
                if name not in names.known:
                    raise _unknown(row, name)
    return {name: [instance.get(name) for instance in instances] for name in present}


def _decode_csv(body: bytes, names: Names, parameters: Mapping[str, str], max_rows: int) -> Table:
    body = body.removeprefix(BOM)
    table = quick_csv(body, names, parameters, max_rows) if len(body) > _SHORT else None
    return _thorough_csv(body, names, parameters, max_rows) if table is None else table


def _thorough_csv(body: bytes, names: Names, parameters: Mapping[str, str], max_rows: int) -> Table:
    try:
        text = body.decode()
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except UnicodeDecodeError:
        raise RefusedError(400, "the body is no UTF-8") from None
    except csv.Error as error:
        raise RefusedError(400, f"the body is no CSV: {error}") from None
    if not lines:
        return Table(0, {})
    header = csv_header(lines[0], names, parameters)
    if header is None:
        header = list(names.ordered)
    else:
        lines = lines[1:]
    if len(lines) > max_rows:
        raise _too_many(len(lines), max_rows)
    if not set(map(len, lines)) <= {len(header)}:
        row = next(row for row, line in enumerate(lines) if len(line) != len(header))
        raise RefusedError(
            400, f"row {row} has {len(lines[row])} values where {len(header)} are due: {', '.join(header)}"
        )
    columns = dict(zip(header, map(list, zip(*lines, strict=True)), strict=False))
    return Table(len(lines), columns)


def csv_header(cells: list[str], names: Names, parameters: Mapping[str, str]) -> list[str] | None:
    """The names in the first line of a CSV; None if it is no header.

    Raises:
        RefusedError: 400 for a header that names a field twice, or one that is not known.
    """
    header = [cell.strip() for cell in cells]
    # RFC 7111 lets the caller say so; else a line that names a field is a header.
    says = parameters.get("header")
    if says == "absent" or (says != "present" and not any(cell in names.known for cell in header)):
        return None
    for name in header:
        if name not in names.known:
            raise _unknown(0, name)
    if len(set(header)) != len(header):
        raise RefusedError(400, "the header names a field twice")
    return header


def quick_csv(body: bytes, names: Names, parameters: Mapping[str, str], max_rows: int) -> Table | None:
    """The table of a CSV without quotes whose every number is one, forty times as fast as cell by cell; None for any
    other, also a wrong one, which somebody has to look at."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    if b'"' in body or b"\x00" in body or body.count(b"\r") != body.count(b"\r\n"):
        return None
    first = body[: body.find(b"\n")].removesuffix(b"\r")
    try:
        header = csv_header(first.decode().split(","), names, parameters)
        kinds = {name: pa.float64() if name in names.numeric else pa.string() for name in names.known}
        table = arrow.read_csv(
            pa.BufferReader(body),
            arrow.ReadOptions(
                use_threads=False,
                block_size=len(body) + 1,
                column_names=header or list(names.ordered),
                skip_rows=0 if header is None else 1,
            ),
            arrow.ParseOptions(quote_char=False),
            arrow.ConvertOptions(column_types=kinds, null_values=[""], strings_can_be_null=True),
        )
    except (UnicodeDecodeError, pa.ArrowException):
        return None
    if table.num_rows > max_rows:
        raise _too_many(table.num_rows, max_rows)
    columns: dict[str, Column] = {}
    for name in table.column_names:
        column = table.column(name)
        if name in names.numeric:
            values = np.asarray(column.to_numpy())
            # Arrow reads "nan" and "inf", which are no numbers here.
            if np.count_nonzero(np.isfinite(values)) != table.num_rows - column.null_count:
                return None
            columns[name] = values
        else:
            columns[name] = column.to_pylist()
    return Table(table.num_rows, columns)


def _decode_npy(body: bytes, names: Names, _parameters: Mapping[str, str], max_rows: int) -> Table:
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
        raise _too_many(shape[0], max_rows)
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
            raise _unknown(0, name)
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


def _decode_arrow(body: bytes, names: Names, _parameters: Mapping[str, str], max_rows: int) -> Table:
    import pyarrow as pa

    rows = 0
    batches = []
    try:
        with pa.ipc.open_stream(pa.py_buffer(body)) as stream:
            for name in stream.schema.names:
                if name not in names.known:
                    raise _unknown(0, name)
            if len(set(stream.schema.names)) != len(stream.schema.names):
                raise RefusedError(400, "the Arrow stream names a field twice")
            for batch in stream:
                rows += batch.num_rows
                if rows > max_rows:
                    raise _too_many(rows, max_rows)
                # Offsets in a stream from outside may point anywhere; only this check makes them safe to follow.
                batch.validate(full=True)
                batches.append(batch)
            table = pa.Table.from_batches(batches, schema=stream.schema)
    except (pa.ArrowException, OSError, EOFError) as error:
        raise RefusedError(400, f"the body is no Arrow stream: {str(error).splitlines()[0]}") from None
    return Table(rows, {name: _from_arrow(pa, table.column(name), name) for name in table.column_names})


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


_DECODERS: Mapping[str, Callable[[bytes, Names, Mapping[str, str], int], Table]] = {
    JSON: _decode_json,
    CSV: _decode_csv,
    NPY: _decode_npy,
    ARROW: _decode_arrow,
}
