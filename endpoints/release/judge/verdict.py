"""Pass, fail or undecided, with what is still needed. Pure."""

from datetime import timedelta
from math import ceil, log, log10
from typing import Literal

from pydantic import AwareDatetime

from endpoints.release.judge.rules import LABELLED, Rules
from endpoints.release.judge.state import State, named
from endpoints.release.judge.weigh import LOG10, Weighed, combine, observed, weigh
from sluice.config import Frozen

Outcome = Literal["pass", "fail", "undecided"]

SUSPICION = 1.0
"""log10 of the evidence against a watched check, or a slice, that holds a pass back: enough to wait for more, far too
little to fail. It only ever delays a pass, so it costs nothing of alpha."""


class Check(Frozen):
    """One check, of everything or of one slice.

    Attributes:
        outcome: `fail` where its own part of alpha is spent; `pass` where it is shown to be acceptable.
        role: `required`, `watched` or `reported`, as in `workloads.contract.Margin`.
        log10_e: evidence that the challenger is worse than tolerated.
        log10_e_pass: evidence that it is better than the bound that is not accepted.
        units: of evidence it rests on.
        observed: mean difference, or the largest ratio of rates; in the stage live the mean itself.
        expected: in the stage live, the highest mean that the shadow stage allows to expect; the margins come on top of
            it. None: nothing is known to compare with.
        needed: units still needed to pass, if things go on as they are; None: no end is in sight, or none is needed.
        seconds: until then, at the pace so far.
    """

    name: str
    slice: str | None
    outcome: Outcome
    role: str
    weight: float
    log10_e: float
    log10_e_pass: float
    units: float
    observed: float | None
    expected: float | None = None
    tolerated: float
    accepted: float
    needed: int | None
    seconds: float | None
    says: str


class Verdict(Frozen):
    """What the judge says now.

    Attributes:
        log10_e: the combined evidence against the challenger now; `highest` is the most it ever was.
        threshold: log10 of 1/alpha; a fail is `highest >= threshold`.
        decided_by: the check, or check and slice, that failed it: `shift of origin=EWR`.
        suspects: what else points against the challenger, checks of slices among them, the strongest first: a fault of
            one slice often shows in the whole first, and here is its name.
        needs: what a pass still lacks, in words.
        seconds: an estimate of how long that takes; None: not known.
    """

    outcome: Outcome
    log10_e: float
    highest: float
    threshold: float
    decided_by: str | None
    decided_at: AwareDatetime | None
    suspects: tuple[str, ...]
    checks: tuple[Check, ...]
    slices: tuple[Check, ...]
    join_rate: float | None
    pairs: int
    labels: int
    looks: int
    since: AwareDatetime | None
    until: AwareDatetime | None
    needs: tuple[str, ...]
    seconds: float | None
    rules: str


NOTHING_EXPECTED = "what to expect is not known, for the shadow stage had too few labels"


class _Need(Frozen):
    says: str
    seconds: float | None


def verdict(state: State, rules: Rules) -> Verdict:
    """What the evidence so far amounts to.

    A fail is for ever: it is the highest evidence that alpha bounds. A pass is said of now: each required check is
    shown to be acceptable at `alpha_pass` by an e-value of its own (all have to be, so nothing is split: Berger 1982,
    intersection-union tests), and there is enough of everything. Else undecided, with what is missing.
    """
    elapsed = (state.until - state.since).total_seconds() if state.until and state.since else 0.0
    weighed = weigh(state, rules)
    found = [_check(w, state, rules, elapsed) for w in weighed]
    threshold = log10(1 / rules.alpha)
    peak = state.peak
    failed = peak is not None and peak.log10_e >= threshold
    needs = _needs(state, rules, found, elapsed)
    outcome: Outcome = "fail" if failed else "undecided" if needs else "pass"
    times = [need.seconds for need in needs]
    known = [seconds for seconds in times if seconds is not None]
    return Verdict(
        outcome=outcome,
        log10_e=combine(weighed) / LOG10,
        highest=peak.log10_e if peak else 0.0,
        threshold=threshold,
        decided_by=named(peak.check, peak.slice) if failed and peak else None,
        decided_at=peak.moment if failed and peak else None,
        suspects=tuple(
            named(c.name, c.slice) for c in sorted(found, key=lambda c: -c.log10_e) if _suspect(c)
        ),
        checks=tuple(check for check in found if check.slice is None),
        slices=tuple(check for check in found if check.slice is not None),
        join_rate=state.join_rate,
        pairs=int(state.paired.units),
        labels=int(state.paired.labelled),
        looks=state.looks,
        since=state.since,
        until=state.until,
        needs=() if failed else tuple(need.says for need in needs),
        seconds=max(known) if known and len(known) == len(times) and not failed else None,
        rules=rules.fingerprint,
    )


def _suspect(check: Check) -> bool:
    return check.weight > 0 and check.log10_e >= SUSPICION


def _check(w: Weighed, state: State, rules: Rules, elapsed: float) -> Check:
    margin = rules.margin(w.check, sliced=w.slice is not None)
    if rules.stage == "canary" and w.check == "decision":
        margin = rules.margin("score").model_copy(update={"role": margin.role})
    target = log(1 / rules.settings.alpha_pass)
    needed = _needed(w, rules, target)
    outcome: Outcome = "undecided"
    if w.weight and w.worse + log(w.weight) >= log(1 / rules.alpha):
        outcome = "fail"
    elif w.acceptable >= target and needed == 0:
        # What was good for long says little once it turned.
        turned = rules.stage == "live" and w.worse / LOG10 >= SUSPICION
        outcome = "undecided" if turned else "pass"
    seconds = None if needed is None or not w.seen or not elapsed else needed * elapsed / w.seen
    value = observed(w.check, state, rules, w.slice)
    return Check(
        name=w.check,
        slice=w.slice,
        outcome=outcome,
        role=margin.role,
        weight=w.weight,
        log10_e=w.worse / LOG10,
        log10_e_pass=w.acceptable / LOG10,
        units=w.seen,
        observed=value,
        expected=state.expected.get(named(w.check, w.slice)),
        tolerated=margin.tolerated,
        accepted=margin.accepted,
        needed=needed,
        seconds=seconds,
        says=_says(w, outcome, needed, seconds),
    )


def _needed(w: Weighed, rules: Rules, target: float) -> int | None:
    """Units still needed: evidence grows by what it has grown a unit so far."""
    least = 0
    if w.slice is not None:
        least = max(0, ceil(rules.settings.slice_minimum_pairs - w.seen))
    if w.acceptable >= target:
        return least
    if w.acceptable <= 0 or not w.seen:
        return None
    return max(least, ceil((target - w.acceptable) * w.seen / w.acceptable))


def _says(w: Weighed, outcome: Outcome, needed: int | None, seconds: float | None) -> str:
    what = (
        "labelled units"
        if w.check in LABELLED
        else "requests"
        if w.check in ("errors", "latency")
        else "units"
    )
    if outcome == "fail":
        return f"{named(w.check, w.slice)}: shown to be worse than tolerated, after {w.seen:,.0f} {what}"
    if outcome == "pass":
        return f"{named(w.check, w.slice)}: shown to be acceptable, after {w.seen:,.0f} {what}"
    if not w.seen:
        return f"{named(w.check, w.slice)}: no {what} yet"
    if needed is None:
        return f"{named(w.check, w.slice)}: {w.seen:,.0f} {what} do not point to acceptable yet"
    return f"{named(w.check, w.slice)}: about {needed:,} more {what}{_in(seconds)}"


def _in(seconds: float | None) -> str:
    return "" if seconds is None else f", in about {timedelta(seconds=ceil(seconds))}"


def _needs(state: State, rules: Rules, found: list[Check], elapsed: float) -> list[_Need]:
    """Everything that stands between now and a pass."""
    needs: list[_Need] = []
    if rules.stage == "shadow":
        missing = ceil(rules.minimum_pairs - state.paired.units)
        if missing > 0:
            pace = state.paired.units / elapsed if elapsed else 0.0
            seconds = missing / pace if pace else None
            needs.append(_Need(says=f"{missing:,} more pairs{_in(seconds)}", seconds=seconds))
        rate = state.join_rate
        if rate is None or rate < rules.minimum_join_rate:
            shown = "nothing" if rate is None else f"{100 * rate:.1f} %"
            wanted = f"{100 * rules.minimum_join_rate:.1f} %"
            needs.append(
                _Need(
                    says=f"{shown} of production's rows joined with the shadow's; {wanted} are needed",
                    seconds=None,
                )
            )
    rest = rules.settings.minimum_duration.total_seconds() - elapsed
    if rest > 0:
        needs.append(_Need(says=f"more time{_in(rest)}", seconds=rest))
    for check in found:
        if rules.stage == "live" and check.slice is None and check.weight and check.expected is None:
            needs.append(_Need(says=f"{check.name}: {NOTHING_EXPECTED}", seconds=None))
            continue
        held = _required(check, rules) and (check.slice is None or rules.settings.slices == "required")
        if (held and check.outcome != "pass") or check.outcome == "fail":
            needs.append(_Need(says=check.says, seconds=check.seconds))
        elif _suspect(check):
            odds = f"{10**check.log10_e:,.0f} to 1"
            says = f"{named(check.name, check.slice)}: the evidence so far is {odds} against it; more has to tell"
            needs.append(_Need(says=says, seconds=None))
    return needs


def _required(check: Check, rules: Rules) -> bool:
    """Of a version that is live nothing can be held up, so a pass says that all which decides is shown."""
    return check.role == "required" or (rules.stage == "live" and check.role == "watched")
