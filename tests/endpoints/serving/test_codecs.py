import csv
import io
import json
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endpoints.serving.answers import Predictions, encode, negotiate
from endpoints.serving.bodies import ENCODERS
from endpoints.serving.codecs import (
    ARROW,
    CONTENT_TYPES,
    CSV,
    JSON,
    NPY,
    Names,
    Table,
    decode,
)
from endpoints.serving.refusal import RefusedError
from endpoints.serving.text import quick_csv, quick_json, thorough_csv, thorough_json
from workloads.contract import InputField
from workloads.schema import problems, read

FIELDS = (
    InputField(name="id", type="string", max_length=30),
    InputField(name="at", type="timestamp"),
    InputField(name="x", type="float", nullable=True, min=-1e9, max=1e9),
    InputField(name="n", type="integer", min=-100, max=100),
    InputField(name="kind", type="category", categories=("a", "b,c")),
)
NAMES = Names(
    tuple(field.name for field in FIELDS),
    frozenset({"id", "at", "x", "n", "kind", "later"}),
    frozenset({"x", "n"}),
)

# What a line of CSV and an npy string can hold: no NUL, which numpy strips at the end of a text.
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), min_size=1, max_size=30)
values = st.fixed_dictionaries(
    {
        "id": texts,
        "at": st.just("2013-07-01T12:00:00Z") | st.just("2013-07-01T12:00:00.25+02:00"),
        "x": st.none() | st.floats(-1e9, 1e9, allow_nan=False),
        "n": st.integers(-100, 100),
        "kind": st.sampled_from(["a", "b,c"]),
    }
)


def typed(table: Table) -> Mapping[str, list[Any]]:
    # NaN is not equal to itself.
    columns, found = read(FIELDS, table.columns, table.rows, NAMES.known)
    assert not found, problems(found)
    return {n: [None if v != v else v for v in column.tolist()] for n, column in columns.items()}


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(values, min_size=1, max_size=20))
def test_a_body_of_any_type_is_read_as_the_same_columns(
    content_type: str, rows: list[dict[str, Any]]
) -> None:
    body = ENCODERS[content_type](rows)
    columns = typed(decode(content_type, body, NAMES, 100))
    assert columns["id"] == [row["id"] for row in rows]
    assert columns["x"] == [row["x"] for row in rows]
    assert columns["n"] == [row["n"] for row in rows]
    assert columns["kind"] == [row["kind"] for row in rows]
    assert columns == typed(decode(JSON, ENCODERS[JSON](rows), NAMES, 100))


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
@settings(max_examples=80)
@given(data=st.data())
def test_any_bytes_are_answered_or_refused(content_type: str, data: st.DataObject) -> None:
    """Whatever comes, also a real body with some bytes changed: columns or a refusal, never another error."""
    real = ENCODERS[content_type](
        [{"id": "r", "at": "2013-07-01T12:00:00Z", "x": 1.5, "n": 3, "kind": "a"}] * 2
    )
    body = data.draw(st.binary(max_size=200) | st.just(real))
    for _ in range(data.draw(st.integers(0, 3))):
        if body:
            where = data.draw(st.integers(0, len(body) - 1))
            body = body[:where] + data.draw(st.binary(max_size=2)) + body[where + 1 :]
    try:
        table = decode(content_type, body, NAMES, 100)
    except RefusedError as refused:
        assert refused.status in (400, 413)
    else:
        assert 0 < table.rows <= 100
        assert all(len(column) == table.rows for column in table.columns.values())
        read(FIELDS, table.columns, table.rows, NAMES.known)


def test_an_arrow_name_that_is_no_text_is_refused() -> None:
    body = ENCODERS[ARROW]([{"id": "r", "at": "2013-07-01T12:00:00Z", "x": 1.5, "n": 3, "kind": "a"}])
    with pytest.raises(RefusedError, match="is no Arrow stream"):
        decode(ARROW, body.replace(b"kind", b"\x80ind", 1), NAMES, 100)


ROW = {"id": "r", "at": "2013-07-01T12:00:00Z", "x": 1.5, "n": 3, "kind": "a"}


def npy(array: np.ndarray[Any, Any], allow_pickle: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=allow_pickle)
    return stream.getvalue()


def arrow(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('the pickle ran')",))


REFUSALS: dict[str, tuple[str, bytes, int, str]] = {
    "another type": ("application/x-parquet", b"x", 415, "application/x-parquet"),
    "no type": ("", b"x", 415, "none"),
    "no JSON": (JSON, b"{", 400, "no JSON"),
    "another charset": ("text/csv; charset=latin-1", b"id\na\n", 415, "'latin-1' is not utf-8"),
    "no body": (JSON, b"", 400, "no body"),
    "NaN": (JSON, b'{"instances": [{"x": NaN}]}', 400, "a missing value is null, not NaN"),
    "a list": (JSON, b"[]", 400, "instances"),
    "a row that is a list": (JSON, b'{"instances": [[1]]}', 400, "row 0 must be an object"),
    "no rows": (JSON, b'{"instances": []}', 400, "no rows"),
    "too many rows": (JSON, orjson.dumps({"instances": [{}] * 6}), 413, "6 rows"),
    "an unknown field": (
        JSON,
        orjson.dumps({"instances": [ROW, {**ROW, "colour": 1}]}),
        400,
        "row 1, field colour: is not a field",
    ),
    "no UTF-8": (CSV, b"\xff\xfe", 400, "no UTF-8"),
    "an unknown column": (CSV, b"id,colour\na,b\n", 400, "field colour"),
    "a column twice": (CSV, b"id,id\na,b\n", 400, "twice"),
    "too few cells": (CSV, b"id,x\na,1\nb\n", 400, "row 1 has 1 values where 2 are due: id, x"),
    "too many lines": (CSV, b"id\n" + b"a\n" * 6, 413, "6 rows"),
    "an open quote": (CSV, b'"a', 400, "no CSV"),
    "only a header": (CSV, b"id,x\n", 400, "no rows"),
    "a pickle in npy": (NPY, npy(np.array([Bomb()], dtype=object), allow_pickle=True), 400, "objects"),
    "a pickle": (NPY, pickle.dumps(Bomb()), 400, "no npy"),
    "a matrix": (NPY, npy(np.zeros((2, 2))), 400, "structured"),
    "no dimension": (NPY, npy(np.float64(1)), 400, "no rows"),
    "an unknown npy field": (NPY, npy(np.zeros(1, dtype=[("colour", "f8")])), 400, "field colour"),
    "an npy that lies about its size": (NPY, npy(np.zeros(4, dtype=[("x", "f8")]))[:-8], 400, "no npy"),
    "too many npy rows": (NPY, npy(np.zeros(6, dtype=[("x", "f8")])), 413, "6 rows"),
    "an npy field of many values": (NPY, npy(np.zeros(1, dtype=[("x", "f8", 3)])), 400, "one value"),
    "npy text that is none": (
        NPY,
        npy(np.frombuffer(b"\xff" * 4, dtype=[("id", "<U1")])),
        400,
        "field id: is no Unicode",
    ),
    "half a character in npy": (NPY, npy(np.array([("\ud800",)], dtype=[("id", "<U1")])), 400, "no Unicode"),
    "no Arrow": (ARROW, b"x" * 40, 400, "no Arrow"),
    "an unknown Arrow column": (ARROW, arrow(pa.table({"colour": [1]})), 400, "field colour"),
    "an Arrow list": (ARROW, arrow(pa.table({"x": [[1.0]]})), 400, "field x: of type list"),
    "too many Arrow rows": (ARROW, arrow(pa.table({"x": [1.0] * 6})), 413, "6 rows"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(case: str) -> None:
    content_type, body, status, says = REFUSALS[case]
    with pytest.raises(RefusedError) as caught:
        decode(content_type, body, NAMES, 5)
    assert caught.value.status == status
    assert says in caught.value.problem


def test_csv_without_header_is_in_the_schema_s_order() -> None:
    table = decode(CSV, b'a1,2013-07-01T12:00:00Z,,3,"b,c"\n', NAMES, 5)
    assert typed(table)["kind"] == ["b,c"]
    assert typed(table)["x"] == [None]
    assert decode("text/csv; header=absent", b"id,2013-07-01T12:00:00Z,,3,a\n", NAMES, 5).rows == 1


numbers = (
    st.none()
    | st.integers(-9, 9).map(str)
    | st.floats().map(str)
    | st.sampled_from([" 1 ", "1_0", "x", "1e3"])
)
cells = st.text(st.characters(codec="utf-8", exclude_characters=",\n\r"), max_size=4)


@settings(max_examples=300)
@given(
    lines=st.lists(st.tuples(cells, cells, numbers, numbers, cells), min_size=1, max_size=12),
    header=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
    spoiled=st.none() | st.tuples(st.integers(0, 200), st.sampled_from(["\n", ",", "\r", '"', " ", "\x00"])),
)
def test_csv_read_at_once_is_that_read_cell_by_cell(
    lines: list[tuple[str | None, ...]], header: bool, end: str, spoiled: tuple[int, str] | None
) -> None:
    text = end.join(",".join(cell or "" for cell in line) for line in lines) + end
    text = f"id,at,x,n,kind{end}{text}" if header else text
    if spoiled:
        text = text[: spoiled[0]] + spoiled[1] + text[spoiled[0] :]
    body = text.encode()
    try:
        thorough = thorough_csv(body, NAMES, {}, 100)
        expected = read(FIELDS, thorough.columns, thorough.rows, NAMES.known)
    except RefusedError as refused:
        try:
            assert quick_csv(body, NAMES, {}, 100) is None
        except RefusedError as also:
            assert also.problem == refused.problem
        return
    quick = quick_csv(body, NAMES, {}, 100)
    if quick is None:
        return
    assert quick.rows == thorough.rows
    columns, found = read(FIELDS, quick.columns, quick.rows, NAMES.known)
    assert list(map(str, problems(found, 99))) == list(map(str, problems(expected[1], 99)))
    for name, column in columns.items():
        np.testing.assert_array_equal(column, expected[0][name])


anything = (
    st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9) | st.booleans() | cells
)
sent = st.fixed_dictionaries(
    {},
    optional={
        name: anything | st.sampled_from(["},{", 1]) for name in ("id", "at", "x", "n", "kind", "later")
    },
) | st.fixed_dictionaries(
    {"id": cells, "x": st.none() | st.floats(-9, 9), "n": st.integers(-9, 9), "at": cells}
)


@settings(max_examples=400)
@given(
    instances=st.lists(sent, min_size=1, max_size=6),
    spaced=st.booleans(),
    spoiled=st.none()
    | st.tuples(
        st.integers(0, 200),
        st.integers(0, 3),
        st.sampled_from(["", " ", "\n", ",", "null", "NaN", "{", "}{", "},{", "]", '"', "[", "-0", "1e999"]),
    ),
)
def test_json_read_at_once_is_that_read_row_by_row(
    instances: list[dict[str, Any]], spaced: bool, spoiled: tuple[int, int, str] | None
) -> None:
    text = json.dumps({"instances": instances}, separators=None if spaced else (",", ":"), ensure_ascii=False)
    if spoiled:
        text = text[: spoiled[0]] + spoiled[2] + text[spoiled[0] + spoiled[1] :]
    body = text.encode()
    quick = quick_json(body, NAMES, 100)
    try:
        thorough = thorough_json(body, NAMES, 100)
    except RefusedError:
        assert quick is None
        return
    if quick is None:
        return
    assert quick.rows == thorough.rows
    columns, found = read(FIELDS, quick.columns, quick.rows, NAMES.known)
    expected, wrong = read(FIELDS, thorough.columns, thorough.rows, NAMES.known)
    assert list(map(str, problems(found, 99))) == list(map(str, problems(wrong, 99)))
    for name, column in columns.items():
        np.testing.assert_array_equal(column, expected[name])


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_long_json_is_read_at_once(separators: tuple[str, str]) -> None:
    rows = [{**ROW, "id": f"r{n}", "x": None if n % 2 else n / 7} for n in range(2000)]
    body = json.dumps({"instances": rows}, separators=separators).encode()
    assert quick_json(body, NAMES, 2000) is not None
    assert typed(decode(JSON, body, NAMES, 2000)) == typed(thorough_json(body, NAMES, 2000))
    with pytest.raises(RefusedError, match="row 1999, field colour"):
        decode(JSON, body[:-3] + b',"colour":1}]}', NAMES, 2000)
    with pytest.raises(RefusedError, match="2000 rows"):
        decode(JSON, body, NAMES, 1999)
    nested = body[:-3] + b',"later":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}"
    assert quick_json(nested, NAMES, 2000) is None


def test_a_long_csv_is_read_at_once() -> None:
    rows = [{**ROW, "id": f"r{n}", "x": None if n % 2 else n / 7} for n in range(500)]
    body = ENCODERS[CSV](rows)
    assert quick_csv(body, NAMES, {}, 1000) is not None
    assert typed(decode(CSV, body, NAMES, 1000)) == typed(decode(JSON, ENCODERS[JSON](rows), NAMES, 1000))
    quoted = body.replace(b",a\r", b',"b,c"\r')
    assert typed(decode(CSV, quoted, NAMES, 1000))["kind"] == ["b,c"] * 500
    assert typed(decode(CSV, b"\xef\xbb\xbf" + body, NAMES, 1000))["id"][499] == "r499"


def test_a_newline_in_quotes_and_a_byte_order_mark_are_read() -> None:
    body = '\ufeffid,at,x,n,kind\n"a\nb",2013-07-01T12:00:00Z,,3,a\n'.encode()
    assert typed(decode(CSV, body, NAMES, 5))["id"] == ["a\nb"]
    sent = b"\xef\xbb\xbf" + ENCODERS[JSON]([ROW])
    assert decode("application/json; charset=UTF-8", sent, NAMES, 5).rows == 1


@pytest.mark.parametrize(
    ("kind", "value", "wrong"),
    [
        (pa.timestamp("ns"), 1_372_680_000_000_000_001, False),
        (pa.timestamp("ms", "UTC"), 1_372_680_000_000, False),
        (pa.timestamp("s"), 2**60, True),
        (pa.timestamp("us"), None, True),
    ],
)
def test_arrow_moments_of_any_unit(kind: Any, value: int | None, wrong: bool) -> None:
    body = arrow(pa.table({"at": pa.array([value], kind)}))
    table = decode(ARROW, body, NAMES, 5)
    columns, found = read(FIELDS[1:2], table.columns, table.rows)
    assert [str(p) for p in problems(found)] == (
        [] if not wrong else [str(p) for p in problems(found) if p.field == "at"]
    )
    assert bool(found) == wrong
    if not wrong:
        assert columns["at"][0] == np.datetime64("2013-07-01T12:00:00")


def test_arrow_texts_of_any_kind() -> None:
    for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())):
        body = arrow(pa.table({"id": pa.array(["a", None], kind)}))
        assert decode(ARROW, body, NAMES, 5).columns["id"] == ["a", None]


def test_arrow_nulls_are_missing() -> None:
    columns = {
        "id": pa.array(["a", "b"]),
        "at": pa.array([0, 1], pa.timestamp("us", "UTC")),
        "x": pa.array([None, 1.0]),
        "n": pa.array([1, 2], pa.int8()),
        "kind": pa.array(["a", "b,c"]).dictionary_encode(),
    }
    table = typed(decode(ARROW, arrow(pa.table(columns)), NAMES, 5))
    assert table["x"] == [None, 1.0]
    assert (table["n"], table["kind"]) == ([1.0, 2.0], ["a", "b,c"])


@pytest.mark.parametrize(
    ("accept", "sent", "given"),
    [
        (None, CSV, CSV),
        ("*/*", ARROW, ARROW),
        ("text/csv", JSON, CSV),
        ("application/json;q=0.5, text/csv", JSON, CSV),
        ("text/html, application/*;q=0.8", JSON, JSON),
        ("application/*", CSV, JSON),
        ("text/*", CSV, CSV),
        ("text/csv;q=0, */*;q=0.1", JSON, JSON),
        ("text/csv;q=0, */*;q=0.1", CSV, JSON),
        ("Text/CSV; charset=utf-8", JSON, CSV),
        ("*/*;q=0.5, application/json;q=0.4", CSV, CSV),
    ],
)
def test_accept_chooses(accept: str | None, sent: str, given: str) -> None:
    assert negotiate(accept, sent) == given


@pytest.mark.parametrize("accept", ["text/html", "text/csv;q=0", "application/pdf, image/*"])
def test_accept_of_nothing_we_have_is_refused(accept: str) -> None:
    with pytest.raises(RefusedError, match="none of") as caught:
        negotiate(accept, JSON)
    assert caught.value.status == 406


@given(
    rows=st.lists(st.tuples(texts, st.floats(0, 1), st.booleans()), min_size=1, max_size=20),
)
def test_answers_say_the_same_in_every_type(rows: list[tuple[str, float, bool]]) -> None:
    ids, scores, decisions = (list(column) for column in zip(*rows, strict=True))
    answer = Predictions(ids, np.array(scores), np.array(decisions), "parcels", "1.2")

    document = orjson.loads(encode(JSON, answer))
    assert [(r["id"], r["score"], r["decision"]) for r in document["predictions"]] == rows
    lines = csv.reader(io.StringIO(encode(CSV, answer).decode(), newline=""))
    assert [(i, float(s), d == "true") for i, s, d in lines] == rows
    array = np.load(io.BytesIO(encode(NPY, answer)), allow_pickle=False)
    assert array.tolist() == rows
    with pa.ipc.open_stream(encode(ARROW, answer)) as stream:
        table = stream.read_all()
    assert (
        list(zip(*(table.column(name).to_pylist() for name in ("id", "score", "decision")), strict=True))
        == rows
    )
    assert table.schema.metadata[b"version"] == b"1.2"
