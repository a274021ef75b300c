from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads import values

written = st.datetimes().map(lambda moment: moment.isoformat(timespec="seconds") + "Z")
nearly = written.flatmap(
    lambda text: st.tuples(st.integers(0, len(text) - 1), st.characters(codec="utf-8")).map(
        lambda change: text[: change[0]] + change[1] + text[change[0] + 1 :]
    )
)
odd = st.sampled_from(
    ["NaT", "today", "2013-07-01", "2013-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "2013-07-01T24:00:00Z", ""]
)


@given(st.lists(written | nearly | odd, min_size=1, max_size=12) | st.lists(written, min_size=1))
def test_moments_read_at_once_are_those_read_one_by_one(texts):
    at_once = values.quick_moments(texts)
    one_by_one = [values.moment(text) for text in texts]
    if at_once is not None:
        assert at_once.tolist() == one_by_one
    else:
        # The quick way may give up; on a column of well-written moments it must not.
        assert not all(
            read is not None and read.isoformat(timespec="seconds") + "Z" == text
            for read, text in zip(one_by_one, texts, strict=True)
        )


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns"])
def test_typed_moments_never_wrap_around(unit):
    given_ = np.array([0, 2**62, -(2**62), np.iinfo(np.int64).min]).view(f"datetime64[{unit}]")
    read, bad = values.moments(given_)
    assert read[0] == np.datetime64("1970-01-01")
    # 2**62 nanoseconds are the year 2116; of any coarser unit no datetime holds them.
    assert bad.tolist() == ([False] * 4 if unit == "ns" else [False, True, True, False])
    assert np.isnat(read).tolist() == ([False] * 3 + [True] if unit == "ns" else [False, True, True, True])


def test_a_moment_beyond_a_datetime_is_none():
    """The first hours of the year 1, seen from the east, are in the year 0."""
    assert values.moment("0001-01-01T00:00:00+05:00") is None
    assert values.moment("9999-12-31T23:59:59-05:00") is None
    assert values.moment(datetime(2013, 7, 1, 12, tzinfo=UTC)) == datetime(2013, 7, 1, 12)
    assert values.moment("2013-07-01T14:00:00+02:00") == datetime(2013, 7, 1, 12)


@given(st.lists(st.none() | st.floats() | st.integers() | st.text(max_size=4) | st.booleans(), max_size=12))
def test_numbers_read_at_once_are_those_read_one_by_one(column):
    at_once = values.quick_numbers(column)
    if at_once is not None:
        one_by_one = [None if value in values.MISSING else values.number(value) for value in column]
        np.testing.assert_array_equal(at_once, np.array(one_by_one, dtype=np.float64))
