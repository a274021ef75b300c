"""The e-values of every check, and their weighted average.

An average of e-values is an e-value whatever their dependence (Vovk and Wang, "E-values: calibration, combination and
applications", Annals of Statistics 2021, proposition 3.1), and of e-processes an e-process. So the checks share one
alpha by their weights, and each slice has its part of the weight of the slices; a check without data keeps its 1.
"""

from collections.abc import Iterator
from math import exp, inf, log
from typing import NamedTuple

from endpoints.release.judge import betting, shares
from endpoints.release.judge.batch import Paired, Weights
from endpoints.release.judge.rules import COUNTED, LABELLED, PAIRED, PROMISED, Rules
from endpoints.release.judge.state import Ledger, Peak, State, named
from endpoints.release.judge.tracking import Track

LOG10 = log(10.0)
SLOW_SHARE = 0.01
"""`latency_ms` is a p99."""
_POSITIVE = ("agreement", "flips")
"""Checks whose values are never below 0."""
_TWO_SIDED = ("decision", "shift")


class Weighed(NamedTuple):
    """One check: natural logs of its e-values, against the challenger and for it."""

    check: str
    slice: str | None
    weight: float
    worse: float
    acceptable: float
    seen: float
    """Units it rests on."""


def weigh(state: State, rules: Rules) -> list[Weighed]:
    """Every check that the stage has, those that only report too (their weight is 0)."""
    if rules.stage == "live":
        whole = [_promised(check, None, state, rules, rules.weight_of(check)) for check in PROMISED]
        return whole + list(_slices(state, rules))
    found = [_counted(check, state, rules) for check in COUNTED]
    if rules.stage == "canary":
        found.append(_counted("decision", state, rules))
        return found
    found += [_paired(check, None, state.paired, rules, rules.weight_of(check)) for check in PAIRED]
    return found + list(_slices(state, rules))


def strongest(state: State, rules: Rules) -> Peak:
    """The combined evidence against the challenger as it is now, and what gave most of it."""
    weighed = weigh(state, rules)
    top = max(weighed, key=lambda w: w.worse + log(w.weight) if w.weight else -inf)
    assert state.until is not None
    return Peak(
        log10_e=combine(weighed) / LOG10,
        check=top.check,
        slice=top.slice,
        look=state.looks,
        moment=state.until,
    )


def combine(weighed: list[Weighed]) -> float:
    """Natural log of the weighted average; weight that no check has is kept as 1."""
    cash = 1.0 - sum(w.weight for w in weighed)
    parts = [(w.weight, w.worse) for w in weighed if w.weight > 0]
    if cash > 0:
        parts.append((cash, 0.0))
    top = max(value for _, value in parts)
    return top + log(sum(weight * exp(value - top) for weight, value in parts))


def _slices(state: State, rules: Rules) -> Iterator[Weighed]:
    deciding = [(check, each) for check in rules.sliced if (each := rules.weight_in_slice(check))]
    for name in rules.slices:
        for check, each in deciding:
            if rules.stage == "live":
                yield _promised(check, name, state, rules, each)
            else:
                yield _paired(check, name, state.slices.get(name, Paired()), rules, each)


def _counted(check: str, state: State, rules: Rules) -> Weighed:
    """Average over the parts of the check; for acceptance every part has to be shown, or the absolute bound."""
    parts = [ledger for name, ledger in state.ledgers.items() if name.partition(":")[0] == check]
    worse = shares.log_mean_exp([shares.log_e(part.worse) for part in parts])
    acceptable = min((shares.log_e(part.acceptable) for part in parts), default=0.0)
    two = state.challenger
    seen = {"errors": two.requests, "latency": two.timed}.get(check, two.answered)
    if check == "errors":
        floor = shares.below(two.errors, two.requests, rules.maximum_error_rate)
        acceptable = shares.log_mean_exp([acceptable, floor])
    elif check == "latency" and two.slow is not None:
        floor = shares.below(two.slow, two.timed, SLOW_SHARE)
        acceptable = shares.log_mean_exp([acceptable, floor])
    return Weighed(check, None, rules.weight_of(check), worse, acceptable, seen)


def _paired(check: str, name: str | None, paired: Paired, rules: Rules, weight: float) -> Weighed:
    counts = paired.values.get(check, ())
    margin = rules.margin(check, sliced=name is not None)
    low = 0.0 if check in _POSITIVE else -1.0
    if check in _TWO_SIDED:
        sides: list[Weights] = [counts, betting.mirror(counts)]
    else:
        sides = [counts]
    parts = betting.SCORES if check in ("shift", "brier") else betting.SIGNS
    worse = shares.log_mean_exp(
        [betting.log_e(side, margin.tolerated, low, "above", parts) for side in sides]
    )
    acceptable = min(betting.log_e(side, margin.accepted, low, "below", parts) for side in sides)
    seen = paired.labelled if check in LABELLED else paired.units
    return Weighed(check, name, weight, worse, acceptable, seen)


def _promised(check: str, name: str | None, state: State, rules: Rules, weight: float) -> Weighed:
    """A version alone, against what its shadow made expect and the margin beyond it (Podkopaev and Ramdas, "Tracking
    the risk of a deployed model and detecting harmful distribution shifts", ICLR 2022, arXiv 2110.06177)."""
    paired = state.paired if name is None else state.slices.get(name, Paired())
    counts, bound = paired.values.get(f"{check}:challenger", ()), state.expected.get(named(check, name))
    worse = acceptable = 0.0
    if bound is not None:
        margin = rules.margin(check, sliced=name is not None)
        worse = state.tracks.get(named(check, name), Track()).log_e
        acceptable = betting.log_e(counts, bound + margin.accepted, 0.0, "below", betting.LONG)
    return Weighed(check, name, weight, worse, acceptable, paired.labelled)


def observed(check: str, state: State, rules: Rules, name: str | None = None) -> float | None:
    """What the check saw: a ratio of rates for counts, the largest of its parts; a mean for pairs; in the stage live
    the mean of the version itself."""
    paired = state.paired if name is None else state.slices.get(name, Paired())
    if rules.stage == "live":
        return betting.mean(paired.values.get(f"{check}:challenger", ()))
    if check in COUNTED or rules.stage == "canary":
        parts = {n: x for n, x in state.ledgers.items() if n.partition(":")[0] == check}
        ratios = [r for r in (_ratio(part, state, check) for part in parts.values()) if r is not None]
        return max(ratios, default=None)
    return betting.mean(paired.values.get(check, ()))


def _ratio(part: Ledger, state: State, check: str) -> float | None:
    one, two = state.champion, state.challenger
    mine, theirs = {"errors": (two.requests, one.requests), "latency": (two.timed, one.timed)}.get(
        check, (two.answered, one.answered)
    )
    if not part.others or not mine or not theirs:
        return None
    return (part.hits / mine) / (part.others / theirs)
