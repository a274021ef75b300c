"""Whether a candidate may be registered: absolute bounds, the champion, the baselines. Unknown is never a pass."""

from collections.abc import Mapping
from typing import Any

from pipelines.steps.evaluation import BASELINE, CANDIDATE, CHAMPION, INCUMBENT
from workloads.contract import HIGHER_IS_BETTER, Gate


def decide(gate: Gate, evaluation: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The reasons against the candidate (none: it passes), and what could not be compared and why.

    A slice counts when it has enough rows; where the champion's metric is not defined on it, there is nothing to
    be worse than, and that is noted.
    """
    reasons: list[str] = []
    notes: list[str] = []
    models = evaluation["models"]
    candidate = models[CANDIDATE]["metrics"]
    for metric, bound in gate.bounds.items():
        value, higher = candidate[metric], metric in HIGHER_IS_BETTER
        if value is None:
            reasons.append(f"{metric} is not defined on these {evaluation['rows']} rows")
        elif value < bound if higher else value > bound:
            reasons.append(
                f"{metric} is {value:.4f}, {'below the floor' if higher else 'above the ceiling'} of {bound:g}"
            )
    rule = gate.champion
    for other in (BASELINE, INCUMBENT):
        if other in models:
            reasons += _worse(
                rule.metric, candidate, models[other]["metrics"], 0.0, f"the {other}", strictly=True
            )
    if CHAMPION not in models:
        notes.append("there is no champion to compare with")
        return reasons, notes
    champion = models[CHAMPION]["metrics"]
    reasons += _worse(rule.metric, candidate, champion, rule.margin, "the champion")
    for part in evaluation["slices"]:
        name, rows = part["slice"], part["rows"]
        theirs, ours = part["metrics"][CHAMPION], part["metrics"][CANDIDATE]
        if rows < rule.slice_minimum_rows:
            notes.append(f"{name} has {rows} rows, fewer than {rule.slice_minimum_rows}")
        elif theirs[rule.metric] is None:
            notes.append(f"{rule.metric} is not defined on {name}")
        else:
            reasons += _worse(rule.metric, ours, theirs, rule.slice_margin, f"the champion on {name}")
    return reasons, notes


def _worse(
    metric: str,
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    margin: float,
    whom: str,
    strictly: bool = False,
) -> list[str]:
    a, b = ours[metric], theirs[metric]
    if a is None or b is None:
        return [f"{metric} is not defined, so nothing says that it is no worse than {whom}"]
    lead = a - b if metric in HIGHER_IS_BETTER else b - a
    if lead < -margin or (strictly and lead <= 0):
        allowed = f" by more than {margin:g}" if margin else ""
        verdict = "does not beat" if strictly else "is worse than"
        return [f"{metric} is {a:.4f} and {verdict} {whom}'s {b:.4f}{allowed}"]
    return []
