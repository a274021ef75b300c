"""What is expected of a version that is live: what its shadow stage showed, as the report of it says."""

from typing import Any

from pydantic import ValidationError

from endpoints.release.judge import Promise, Rules, promises
from endpoints.release.judge.batch import Weights
from endpoints.watch import stored
from endpoints.watch.subject import Subject
from sluice.config import Frozen
from sluice.errors import SluiceError

BINS = 20
"""Of the scores of both versions, from 0 to 1, for the report."""


class Expectation(Frozen):
    """What a version promised, fixed at the first look at it live.

    Attributes:
        uri: of the report that it comes from; None: there is none.
        promises: by check or `check of slice`.
        scores: of the version in shadow, in `BINS` bins.
        yes: share of its rows that it decided yes in shadow; None: not known.
        latency: percentiles in ms, by name such as `p99`.
    """

    uri: str | None = None
    promises: dict[str, Promise] = {}
    scores: tuple[float, ...] = (0.0,) * BINS
    yes: float | None = None
    latency: dict[str, float] = {}

    @property
    def bounds(self) -> dict[str, float]:
        """Of what is expected, as the judge takes them."""
        return {name: promise.bound for name, promise in self.promises.items()}


class _Shadow(Frozen):
    """What is read of the report of a shadow stage."""

    labelled: dict[str, dict[str, Weights]]
    scores: tuple[tuple[float, ...], tuple[float, ...]]
    yes: tuple[float | None, float | None]
    latency: dict[str, dict[str, float]]


def read(s3: Any, subject: Subject, rules: Rules) -> Expectation:
    """The expectation of a subject in the stage live.

    Raises:
        SluiceError: if what `subject.expected` names is no report, or one of another version: a promise of others
            binds nobody.
    """
    document = None if subject.expected is None else stored.document(s3, subject.expected, "report")
    if document is None:
        return Expectation(promises=promises({}, subject.expectation, rules))
    about = document.get("subject") or {}
    package = (about.get("challenger") or {}).get("package")
    if about.get("stage") != "shadow" or "labelled" not in document:
        # The comparison of a patched image, or a report of an earlier judge: it says nothing of labels.
        return Expectation(promises=promises({}, subject.expectation, rules))
    if package != subject.challenger.package:
        raise SluiceError(
            f"{subject.expected} is the evidence of {package}, and {subject.challenger.package} is live",
            "Let the release file name the evidence on which the champion was promoted.",
        )
    try:
        shadow = _Shadow.model_validate({name: document.get(name) for name in _Shadow.model_fields})
    except ValidationError as error:
        raise SluiceError(f"{subject.expected} is no report of a shadow stage: {error}") from error
    return Expectation(
        uri=subject.expected,
        promises=promises(shadow.labelled, subject.expectation, rules),
        scores=shadow.scores[1],
        yes=shadow.yes[1],
        latency=shadow.latency.get("challenger", {}),
    )
