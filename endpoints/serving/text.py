"""JSON and CSV to columns.

Each has a quick way through Arrow, for long bodies of the usual form, and a thorough one that says what is wrong. The
quick one gives None for anything that is not plainly good.
"""

import csv
import io
import re
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import numpy as np
import orjson

from endpoints.serving.refusal import RefusedError
from endpoints.serving.tables import Column, Names, Table, too_many, unknown

BOM = b"\xef\xbb\xbf"
_LONG_JSON, _LONG_CSV = 64 * 1024, 4 * 1024
"""From so many bytes on the quick way is quicker: Arrow needs a third of a millisecond to begin."""
_ARROW_MOST = 1 << 30
_OPENING = re.compile(rb'\s*\{\s*"instances"\s*:\s*\[\s*(?=\{)')
_CLOSING = re.compile(rb"(?<=\})\s*\]\s*\}\s*\Z")


def preload() -> None:
    """Import what the quick ways need, which the first long body would wait for."""
    import pyarrow.csv
    import pyarrow.json  # noqa: F401


def decode_json(body: bytes, names: Names, _parameters: Mapping[str, str], max_rows: int) -> Table:
    """`{"instances": [{field: value, …}, …]}`."""
    body = body.removeprefix(BOM)
    table = quick_json(body, names, max_rows) if _LONG_JSON < len(body) < _ARROW_MOST else None
    return thorough_json(body, names, max_rows) if table is None else table


def thorough_json(body: bytes, names: Names, max_rows: int) -> Table:
    """Any JSON.

    Raises:
        RefusedError: 400 or 413, saying what is wrong with it.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # Python's json writes them, and no other reads them.
        hint = "; a missing value is null, not NaN" if b"NaN" in body or b"Infinity" in body else ""
        raise RefusedError(400, f"the body is no JSON: {error}{hint}") from None
    instances = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(instances, list):
        raise RefusedError(400, 'the body must be {"instances": [{field: value, …}, …]}')
    if len(instances) > max_rows:
        raise too_many(len(instances), max_rows)
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
                    raise unknown(row, name)
    return {name: [instance.get(name) for instance in instances] for name in present}


def quick_json(body: bytes, names: Names, max_rows: int) -> Table | None:
    """The table of a JSON of flat rows whose values are of their fields' types; None for any other.

    Arrow reads an object a line, so the commas between the rows become ends of lines. Where such a comma was no end
    of a row, Arrow fails: a text holds no end of line unescaped, and no field is an object or a list.
    """
    import pyarrow as pa
    from pyarrow import json as arrow

    opening, closing = _OPENING.match(body), _CLOSING.search(body, max(0, len(body) - 64))
    if opening is None or closing is None:
        return None
    rows = body[opening.end() : closing.start()]
    comma = b"},{" if b"},{" in rows else b"}, {"
    count = rows.count(comma) + 1
    if count > max_rows:
        return None
    schema = pa.schema(
        [(name, pa.float64() if name in names.numeric else pa.string()) for name in names.known]
    )
    try:
        table = arrow.read_json(
            pa.BufferReader(rows.replace(comma, b"}\n{")),
            arrow.ReadOptions(use_threads=False, block_size=len(rows) + 1),
            arrow.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
        )
        # More rows than commas say: some stood side by side without one.
        if table.num_rows != count:
            return None
        columns = {name: _column(table.column(name), name in names.numeric) for name in table.column_names}
    except (UnicodeDecodeError, pa.ArrowException):
        return None
    given: dict[str, Column] = {}
    for name, column in columns.items():
        if column is None:
            return None
        # The schema makes a column of every name; one that no row has was not sent.
        if table.column(name).null_count < count or b'"%s"' % name.encode() in rows:
            given[name] = column
    return Table(count, given)


def _column(column: Any, numeric: bool) -> "Column | None":
    """Arrow's column as the schema takes it; None if it says "nan" or "inf", which Arrow reads as numbers."""
    if not numeric:
        return list(column.to_pylist())
    values = np.asarray(column.to_numpy())
    finite = np.count_nonzero(np.isfinite(values))
    return values if finite == len(values) - column.null_count else None


def decode_csv(body: bytes, names: Names, parameters: Mapping[str, str], max_rows: int) -> Table:
    """Lines of values in the order of the header, or without one in that of the schema."""
    body = body.removeprefix(BOM)
    table = quick_csv(body, names, parameters, max_rows) if _LONG_CSV < len(body) < _ARROW_MOST else None
    return thorough_csv(body, names, parameters, max_rows) if table is None else table


def thorough_csv(body: bytes, names: Names, parameters: Mapping[str, str], max_rows: int) -> Table:
    """Any CSV.

    Raises:
        RefusedError: 400 or 413, saying what is wrong with it.
    """
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
        raise too_many(len(lines), max_rows)
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
            raise unknown(0, name)
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
        raise too_many(table.num_rows, max_rows)
    columns: dict[str, Column] = {}
    for name in table.column_names:
        column = _column(table.column(name), name in names.numeric)
        if column is None:
            return None
        columns[name] = column
    return Table(table.num_rows, columns)
