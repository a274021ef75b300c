"""What one release is judged by: the workload's margins, the stage, and how alpha is split."""

from itertools import pairwise
from typing import Literal, Self

from pydantic import Field as Is
from pydantic import model_validator

from sluice.config import Frozen
from sluice.naming import content_hash
from workloads.contract import Costs, Judge, Margin, Workload

Stage = Literal["shadow", "canary", "live"]

COUNTED = ("errors", "latency", "score")
"""Checks on counts of both arms. In a canary the decisions are counted too, for there are no pairs."""
PAIRED = ("agreement", "decision", "shift", "flips", "loss", "brier", "money")
"""Checks on pairs: one row, two answers."""
SLICED = ("decision", "shift", "flips", "loss", "brier", "money")
"""Those of them that each declared slice has too. Agreement is left to the whole: its bound is a habit of the workload,
and a small slice near the threshold has another."""
LABELLED = ("flips", "loss", "brier", "money")
PROMISED = ("loss", "brier")
"""Checks of a version that is live, alone, against what its shadow stage made expect."""
EXPECTED_PART = 0.5
"""Of alpha, in the live stage: the chance that a bound of what is expected is too low. The rest is that of the test."""

WEIGHTS: dict[Stage, dict[str, float]] = {
    "shadow": {
        "errors": 0.48,
        "latency": 0.05,
        "score": 0.01,
        "agreement": 0.02,
        "decision": 0.02,
        "shift": 0.03,
        "flips": 0.01,
        "loss": 0.08,
        "brier": 0.20,
        "money": 0.02,
        "slices": 0.08,
    },
    "canary": {"errors": 0.55, "latency": 0.25, "score": 0.10, "decision": 0.10},
    "live": {"loss": 0.40, "brier": 0.40, "slices": 0.20},
}
"""The split of alpha: the e-values are averaged with these weights, so a check turns a release back by itself once its
e-value reaches 1 / (alpha * weight). A small weight costs a check the log of it in evidence: much where that is rare,
as errors are, or dear, as labels are; a few rows where every pair says something. What a check that only reports would
have goes to the others."""


class Rules(Frozen):
    """The rules of one stage of one release. Make them by `Rules.of`.

    Attributes:
        stage: in `shadow` every request goes to both versions; in `canary` each to one of them; `live` there is one
            version, and it is held to what it showed in shadow.
        minimum_pairs: units of evidence that both versions answered, before anything passes.
        minimum_join_rate: of the production rows, those whose shadow answer was found.
        minimum_agreement: of the units, those with the same decision.
        maximum_error_rate: an error rate shown to be below this is good enough, whatever the champion's.
        latency_ms: fewer than 1 % of the answers shown to be slower than this is fast enough, whatever the champion.
        threshold: decide yes at this score or above.
        slices: the declared slices by name, such as `origin=EWR`; known beforehand, for alpha is split over them.
        comparable: whether the scores of the two mean the same; not where one of them is a rule, which also decides
            whole slices alike where a model tells their rows apart.
        weights: of the checks; they sum to 1.
    """

    stage: Stage = "shadow"
    settings: Judge = Judge()
    minimum_pairs: int = 500
    minimum_join_rate: float = 0.95
    minimum_agreement: float = 0.85
    maximum_error_rate: float = 0.01
    latency_ms: float = 500.0
    threshold: float = 0.5
    costs: Costs | None = None
    slices: tuple[str, ...] = ()
    comparable: bool = True
    weights: dict[str, float] = Is(default_factory=lambda: dict(WEIGHTS["shadow"]))

    @model_validator(mode="after")
    def _whole(self) -> Self:
        known = {*COUNTED, *PAIRED, "slices"}
        if unknown := sorted(set(self.weights) - known):
            raise ValueError(f"there is no check {', '.join(unknown)}")
        if any(weight < 0 for weight in self.weights.values()) or sum(self.weights.values()) > 1 + 1e-9:
            raise ValueError("weights are 0 or more, and sum to 1 at most")
        return self

    @classmethod
    def of(cls, workload: Workload, stage: Stage = "shadow", champion: str = "1.0") -> Self:
        """The rules for a challenger of `workload`.

        Args:
            champion: its version, or in the stage live that of the one that is judged; the incumbent, 0, gives scores
                that mean nothing but its decision.
        """
        release = workload.release
        return cls(
            stage=stage,
            settings=release.judge,
            minimum_pairs=release.minimum_pairs,
            minimum_join_rate=release.minimum_join_rate,
            minimum_agreement=release.minimum_agreement,
            maximum_error_rate=release.maximum_error_rate,
            latency_ms=workload.serving.latency_ms,
            threshold=workload.threshold,
            costs=workload.costs,
            slices=slice_names(workload),
            comparable=champion != "0",
            weights=dict(WEIGHTS[stage]),
        )

    @property
    def alpha(self) -> float:
        """What the test may spend: all of alpha, or what the expectation has left of it."""
        return self.settings.alpha * (1 - EXPECTED_PART if self.stage == "live" else 1.0)

    @property
    def sliced(self) -> tuple[str, ...]:
        """The checks that each slice has in this stage."""
        return PROMISED if self.stage == "live" else SLICED

    @property
    def fingerprint(self) -> str:
        """Of everything here: a state belongs to the rules it began under."""
        return content_hash(self.model_dump(mode="json"))

    def weight_of(self, check: str) -> float:
        """The check's part of alpha, or that of `slices` together; none for one that only reports."""
        deciding = [n for n in self.weights if n == "slices" or self.margin(n).role != "reported"]
        total = sum(self.weights[name] for name in deciding)
        return self.weights[check] / total if check in deciding and total else 0.0

    def weight_in_slice(self, check: str) -> float:
        """The part of alpha of a check of one slice."""
        deciding = [name for name in self.sliced if self.margin(name, sliced=True).role != "reported"]
        if check not in deciding or not self.slices:
            return 0.0
        return self.weight_of("slices") / (len(self.slices) * len(deciding))

    def margin(self, check: str, sliced: bool = False) -> Margin:
        """The margin of a check, wider in a slice and of what is live; of one that makes no sense here with the role
        `reported`."""
        if check == "agreement":
            bound = 1 - self.minimum_agreement
            return Margin(tolerated=bound, accepted=bound)
        margin: Margin = getattr(self.settings, check)
        if (check in ("score", "shift", "brier") or (check == "decision" and sliced)) and not self.comparable:
            margin = margin.model_copy(update={"role": "reported"})
        if sliced and margin.in_slice is not None:
            margin = margin.model_copy(update={"tolerated": margin.in_slice})
            sliced = False
        factor = self.settings.slice_factor if sliced else 1.0
        if self.stage == "live":
            factor *= self.settings.late_factor
        if factor != 1:
            margin = margin.model_copy(
                update={
                    "tolerated": min(1.0, margin.tolerated * factor),
                    "accepted": min(1.0, margin.accepted * factor),
                }
            )
        return margin


def slice_names(workload: Workload) -> tuple[str, ...]:
    """Every slice that can be known before a row is seen: `field=category`, or `field=[low,high)` between edges.

    A slice over a field of free text has no names yet and is not judged.
    """
    found: list[str] = []
    for declared in workload.slices:
        if declared.edges:
            found += [f"{declared.field}={label}" for label in bin_labels(declared.edges)]
        else:
            found += [f"{declared.field}={value}" for value in workload.fields[declared.field].categories]
    return tuple(found)


def bin_labels(edges: tuple[float, ...]) -> tuple[str, ...]:
    """The names of the bins that edges make, outer ones included: (0, 15) → `<0`, `[0,15)`, `>=15`."""
    inner = [f"[{low:g},{high:g})" for low, high in pairwise(edges)]
    return (f"<{edges[0]:g}", *inner, f">={edges[-1]:g}")
