"""Pairs of answers: what production and shadow said to the same request, row by row. Pure.

The key is (inference id, row id). SageMaker does not say whether the capture of a shadow variant carries the
inference id, so there are three ways to find the other half of a request, the surest first: the inference id, the id
that the caller put into the custom attributes, and the request's bytes with its minute.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from endpoints.release.captures import Answer, Record

MAX_WAITING = 100_000
"""Requests of one variant that wait for their other half; the oldest then counts as never answered by the other.
Both variants are read in order of time, so a half that is that late does not come."""


@dataclass
class _Waiting:
    record: Record
    matched: bool = False


@dataclass
class _Side:
    by_id: dict[str, deque[_Waiting]] = field(default_factory=dict)
    by_payload: dict[str, deque[_Waiting]] = field(default_factory=dict)
    order: deque[_Waiting] = field(default_factory=deque)

    def add(self, record: Record) -> None:
        waiting = _Waiting(record)
        self.order.append(waiting)
        for identity in record.ids:
            self.by_id.setdefault(identity, deque()).append(waiting)
        self.by_payload.setdefault(record.payload, deque()).append(waiting)
        while len(self.order) > MAX_WAITING:
            self.forget(self.order.popleft())

    def take(self, record: Record) -> Record | None:
        """The other half of `record`, if it is here."""
        for identity in record.ids:
            found = self._first(self.by_id, identity, lambda _: True)
            if found is not None:
                return found
        # Both halves have ids and they differ: the same bytes were sent twice, and these are two requests.
        return self._first(self.by_payload, record.payload, lambda other: not (record.ids and other.ids))

    def _first(
        self, index: dict[str, deque[_Waiting]], key: str, fits: Callable[[Record], bool]
    ) -> Record | None:
        for waiting in index.get(key, ()):
            if not waiting.matched and fits(waiting.record):
                self.forget(waiting)
                return waiting.record
        return None

    def forget(self, waiting: _Waiting) -> None:
        waiting.matched = True
        for index, keys in ((self.by_id, waiting.record.ids), (self.by_payload, (waiting.record.payload,))):
            for key in keys:
                left = index.get(key)
                if left is not None:
                    left.remove(waiting)
                    if not left:
                        del index[key]
        # Those in the middle of the order stay until they come to its front.
        while self.order and self.order[0].matched:
            self.order.popleft()


@dataclass(frozen=True)
class Pair:
    """The answers of both to one row."""

    production: Answer
    shadow: Answer


@dataclass
class Counts:
    """What a join saw. Rows are those of answers that could be read."""

    production_rows: int = 0
    """In the time that is counted."""
    shadow_rows: int = 0
    joined_by_id: int = 0
    joined_by_payload: int = 0
    shadow_unreadable: int = 0
    """Answers of the shadow that are not of the agreed form."""
    shadow_answers: int = 0
    other_versions: int = 0
    """Answers of the shadow that another version gave; they are not counted."""
    pairs: int = 0
    agreed: int = 0
    score_difference_sum: float = 0.0
    score_difference_max: float = 0.0
    first: datetime | None = None
    """The first answer of the shadow: from then on requests are mirrored."""
    last: datetime | None = None


def merge(production: Iterable[Record], shadow: Iterable[Record]) -> Iterator[tuple[bool, Record]]:
    """Both streams by time; True with those of production. Holds one record of each."""
    iterators = iter(production), iter(shadow)
    heads: list[Record | None] = [next(iterator, None) for iterator in iterators]
    while (mine := heads[0]) is not None or heads[1] is not None:
        other = heads[1]
        first = mine is not None and (other is None or mine.moment <= other.moment)
        side = 0 if first else 1
        record = heads[side]
        assert record is not None
        yield first, record
        heads[side] = next(iterators[side], None)


def join(
    production: Iterable[Record],
    shadow: Iterable[Record],
    version: str,
    until: datetime,
    began: datetime | None = None,
) -> Counts:
    """Join the records of both variants.

    Args:
        production, shadow: records in order of time.
        version: the challenger's.
        until: requests after this moment are left out: their captures may still be on the way.
        began: when mirroring began, if that is known; else the shadow's first answer says it.
    """
    counts = Counts(first=began)
    sides = {True: _Side(), False: _Side()}
    for is_production, record in merge(production, shadow):
        # No more than roughly in order, for instances write objects of their own: later ones may still be earlier.
        if record.moment > until:
            continue
        if is_production:
            # What production answered before mirroring began has no other half, and is not missing one. Moments
            # are whole seconds, so the first second is left out.
            if counts.first is not None and record.moment > counts.first:
                _take(counts, sides, True, record)
            continue
        if record.version is not None and record.version != version:
            counts.other_versions += 1
            continue
        counts.shadow_answers += 1
        counts.first, counts.last = counts.first or record.moment, record.moment
        counts.shadow_unreadable += record.answers is None
        _take(counts, sides, False, record)
    return counts


def _take(counts: Counts, sides: dict[bool, _Side], is_production: bool, record: Record) -> None:
    rows = len(record.answers or ())
    if is_production:
        counts.production_rows += rows
    else:
        counts.shadow_rows += rows
    other = sides[not is_production].take(record)
    if other is None:
        sides[is_production].add(record)
        return
    if set(record.ids) & set(other.ids):
        counts.joined_by_id += 1
    else:
        counts.joined_by_payload += 1
    mine, theirs = (record, other) if is_production else (other, record)
    for pair in pairs(mine, theirs):
        counts.pairs += 1
        counts.agreed += pair.production.decision == pair.shadow.decision
        difference = abs(pair.production.score - pair.shadow.score)
        counts.score_difference_sum += difference
        counts.score_difference_max = max(counts.score_difference_max, difference)


def pairs(production: Record, shadow: Record) -> Iterator[Pair]:
    """The rows of one request that both answered."""
    if production.answers is None or shadow.answers is None:
        return
    by_row = {answer.row: answer for answer in shadow.answers}
    for answer in production.answers:
        other = by_row.get(answer.row)
        if other is not None:
            yield Pair(answer, other)
