"""What waits from one look to the next: requests for their other half, and joined rows for their label. Pure.

Both are bounded, and both are plain JSON, so that a watch that was killed goes on where it was.
"""

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from endpoints.release.captures import Answer, Record
from endpoints.watch.exchange import Detail, Exchange

MAX_ANSWERS = 50_000
"""Rows, or requests without any, of each variant that wait for their other half; beyond them the oldest count as
unmatched. Both variants' are some 200 MB in memory."""
MAX_ROWS = 20_000
"""That wait for labels. Beyond it a share of the rows is kept, chosen by a hash of the row."""
PAYLOAD_SECONDS = 60.0
"""How far apart the two halves of a request may be where only their bytes tell that they belong together."""


@dataclass
class _Side:
    by_id: dict[str, list[int]] = field(default_factory=dict)
    by_payload: dict[str, list[int]] = field(default_factory=dict)
    requests: dict[int, Exchange] = field(default_factory=dict)
    serial: int = 0

    def add(self, exchange: Exchange) -> None:
        self.serial += 1
        self.requests[self.serial] = exchange
        for identity in exchange.record.ids:
            self.by_id.setdefault(identity, []).append(self.serial)
        self.by_payload.setdefault(exchange.payload, []).append(self.serial)

    def take(self, other: Exchange) -> tuple[Exchange, bool] | None:
        """The half that belongs to `other`, and whether an id says so."""
        for identity in other.record.ids:
            for serial in self.by_id.get(identity, ()):
                return self.drop(serial), True
        for serial in self.by_payload.get(other.payload, ()):
            found = self.requests[serial]
            apart = abs((found.record.moment - other.record.moment).total_seconds())
            # Both have ids and they differ: the same bytes were sent twice, and these are two requests.
            if apart <= PAYLOAD_SECONDS and not (found.record.ids and other.record.ids):
                return self.drop(serial), False
        return None

    def drop(self, serial: int) -> Exchange:
        exchange = self.requests.pop(serial)
        keys = ((self.by_id, exchange.record.ids), (self.by_payload, (exchange.payload,)))
        for index, names in keys:
            for name in names:
                index[name].remove(serial)
                if not index[name]:
                    del index[name]
        return exchange


@dataclass(frozen=True)
class Match:
    """Both halves of a request."""

    production: Exchange
    shadow: Exchange
    by_id: bool


def mirrored(record: Record, began: datetime | None) -> bool:
    """Whether a request of production has another half that could be missing: none has that was answered before
    mirroring began. Moments are whole seconds, so the first second is left out."""
    return began is not None and record.moment > began


class Halves:
    """Requests of both variants that wait for their other half."""

    def __init__(self, kept: dict[str, Any] | None = None) -> None:
        self._sides = {True: _Side(), False: _Side()}
        for production, name in ((True, "production"), (False, "shadow")):
            for value in (kept or {}).get(name, ()):
                self._sides[production].add(_exchange(value))

    def offer(self, production: bool, exchange: Exchange) -> Match | None:
        """The whole request, if the other half is here; else it waits."""
        found = self._sides[not production].take(exchange)
        if found is None:
            self._sides[production].add(exchange)
            return None
        other, by_id = found
        return Match(exchange, other, by_id) if production else Match(other, exchange, by_id)

    def expire(self, before: datetime) -> Iterator[tuple[bool, Exchange]]:
        """Those that waited too long, or are too many; True with production's."""
        for production, side in self._sides.items():
            old = [serial for serial, each in side.requests.items() if each.record.moment < before]
            for serial in old:
                yield production, side.drop(serial)
            left = sum(_size(each) for each in side.requests.values())
            for serial in sorted(side.requests):
                if left <= MAX_ANSWERS:
                    break
                left -= _size(side.requests[serial])
                yield production, side.drop(serial)

    def overdue(self, before: datetime, began: datetime | None) -> int:
        """Rows of production that have waited since before a moment; none of before mirroring began."""
        return sum(
            len(each.record.answers or ())
            for each in self._sides[True].requests.values()
            if each.record.moment < before and mirrored(each.record, began)
        )

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return {
            name: [_plain(each) for each in self._sides[production].requests.values()]
            for production, name in ((True, "production"), (False, "shadow"))
        }


def _size(exchange: Exchange) -> int:
    return len(exchange.record.answers or ()) or 1


def _plain(exchange: Exchange) -> list[Any]:
    record = exchange.record
    answers = record.answers and [[each.row, each.score, each.decision] for each in record.answers]
    details = {row: [each.day, each.entity, dict(each.slices)] for row, each in exchange.details.items()}
    return [record.moment.timestamp(), list(record.ids), record.payload, record.version, answers, details]


def _exchange(value: list[Any]) -> Exchange:
    moment, ids, payload, version, answers, details = value
    record = Record(
        moment=datetime.fromtimestamp(moment, UTC),
        ids=tuple(ids),
        payload=payload,
        version=version,
        answers=None if answers is None else tuple(Answer(*each) for each in answers),
    )
    return Exchange(record, {row: Detail(*each) for row, each in details.items()})


@dataclass(frozen=True)
class Row:
    """A row that both answered."""

    id: str
    unit: str
    moment: float
    champion: Answer
    challenger: Answer
    detail: Detail


class Unlabelled:
    """Joined rows that wait for their label."""

    def __init__(self, kept: dict[str, Any] | None = None) -> None:
        kept = kept or {}
        self.halvings: int = kept.get("halvings", 0)
        self._rows = {row.id: row for row in map(_row, kept.get("rows", ()))}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Row) -> None:
        """Keep it, if it is in the sample that still fits."""
        if self._inside(row.id):
            self._rows[row.id] = row
        while len(self._rows) > MAX_ROWS:
            self.halvings += 1
            self._rows = {name: each for name, each in self._rows.items() if self._inside(name)}

    def ids(self) -> list[str]:
        """Of the rows that wait."""
        return list(self._rows)

    def days(self) -> dict[str, int]:
        """By the day of their event a sum over the rows, which is another for other rows."""
        found: dict[str, int] = {}
        for row in self._rows.values():
            found[row.detail.day] = found.get(row.detail.day, 0) + zlib.crc32(row.id.encode()) + 1
        return found

    def take(self, id: str) -> Row | None:
        """The row, which then waits no longer."""
        return self._rows.pop(id, None)

    def expire(self, before: float) -> int:
        """Forget those answered before a moment; how many they were."""
        old = [name for name, row in self._rows.items() if row.moment < before]
        for name in old:
            del self._rows[name]
        return len(old)

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        rows = [
            [
                row.id,
                row.unit,
                row.moment,
                [row.champion.score, row.champion.decision],
                [row.challenger.score, row.challenger.decision],
                [row.detail.day, row.detail.entity, dict(row.detail.slices)],
            ]
            for row in self._rows.values()
        ]
        return {"halvings": self.halvings, "rows": rows}

    def _inside(self, id: str) -> bool:
        return int(hashlib.sha256(id.encode()).hexdigest()[:8], 16) < (1 << 32) >> self.halvings


def _row(value: list[Any]) -> Row:
    id, unit, moment, champion, challenger, detail = value
    return Row(id, unit, moment, Answer(id, *champion), Answer(id, *challenger), Detail(*detail))
