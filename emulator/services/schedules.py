"""Schedule expressions of AWS: `at(…)`, `rate(…)` and `cron(…)`. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

UNITS: Mapping[str, int] = {"minute": 60, "hour": 3600, "day": 86400, "second": 1}
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
HORIZON_DAYS = 366 * 5
_EXPRESSION = re.compile(r"^(at|rate|cron)\((.*)\)$")


@dataclass(frozen=True)
class Cron:
    """AWS's six fields. A day field is None for `?`; L, W and # are not read."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None
    years: frozenset[int] | None

    def on(self, day: datetime) -> bool:
        """Whether it fires on this day at all. Weekdays count from Sunday = 1."""
        return (
            (self.years is None or day.year in self.years)
            and day.month in self.months
            and (self.days is None or day.day in self.days)
            and (self.weekdays is None or day.isoweekday() % 7 + 1 in self.weekdays)
        )


def check(expression: str) -> None:
    """Raises:
    ValueError: if it is no schedule.
    """
    following(expression, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))


def following(expression: str, after: datetime, created: datetime, zone: str = "UTC") -> datetime | None:
    """The first moment after `after` at which the schedule fires, in UTC; None if never again.

    Args:
        created: a rate counts from here.
        zone: IANA name, for at() and cron().

    Raises:
        ValueError: if the expression cannot be read.
    """
    match = _EXPRESSION.match(expression.strip())
    if match is None:
        raise ValueError(f"{expression!r} is no schedule")
    kind, body = match.groups()
    if kind == "rate":
        return _rate(body, after, created)
    timezone = ZoneInfo(zone)
    if kind == "at":
        moment = datetime.fromisoformat(body.strip())
        moment = moment.replace(tzinfo=timezone) if moment.tzinfo is None else moment
        return moment.astimezone(UTC) if moment > after else None
    return _cron(_read_cron(body), after.astimezone(timezone))


def _rate(body: str, after: datetime, created: datetime) -> datetime:
    match = re.match(r"^(\d+) (second|minute|hour|day)s?$", body.strip())
    if match is None or int(match.group(1)) < 1:
        raise ValueError(f"rate({body}) is no schedule")
    step = timedelta(seconds=int(match.group(1)) * UNITS[match.group(2)])
    passed = max(0, int((after - created) / step))
    return created + (passed + 1) * step


def _cron(cron: Cron, after: datetime) -> datetime | None:
    moment = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    for ahead in range(HORIZON_DAYS):
        day = moment if ahead == 0 else (moment + timedelta(days=ahead)).replace(hour=0, minute=0)
        if not cron.on(day):
            continue
        for hour in sorted(cron.hours):
            for minute in sorted(cron.minutes):
                found = day.replace(hour=hour, minute=minute)
                if found >= day:
                    return found.astimezone(UTC)
    return None


@lru_cache(maxsize=256)
def _read_cron(body: str) -> Cron:
    fields = body.split()
    if len(fields) != 6:
        raise ValueError(f"cron({body}) needs six fields")
    if (fields[2] == "?") == (fields[4] == "?"):
        raise ValueError(f"cron({body}): exactly one of day of month and day of week must be ?")
    return Cron(
        minutes=_field(fields[0], 0, 59),
        hours=_field(fields[1], 0, 23),
        days=None if fields[2] == "?" else _field(fields[2], 1, 31),
        months=_field(fields[3], 1, 12, {name: number for number, name in enumerate(MONTHS, 1)}),
        weekdays=None
        if fields[4] == "?"
        else _field(fields[4], 1, 7, {name: n for n, name in enumerate(DAYS, 1)}),
        years=None if fields[5] == "*" else _field(fields[5], 1970, 2199),
    )


def _field(text: str, low: int, high: int, words: Mapping[str, int] = {}) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = low if first == "*" else _number(first, words)
        open_ended = first == "*" or (step and not last)
        end = high if open_ended else _number(last or first, words)
        if not low <= start <= end <= high or (step and int(step) < 1):
            raise ValueError(f"{text!r} is outside {low} to {high}")
        found.update(range(start, end + 1, int(step) if step else 1))
    return frozenset(found)


def _number(text: str, words: Mapping[str, int]) -> int:
    return words[text.upper()] if text.upper() in words else int(text)
