"""What the shadow stage makes expect of a version that is live: how often it is wrong, and how far off. Pure."""

from collections.abc import Mapping
from typing import Literal

from endpoints.release.judge import betting
from endpoints.release.judge.batch import Weights
from endpoints.release.judge.rules import EXPECTED_PART, PROMISED, Rules
from endpoints.release.judge.state import named
from sluice.config import Frozen

LEAST = 200
"""Labelled units in shadow; with fewer, the evaluation of the package says what to expect."""
WHOLE = ""
"""The name of all rows among the slices."""


class Promise(Frozen):
    """One expectation.

    Attributes:
        bound: the mean is not above it.
        mean: as it was seen; None where only the bound is known.
        labels: units that it rests on.
    """

    bound: float
    mean: float | None
    labels: float
    source: Literal["shadow", "evaluation"]


def promises(
    labelled: Mapping[str, Mapping[str, Weights]], evaluated: Mapping[str, float], rules: Rules
) -> dict[str, Promise]:
    """What to expect, by check or `check of slice`.

    From the shadow's labelled rows it is an upper confidence bound that holds at whatever moment the shadow ended; the
    bounds share `EXPECTED_PART` of alpha as the checks share the rest of it, so that all hold together. Where the
    evaluation, which saw more days, expects worse, it is believed.

    Args:
        labelled: by slice, the challenger's values of its shadow stage: `loss:challenger` → weights on `GRID`.
        evaluated: by the same names as the result, upper bounds from the evaluation of the package.
        rules: of the stage live.
    """
    found: dict[str, Promise] = {}
    spent = rules.settings.alpha * EXPECTED_PART
    for name in (None, *rules.slices):
        for check in PROMISED:
            weight = rules.weight_of(check) if name is None else rules.weight_in_slice(check)
            counts = labelled.get(name or WHOLE, {}).get(f"{check}:challenger", ())
            at = named(check, name)
            if weight and sum(counts) >= LEAST:
                found[at] = Promise(
                    bound=max(betting.upper(counts, spent * weight), evaluated.get(at, 0.0)),
                    mean=betting.mean(counts),
                    labels=sum(counts),
                    source="shadow",
                )
            elif weight and at in evaluated:
                found[at] = Promise(bound=evaluated[at], mean=None, labels=0, source="evaluation")
    return found
