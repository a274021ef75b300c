from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sluice.clock import ManualClock, SystemClock, iso, parse_iso

moments = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)


@given(moments)
def test_what_is_written_is_read_back(moment: datetime) -> None:
    assert parse_iso(iso(moment)) == moment


def test_a_moment_without_a_zone_is_utc() -> None:
    assert parse_iso("2013-04-01") == datetime(2013, 4, 1, tzinfo=UTC)
    assert iso(parse_iso("2013-04-01T02:00:00+02:00")) == "2013-04-01T00:00:00Z"


def test_a_held_clock_moves_when_it_sleeps_and_tells() -> None:
    seen: list[datetime] = []
    start = datetime(2026, 1, 1, tzinfo=UTC)
    clock = ManualClock(start, seen.append)
    clock.sleep(90)
    assert clock.now() == start + timedelta(seconds=90) and seen == [clock.now()]


def test_the_clock_on_the_wall_has_a_zone() -> None:
    assert SystemClock().now().tzinfo is UTC
