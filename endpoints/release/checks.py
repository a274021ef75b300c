"""Whether a challenger may leave the shadow stage. Pure. What is not known is never a pass.

These are thresholds on counts; the judge, which tests sequentially and by slice, takes their place where it runs.
"""

from typing import Literal

from endpoints.release.evidence import Evidence
from sluice.config import Frozen
from workloads.contract import Release

Verdict = Literal["pass", "fail", "unknown"]


class Check(Frozen):
    """One thing looked at, and what it showed."""

    name: str
    verdict: Verdict
    says: str


def check(evidence: Evidence, rules: Release, champion: str, challenger: str) -> tuple[Check, ...]:
    """Every check of the shadow stage.

    Args:
        evidence: what was seen.
        rules: thresholds of `workload.yaml`.
        champion, challenger: the packages that the release file names now; evidence of others says nothing of them.
    """
    return (
        _subject(evidence, champion, challenger),
        _at_least("pairs", evidence.pairs, rules.minimum_pairs, "rows that both answered", enough=True),
        _at_least(
            "join", evidence.join_rate, rules.minimum_join_rate, "of production's rows found in the shadow"
        ),
        _errors(evidence, rules),
        _at_least(
            "agreement", evidence.agreement, rules.minimum_agreement, "of the pairs with the same decision"
        ),
    )


def passed(checks: tuple[Check, ...]) -> bool:
    """Whether every check passed; none at all is no pass."""
    return bool(checks) and all(check.verdict == "pass" for check in checks)


def _subject(evidence: Evidence, champion: str, challenger: str) -> Check:
    if (evidence.champion, evidence.challenger) == (champion, challenger):
        return Check(
            name="subject", verdict="pass", says="the evidence is of this champion and this challenger"
        )
    return Check(
        name="subject", verdict="unknown", says="the evidence is of other packages than the release names"
    )


def _at_least(name: str, seen: float | None, wanted: float, what: str, enough: bool = False) -> Check:
    """`enough`: too few are not a fault of the challenger, only too early."""
    if seen is None:
        return Check(name=name, verdict="unknown", says=f"no data; {_shown(wanted)} {what} are needed")
    if seen >= wanted:
        return Check(name=name, verdict="pass", says=f"{_shown(seen)} {what} (at least {_shown(wanted)})")
    verdict: Verdict = "unknown" if enough else "fail"
    return Check(name=name, verdict=verdict, says=f"{_shown(seen)} {what}; {_shown(wanted)} are needed")


def _errors(evidence: Evidence, rules: Release) -> Check:
    rate = evidence.error_rate
    if rate is None:
        return Check(name="errors", verdict="unknown", says="SageMaker has no metrics of the shadow yet")
    says = (
        f"{evidence.shadow_errors} of {evidence.shadow_requests} requests to the shadow failed, "
        f"{evidence.shadow_unreadable} answers could not be read (at most {_shown(rules.maximum_error_rate)})"
    )
    return Check(name="errors", verdict="pass" if rate <= rules.maximum_error_rate else "fail", says=says)


def _shown(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{100 * value:.1f} %"
