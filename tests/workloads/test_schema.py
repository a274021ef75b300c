import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads import schema
from workloads.contract import InputField, Workload

ROW = {
    "flight_id": "UA-1545-EWR-2013-01-01",
    "departed_at": "2013-01-01T10:17:00Z",
    "carrier": "UA",
    "origin": "EWR",
    "dest": "IAH",
    "distance": 1400,
    "scheduled_minute": 315,
    "scheduled_duration": 244,
    "weekday": 2,
    "dep_delay": 2.0,
    "origin_departures_1h": 0,
}
WORKLOAD = Workload.load("flights")


def read(*rows):
    return schema.read(WORKLOAD.needed("1.0"), schema.columns_of(rows), len(rows), WORKLOAD.fields)


def test_a_good_row_has_no_problem_and_typed_columns():
    columns, violations = read(ROW, {**ROW, "temp": 39.02})
    assert violations == []
    assert columns["dep_delay"].dtype == np.float64
    assert np.isnan(columns["temp"]).tolist() == [True, False]
    assert columns["departed_at"][0] == np.datetime64("2013-01-01T10:17:00")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("dep_delay", "soon", "'soon' is not a number"),
        ("dep_delay", None, "must not be null"),
        ("dep_delay", True, "True is not a number"),
        ("dep_delay", "nan", "'nan' is not a number"),
        ("dep_delay", float("inf"), "inf is above 2880"),
        ("dep_delay", [1], "is not a number"),
        ("dep_delay", 1e9, "is above 2880"),
        ("scheduled_minute", 1.5, "1.5 is not a whole number"),
        ("carrier", "ZZ", "'ZZ' is not one of"),
        ("carrier", 7, "7 is not text"),
        ("dest", "IAHX", "longer than 3"),
        ("departed_at", "yesterday", "not an ISO 8601 moment"),
        ("departed_at", 7, "not an ISO 8601 moment"),
        ("moon", 1, "not a field"),
    ],
)
def test_a_bad_value_is_named_by_row_and_field(field, value, message):
    _, violations = read(ROW, ROW, {**ROW, field: value})
    found = schema.problems(violations)
    assert any(p.field == field and message in p.message for p in found)
    if field != "moon":
        assert [p.row for p in found] == [2]


def test_a_field_that_no_row_has_is_missing():
    row = {name: value for name, value in ROW.items() if name != "carrier"}
    _, violations = read(row)
    assert [str(p) for p in schema.problems(violations)] == ["row 0, field carrier: is missing"]


NUMBER = InputField(name="x", type="float", min=-5, max=5)


@given(
    st.lists(
        st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=5), st.booleans()), max_size=20
    )
)
def test_a_number_passes_exactly_if_it_is_one_within_bounds(values):
    columns, violations = schema.read([NUMBER], {"x": values}, len(values))
    bad = schema.bad_rows(violations, len(values))
    for value, wrong, read_as in zip(values, bad, columns["x"], strict=True):
        try:
            number = None if isinstance(value, bool) or value is None else float(value)
        except ValueError:
            number = None
        except OverflowError:
            number = None
        good = number is not None and -5 <= number <= 5
        assert wrong == (not good)
        if good:
            assert read_as == number


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=50))
def test_typed_arrays_and_lists_read_the_same(values):
    listed, a = schema.read([NUMBER], {"x": values}, len(values))
    typed, b = schema.read([NUMBER], {"x": np.array(values)}, len(values))
    np.testing.assert_array_equal(listed["x"], typed["x"])
    assert schema.problems(a) == schema.problems(b)


FIELDS = (
    NUMBER,
    NUMBER.model_copy(update={"nullable": True}),
    NUMBER.model_copy(update={"type": "integer"}),
    InputField(name="x", type="integer", nullable=True),
    InputField(name="x", type="string", max_length=3),
    InputField(name="x", type="string", max_length=3, nullable=True),
    InputField(name="x", type="category", categories=("a", "1")),
    InputField(name="x", type="category", categories=("a", "1"), nullable=True),
    InputField(name="x", type="timestamp"),
    InputField(name="x", type="timestamp", nullable=True),
)
MOMENTS = ["2013-07-01T12:00:00Z", "2013-07-01T12:00:00+02:00", "2013-02-30T12:00:00Z", "2013-07-01"]
anything = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-7, 7),
    st.booleans(),
    st.sampled_from(["", "1", " 2", "x", "a", "long text", "nan", "1e999", 10**400, *MOMENTS]),
    st.lists(st.integers(), max_size=1),
)
alike = st.one_of(
    *(st.lists(kind, min_size=1, max_size=8) for kind in (anything, st.floats(-6, 6), st.sampled_from("a1b")))
)


@given(st.sampled_from(FIELDS), alike, st.booleans())
def test_few_rows_and_many_read_the_same(field, values, typed):
    """Whatever comes: value by value, at once, and rule by rule give the same columns and the same words."""
    if typed:
        values = [float(value) if type(value) in (int, float) and value < 1e9 else 0.0 for value in values]
    as_sent = (lambda column: np.array(column)) if typed else list
    few, a = schema.read([field], {"x": as_sent(values)}, len(values))
    many, b = schema.read([field], {"x": as_sent(values * 9)}, len(values) * 9)
    np.testing.assert_array_equal(np.tile(few["x"], 9), many["x"])
    assert few["x"].dtype == many["x"].dtype
    assert list(map(str, schema.problems(a, 100))) == [
        str(p) for p in schema.problems(b, 100) if p.row < len(values)
    ]
    # What goes the quick way must be what the thorough way finds nothing wrong with.
    field_, found = schema._Field(field), []
    thorough = schema.Reader([field])._thorough(field_, {"x": as_sent(values)}, len(values), found)
    np.testing.assert_array_equal(few["x"], thorough)
    assert list(map(str, schema.problems(a, 100))) == list(map(str, schema.problems(found, 100)))


def test_fields_of_other_versions_are_ignored_and_unknown_ones_told():
    reader = schema.Reader([NUMBER], ["x", "later"])
    assert reader.read({"x": [1.0], "later": ["anything"]}, 1)[1] == []
    _, found = reader.read({"x": [1.0], "never": [1]}, 1)
    assert [str(p) for p in schema.problems(found)] == ["row 0, field never: is not a field of this workload"]
