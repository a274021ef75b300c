"""What the page calls things, by stage."""

from typing import NamedTuple

from endpoints.release.judge import Check
from endpoints.release.judge.rules import Stage

RATIOS = ("errors", "latency", "score")
UNITS = {"errors": "requests", "latency": "answers", "score": "answers"}
_MEANS = {
    "errors": "Rate of failed requests, challenger over champion",
    "latency": "How much oftener it is slower than the champion's quantiles",
    "score": "How much oftener its score falls into a bin of the champion's",
    "agreement": "Share of pairs with different decisions",
    "decision": "Difference of the shares decided yes",
    "shift": "Mean difference of the two scores of a row",
    "flips": "Labelled rows that the champion has right and the challenger wrong",
    "loss": "Difference of the error rates on labelled rows",
    "brier": "Difference of the squared errors of the scores on labelled rows",
    "money": "The loss in money, as a share of the dearer mistake",
}


class Words(NamedTuple):
    """Of one stage.

    Attributes:
        titles: of the verdict, by outcome.
        champion, challenger: what the two columns of figures are called.
        began: what the first answer of the challenger is.
        threshold: what happens where the evidence reaches it; `bound` names it among the facts.
        means: of the checks.
    """

    titles: dict[str, str]
    champion: str
    challenger: str
    began: str
    threshold: str
    bound: str
    means: dict[str, str]


_TRIED = {"pass": "Passed", "fail": "Turned back", "undecided": "Undecided"}
WORDS: dict[Stage, Words] = {
    "shadow": Words(
        _TRIED,
        "champion",
        "challenger",
        "The first request is answered by both versions",
        "turned back from here on",
        "Turned back from",
        _MEANS,
    ),
    "canary": Words(
        _TRIED,
        "champion",
        "canary",
        "The canary answers its first request",
        "turned back from here on",
        "Turned back from",
        {**_MEANS, "decision": "How much oftener it decides yes, or no"},
    ),
    "live": Words(
        {"pass": "As expected", "fail": "Late loss", "undecided": "Not known yet"},
        "in shadow",
        "live",
        "Its first answer that is counted",
        "going back is proposed from here on",
        "Going back proposed from",
        {
            "loss": "Share of wrong decisions on labelled rows",
            "brier": "Mean squared error of the scores on labelled rows",
        },
    ),
}


def ratio(check: Check, stage: Stage) -> bool:
    """Whether the check compares rates, by a ratio; others compare means, by a difference."""
    return check.name in RATIOS or stage == "canary"
