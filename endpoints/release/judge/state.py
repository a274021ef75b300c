"""What the judge remembers: sums and likelihood ratios of constant size, as JSON."""

from collections.abc import Mapping
from typing import Self

from pydantic import AwareDatetime

from endpoints.release.judge import shares
from endpoints.release.judge.batch import Arm, Batch, Paired, add_arms, add_paired
from endpoints.release.judge.rules import PROMISED, Rules
from endpoints.release.judge.tracking import Track
from sluice.config import Frozen

VERSION = 2
"""Of the judge's arithmetic; a state of another version is not continued."""
MOST_SLOW = 6.0
"""Slow answers that one look counts for at most, over both arms: they come in bursts, for what holds one up holds up
all beside it. A factor to a power below 1 that depends on their number alone is, by Jensen's inequality, no larger in
expectation, so the evidence stays valid; a stall of a second is then one bad look and not forty bad requests."""


class Ledger(Frozen):
    """One comparison of counts: log likelihood ratios against "not worse" and against "worse than acceptable"."""

    worse: tuple[float, ...]
    acceptable: tuple[float, ...]
    hits: float = 0
    others: float = 0


class Peak(Frozen):
    """The highest evidence against the challenger so far, combined over all checks, and the check that gave most."""

    log10_e: float
    check: str
    slice: str | None
    look: int
    moment: AwareDatetime


class State(Frozen):
    """Everything that a verdict needs. `start(rules)` makes an empty one; `update` adds looks.

    `model_dump_json` and `model_validate_json` give it back exactly.

    Attributes:
        rules: fingerprint of the rules it began under.
        tracks: in the stage live, the bets against each of `expected` and the margin beyond it.
        expected: in the stage live, by check or check of a slice: the highest mean that its shadow allows to expect.
        first: begin of the first look, from which the warm-up runs.
        since, until: the time that is counted.
        looks: counted looks.
        ledgers: by check, or check and part: `errors`, `latency:0`, `score:>=3`, `decision:yes`.
        peak: by Ville's inequality the largest value ever reached is what alpha bounds; it never falls again.
    """

    version: int = VERSION
    rules: str
    expected: dict[str, float] = {}
    tracks: dict[str, Track] = {}
    first: AwareDatetime | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    looks: int = 0
    production_rows: int = 0
    joined_rows: int = 0
    overdue: int = 0
    recent: int = 0
    champion: Arm = Arm()
    challenger: Arm = Arm()
    ledgers: dict[str, Ledger] = {}
    paired: Paired = Paired()
    slices: dict[str, Paired] = {}
    peak: Peak | None = None

    @property
    def join_rate(self) -> float | None:
        """Of the rows that production answered, those whose shadow answer was found; one that is overdue is missing
        until it comes. Of rows too young to be overdue only those that came can be seen, so none of them counts. None
        of nothing."""
        rows = self.production_rows - self.recent + self.overdue
        return (self.joined_rows - self.recent) / rows if rows else None

    def add(self, batch: Batch, rules: Rules) -> Self:
        """The sums with one more look; `update` also keeps the peak."""
        known = {name: found for name, found in batch.slices.items() if name in rules.slices}
        return self.model_copy(
            update={
                "since": min(self.since or batch.since, batch.since),
                "until": max(self.until or batch.until, batch.until),
                "looks": self.looks + 1,
                "production_rows": self.production_rows + batch.production_rows,
                "joined_rows": self.joined_rows + batch.joined_rows,
                "overdue": batch.overdue,
                "recent": batch.recent,
                "champion": add_arms(self.champion, batch.champion),
                "challenger": add_arms(self.challenger, batch.challenger),
                "ledgers": _ledgers(self.ledgers, batch, rules),
                "tracks": _tracks(self.tracks, self.expected, batch, rules),
                "paired": add_paired(self.paired, batch.paired),
                "slices": {
                    **self.slices,
                    **{
                        name: add_paired(self.slices.get(name, Paired()), found)
                        for name, found in known.items()
                    },
                },
            }
        )


def _ledgers(ledgers: dict[str, Ledger], batch: Batch, rules: Rules) -> dict[str, Ledger]:
    one, two = batch.champion, batch.challenger
    settings = rules.settings
    found = dict(ledgers)

    def add(name: str, check: str, hits: float, others: float, mine: float, theirs: float) -> None:
        if not mine or not theirs:
            return
        part = min(1.0, MOST_SLOW / (hits + others)) if check == "latency" and hits + others else 1.0
        margin = rules.margin("score" if check == "decision" else check)
        worse, acceptable = shares.worse(margin.tolerated), shares.acceptable(margin.accepted)
        old = found.get(name) or Ledger(worse=worse.begin, acceptable=acceptable.begin)
        share = mine / (mine + theirs)
        found[name] = Ledger(
            worse=shares.add(old.worse, hits * part, others * part, share, worse),
            acceptable=shares.add(old.acceptable, hits * part, others * part, share, acceptable),
            hits=old.hits + hits,
            others=old.others + others,
        )

    add("errors", "errors", two.errors, one.errors, two.requests, one.requests)
    if len(one.exceeded) == len(two.exceeded) == len(settings.latency_quantiles):
        for place, (hits, others) in enumerate(zip(two.exceeded, one.exceeded, strict=True)):
            add(f"latency:{place}", "latency", hits, others, two.timed, one.timed)
    if len(one.scores) == len(two.scores):
        for name, low, high in score_sets(len(one.scores)):
            hits, others = sum(two.scores[low:high]), sum(one.scores[low:high])
            add(f"score:{name}", "score", hits, others, two.answered, one.answered)
    if rules.stage == "canary":
        add("decision:yes", "decision", two.yes, one.yes, two.answered, one.answered)
        add(
            "decision:no",
            "decision",
            two.answered - two.yes,
            one.answered - one.yes,
            two.answered,
            one.answered,
        )
    return found


def _tracks(
    tracks: Mapping[str, Track], expected: Mapping[str, float], batch: Batch, rules: Rules
) -> dict[str, Track]:
    found = dict(tracks)
    if rules.stage != "live":
        return found
    for name in (None, *rules.slices):
        paired = batch.paired if name is None else batch.slices.get(name, Paired())
        for check in PROMISED:
            at, counts = named(check, name), paired.values.get(f"{check}:challenger", ())
            bound = expected.get(at, 1.0) + rules.margin(check, sliced=name is not None).tolerated
            if counts and bound < 1:
                found[at] = found.get(at, Track()).grown(counts, bound)
    return found


def named(check: str, of: str | None) -> str:
    """`loss`, or `loss of origin=EWR`."""
    return check if of is None else f"{check} of {of}"


def score_sets(bins: int) -> list[tuple[str, int, int]]:
    """The parts of the score that are compared: every tail, and every single bin. (name, first bin, end)."""
    tails = [(f"<{k}", 0, k) for k in range(1, bins)] + [(f">={k}", k, bins) for k in range(1, bins)]
    return tails + [(f"={k}", k, k + 1) for k in range(1, bins - 1)]
