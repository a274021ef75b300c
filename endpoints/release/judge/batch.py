"""What one look adds: counts and small histograms, nothing of any row. Batches add up in any order."""

from collections.abc import Mapping
from typing import Self

from pydantic import AwareDatetime

from sluice.config import Frozen

STEPS = 20
GRID: tuple[float, ...] = tuple(step / STEPS for step in range(-STEPS, STEPS + 1))
"""The 41 values from -1 to 1 on which differences are counted."""

Weights = tuple[float, ...]


class Arm(Frozen):
    """What one version did in one look. Numbers are of requests; those of answers are of units of evidence.

    Attributes:
        requests: sent to it. In shadow both arms have the same requests.
        errors: of them, those that failed by the version's fault, unreadable answers among them.
        timed: of them, those whose latency is known.
        exceeded: of those, how many took longer than each quantile of `Reference.latencies`.
        slow: of those, how many took longer than `Rules.latency_ms`; None: not known.
        answered: units whose answers are in `scores` and `yes`.
        scores: units by bin of `Reference.scores`; a unit of several rows is spread over their bins.
        yes: units decided yes; fractions of units of several rows.
    """

    requests: float = 0
    errors: float = 0
    timed: float = 0
    exceeded: Weights = ()
    slow: float | None = None
    answered: float = 0
    scores: Weights = ()
    yes: float = 0


class Paired(Frozen):
    """Differences of the two answers by unit of evidence, each check as weights on `GRID`.

    A unit's value is the mean over its rows, split linearly between the two grid values around it. The check bets by a
    concave function of the value, so the split can only lower the evidence (Jensen), and the size stays fixed.

    Attributes:
        units: units that both versions answered.
        labelled: those of them with a label.
        values: by check of `rules.PAIRED`: 41 weights that sum to `units` or `labelled`. Beside the differences of the
            checks of `rules.PROMISED`, what each version has by itself: `loss:champion`, `loss:challenger`.
    """

    units: float = 0
    labelled: float = 0
    values: dict[str, Weights] = {}


class Batch(Frozen):
    """One look. What is not known stays empty, and is then missing, never fine.

    Each request, pair and label belongs to exactly one batch: whoever feeds the judge drops what it has fed before.
    A label that comes late comes in a batch of its own time, with `labelled` and the labelled checks alone.

    Attributes:
        since, until: the time that it covers.
        production_rows, joined_rows: rows that production answered, and those whose shadow answer was found.
        overdue: rows of production that at the end of the look wait for it for longer than it takes; no sum over looks.
        recent: joined rows that are younger than that at the end of the look; no sum over looks either.
        slices: by name of `Rules.slices`; others are ignored.
    """

    since: AwareDatetime
    until: AwareDatetime
    champion: Arm = Arm()
    challenger: Arm = Arm()
    production_rows: int = 0
    joined_rows: int = 0
    overdue: int = 0
    recent: int = 0
    paired: Paired = Paired()
    slices: dict[str, Paired] = {}

    def __add__(self, other: Self) -> Self:
        """Both looks as one."""
        names = {**self.slices, **other.slices}
        return type(self)(
            since=min(self.since, other.since),
            until=max(self.until, other.until),
            champion=add_arms(self.champion, other.champion),
            challenger=add_arms(self.challenger, other.challenger),
            production_rows=self.production_rows + other.production_rows,
            joined_rows=self.joined_rows + other.joined_rows,
            overdue=max(self.overdue, other.overdue),
            recent=max(self.recent, other.recent),
            paired=add_paired(self.paired, other.paired),
            slices={
                name: add_paired(self.slices.get(name, Paired()), other.slices.get(name, Paired()))
                for name in names
            },
        )


def empty(since: AwareDatetime, until: AwareDatetime) -> Batch:
    """A look that saw nothing."""
    return Batch(since=since, until=until)


def add_arms(one: Arm, two: Arm) -> Arm:
    """Sums of counts."""
    return Arm(
        requests=one.requests + two.requests,
        errors=one.errors + two.errors,
        timed=one.timed + two.timed,
        exceeded=add_weights(one.exceeded, two.exceeded),
        slow=_add_slow(one, two),
        answered=one.answered + two.answered,
        scores=add_weights(one.scores, two.scores),
        yes=one.yes + two.yes,
    )


def _add_slow(one: Arm, two: Arm) -> float | None:
    """Not known of a part is not known of the whole."""
    known = [arm.slow for arm in (one, two) if arm.timed]
    return None if not known or None in known else sum(slow for slow in known if slow is not None)


def add_paired(one: Paired, two: Paired) -> Paired:
    """Sums of weights."""
    names: Mapping[str, Weights] = {**one.values, **two.values}
    return Paired(
        units=one.units + two.units,
        labelled=one.labelled + two.labelled,
        values={name: add_weights(one.values.get(name, ()), two.values.get(name, ())) for name in names},
    )


def add_weights(one: Weights, two: Weights) -> Weights:
    """Sums by place; () is all zeros.

    Raises:
        ValueError: if both have values, and not as many.
    """
    if not one or not two:
        return one or two
    return tuple(a + b for a, b in zip(one, two, strict=True))
