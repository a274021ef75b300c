"""The contract between a workload and the platform: what `workload.yaml` says, typed.

A workload is a folder `workloads/<name>/` with `workload.yaml` and the modules that `workloads.modules` describes.
This module runs inside images too, so it imports numpy's company at most: pydantic and YAML.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BeforeValidator, field_validator, model_validator
from pydantic import Field as Is

from sluice.config import Frozen, load_yaml
from sluice.errors import SluiceError

FOLDER = Path(__file__).resolve().parent
_NAME = re.compile(r"^[a-z][a-z0-9-]{0,30}$")
_VERSION = re.compile(r"^(0|[1-9]\d*)(\.(0|[1-9]\d*))?$")


def _as_moment(value: object) -> object:
    """YAML reads `2013-04-01` as a date and `2013-04-01T00:00:00` as a moment without a zone; both mean UTC."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if hasattr(value, "isoformat"):
        value = value.isoformat()
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_as_moment)]
Share = Annotated[float, Is(ge=0, le=1)]
FieldType = Literal["float", "integer", "string", "category", "timestamp"]
Metric = Literal[
    "auc", "average_precision", "log_loss", "brier", "ece", "precision", "recall", "cost_per_row"
]
HIGHER_IS_BETTER: frozenset[str] = frozenset({"auc", "average_precision", "precision", "recall"})


def version_key(version: str) -> tuple[int, int]:
    """`"1.10"` → `(1, 10)`, so that versions compare; the incumbent is `"0"` → `(0, 0)`.

    Raises:
        SluiceError: if the text is no version.
    """
    if not _VERSION.match(version):
        raise SluiceError(
            f"{version!r} is no version", "Versions are major.minor, like 1.0; the incumbent is 0."
        )
    major, _, minor = version.partition(".")
    return int(major), int(minor or 0)


class InputField(Frozen):
    """One field of a request, which is one field of an observation: the same names, types and bounds everywhere."""

    name: str
    type: FieldType
    description: str = ""
    nullable: bool = False
    min: float | None = None
    max: float | None = None
    categories: tuple[str, ...] = ()
    max_length: int = 64
    """Of strings, in characters."""
    since: str | None = None
    """The first version that needs this field; older versions ignore it."""

    @property
    def numeric(self) -> bool:
        return self.type in ("float", "integer")

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if bool(self.categories) != (self.type == "category"):
            raise ValueError(f"{self.name}: categories belong to the type category, and it needs them")
        if not self.numeric and (self.min is not None or self.max is not None):
            raise ValueError(f"{self.name}: min and max belong to numbers")
        if self.since is not None:
            version_key(self.since)
        return self


class Label(Frozen):
    """What happened in the end."""

    name: str
    delay: timedelta
    """How long after the event a label may still come; later ones count as missing."""
    description: str = ""


class Slice(Frozen):
    """A part of the rows that is judged by itself: each value of a field, or each bin between `edges`."""

    field: str
    edges: tuple[float, ...] = ()


class Costs(Frozen):
    """What a wrong decision costs, in `currency` for one row."""

    miss: float = Is(ge=0)
    false_alarm: float = Is(ge=0)
    currency: str = "USD"


class Validation(Frozen):
    """When a batch is too bad to train on."""

    minimum_rows: int = 1000
    maximum_bad_share: Share = 0.01
    maximum_duplicate_share: Share = 0.001
    freshness: timedelta = timedelta(days=2)
    """The newest observation may be this much older than the end of the batch."""
    minimum_label_share: Share = 0.9
    """Of the rows whose label is due."""
    maximum_psi: float = 0.5
    """Drift of one field against the champion's training data; above it the batch needs a person."""
    maximum_drifted_share: Share = 0.5
    """Of the fields; a batch in which more of them drifted is refused."""


class Training(Frozen):
    """The machines of the training pipeline."""

    instance_type: str = "ml.m5.large"
    processing_instance_type: str = "ml.m5.large"
    volume_gb: int = Is(default=10, ge=1)
    maximum_minutes: int = Is(default=60, ge=1)


class ChampionRule(Frozen):
    """What "not worse than the champion" means."""

    metric: Metric = "average_precision"
    margin: float = Is(default=0.005, ge=0)
    slice_margin: float = Is(default=0.03, ge=0)
    slice_minimum_rows: int = Is(default=500, ge=1)


class Gate(Frozen):
    """What a candidate has to be. A bound is a floor where more is better, else a ceiling."""

    bounds: dict[Metric, float]
    champion: ChampionRule = ChampionRule()


class Serving(Frozen):
    """The fleet behind the endpoint."""

    instance_type: str = "ml.m5.large"
    minimum_instances: int = Is(default=2, ge=1)
    maximum_instances: int = Is(default=4, ge=1)
    concurrency_target: float = Is(default=5.0, gt=0)
    """Requests at once on one instance that autoscaling aims at."""
    latency_ms: float = Is(default=500.0, gt=0)
    """Answers slower than this, as a p99, turn a canary back."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.minimum_instances > self.maximum_instances:
            raise ValueError("minimum_instances is above maximum_instances")
        return self


class Margin(Frozen):
    """How much worse a challenger may be in one respect, and what happens when it is.

    Two bounds, because "shown to be bad" and "shown to be good enough" are two questions: up to `tolerated` nothing is
    held against a challenger, and it passes once it is shown to stay below `accepted`.
    """

    tolerated: float
    accepted: float
    role: Literal["required", "watched", "reported"] = "required"
    """required: a pass needs it shown. watched: it can fail a release and holds none up. reported: decides nothing."""
    in_slice: float | None = None
    """What is tolerated in a slice; without it `slice_factor` times as much as of the whole. Less, where versions
    differ from each other as a whole, as by the weather of a day, but not in one slice alone."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.tolerated > self.accepted:
            raise ValueError("tolerated is above accepted: the same challenger could then fail and pass")
        if self.in_slice is not None and self.in_slice > self.accepted:
            raise ValueError("in_slice is above accepted: the same challenger could then fail and pass")
        return self


def _ratio(
    tolerated: float, accepted: float, role: Literal["required", "watched", "reported"] = "required"
) -> Margin:
    return Margin(tolerated=tolerated, accepted=accepted, role=role)


class Judge(Frozen):
    """What the judge of a release holds a challenger to. Every default suits a retrained model of the same method."""

    alpha: float = Is(default=0.05, gt=0, lt=1)
    """The chance that a challenger within every `tolerated` is ever turned back, however often one looks; one stage."""
    alpha_pass: float = Is(default=0.05, gt=0, lt=1)
    """The chance that one beyond some `accepted` is let through."""
    unit: Literal["row", "request", "entity", "day"] = "request"
    """What counts as one independent piece of evidence; the rows of one unit count together as one."""
    entity: str | None = None
    """For the unit entity: the field of the input that names it."""
    errors: Margin = _ratio(1.0, 1.5)
    """Challenger's error rate over the champion's; tolerate more where single instances fail in bursts. A rate shown to
    be below `maximum_error_rate` is accepted anyway."""
    latency: Margin = _ratio(1.1, 2.0)
    """How much oftener the challenger may be slower than a quantile of the champion's latency. One is accepted
    anyway if fewer than 1 % of its answers are shown to be slower than the fleet's `latency_ms`."""
    latency_quantiles: tuple[float, ...] = (0.5, 0.9, 0.99)
    latency_slack: float = Is(default=0.1, ge=0, le=1)
    """Slower is slower than the champion's quantile by more than this part of the fleet's `latency_ms`: what nobody
    would notice is held against no version, a model beside a rule least of all."""
    score: Margin = _ratio(1.25, 2.0, "reported")
    """How much oftener the challenger's score may fall into a bin, or a tail, of the champion's scores."""
    score_bins: int = Is(default=10, ge=2, le=50)
    shift: Margin = _ratio(0.05, 0.10, "watched")
    """Mean difference of the two scores of a row, either way."""
    decision: Margin = _ratio(0.05, 0.10)
    """Difference of the shares of yes, either way."""
    flips: Margin = _ratio(0.05, 0.10, "watched")
    """Share of labelled rows that the champion has right and the challenger wrong."""
    loss: Margin = _ratio(0.0, 0.02, "watched")
    """Difference of the error rates of the decisions, on labelled rows."""
    brier: Margin = _ratio(0.0, 0.02, "watched")
    """Difference of the squared errors of the scores, on labelled rows: a loss shows here before decisions turn."""
    money: Margin = _ratio(0.0, 0.02, "watched")
    """The same in money: cost of wrong decisions a row, as a share of the dearer mistake."""
    slices: Literal["required", "watched"] = "watched"
    """watched: a bad slice fails a release, and one with too little data is reported as unknown. required: every
    declared slice has to be shown good."""
    slice_factor: float = Is(default=2.0, ge=1)
    """The margins of differences in a slice are wider by this."""
    slice_minimum_pairs: int = Is(default=100, ge=1)
    late_factor: float = Is(default=2.0, ge=1)
    """The margins of what is live are wider by this: no other version is beside it to share a bad day with."""
    warm_up: timedelta = timedelta(0)
    """From the first look on; what happens then is not counted."""
    minimum_duration: timedelta = timedelta(0)
    """A shadow that never saw a daily peak knows little."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [
            f"{name}.tolerated is a ratio and must be 1 or more"
            for name in ("errors", "latency", "score")
            if getattr(self, name).tolerated < 1
        ]
        if (self.unit == "entity") != (self.entity is not None):
            problems.append("the unit entity needs the field `entity`, and only it has one")
        if not all(0 < q < 1 for q in self.latency_quantiles):
            problems.append("latency_quantiles lie between 0 and 1")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Release(Frozen):
    """What a challenger has to show in shadow before it may go on."""

    minimum_pairs: int = Is(default=500, ge=1)
    """Rows that both versions answered."""
    minimum_join_rate: Share = 0.95
    """Of the production rows, those whose shadow answer was found."""
    minimum_agreement: Share = 0.85
    """Of the pairs, those with the same decision."""
    maximum_error_rate: Share = 0.01
    """Of the shadow's answers."""
    maximum_duration: timedelta = timedelta(days=7)
    on_undecided: Literal["reject", "promote", "ask"] = "ask"
    judge: Judge = Judge()


class Replay(Frozen):
    """How the event time of recorded data maps to the clock on the wall: `factor` event seconds a second."""

    start: Moment
    factor: float = Is(gt=0)

    def wall_seconds(self, event: timedelta) -> float:
        """How long a span of event time lasts on the wall: of freshness and of the delay of labels alike."""
        return event.total_seconds() / self.factor

    def event_time(self, began: datetime, now: datetime) -> datetime:
        """Event time at `now` of a replay that began at `began` (both wall time)."""
        return self.start + (now - began) * self.factor


class TourStep(Frozen):
    """One version on the way that `sluice up` walks on one machine."""

    version: str
    train_until: Moment
    """Training data: events before this moment."""
    evaluated_until: Moment
    """Evaluation data: events from `train_until` to before this moment, with the labels known by then."""


class Workload(Frozen):
    """`workload.yaml`."""

    name: str
    summary: str
    owner: str
    method: int = Is(ge=1)
    """The major version; raise it with the algorithm or the features."""
    input: tuple[InputField, ...]
    id: str
    """The field that names a row for ever; answers and labels join on it."""
    time: str
    """The field with the moment of the prediction."""
    label: Label
    threshold: float = Is(default=0.5, gt=0, lt=1)
    """Decide yes at this score or above."""
    slices: tuple[Slice, ...] = ()
    costs: Costs
    hyperparameters: dict[str, float | int | str] = {}
    seed: int = 0
    validation: Validation = Validation()
    training: Training = Training()
    gate: Gate
    approval: Literal["automatic", "manual"] = "manual"
    serving: Serving = Serving()
    release: Release = Release()
    replay: Replay | None = None
    tour: tuple[TourStep, ...] = ()

    @field_validator("name")
    @classmethod
    def _legal(cls, name: str) -> str:
        if not _NAME.match(name):
            raise ValueError("at most 31 lower-case letters, digits and hyphens, starting with a letter")
        return name

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [field.name for field in self.input]
        problems = [f"input names {name} twice" for name in sorted({n for n in names if names.count(n) > 1})]
        fields = {field.name: field for field in self.input}
        for role, name, wanted in (("id", self.id, "string"), ("time", self.time, "timestamp")):
            if name not in fields:
                problems.append(f"{role} is {name}, which is no field of input")
            elif fields[name].type != wanted or fields[name].nullable:
                problems.append(f"{role} is {name}, which must be a {wanted} that is not nullable")
        problems += [
            f"slices name {s.field}, which is no field of input" for s in self.slices if s.field not in fields
        ]
        entity = self.release.judge.entity
        if entity is not None and entity not in fields:
            problems.append(f"release.judge.entity is {entity}, which is no field of input")
        if self.label.name in fields:
            problems.append(
                f"the label {self.label.name} is also a field of input, which would give the answer away"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @cached_property
    def fields(self) -> dict[str, InputField]:
        """Every declared field by name, those of newer versions too."""
        return {field.name: field for field in self.input}

    def needed(self, version: str) -> tuple[InputField, ...]:
        """The fields that `version` needs; the others it ignores. The incumbent, 0, needs those without `since`."""
        key = version_key(version)
        return tuple(f for f in self.input if f.since is None or version_key(f.since) <= key)

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @classmethod
    def load(cls, name: str) -> Self:
        """The workload of that name.

        Raises:
            SluiceError: if there is none, saying which there are, or with everything that is wrong in its file.
        """
        path = FOLDER / name / "workload.yaml"
        if not _NAME.match(name) or not path.exists():
            raise SluiceError(
                f"there is no workload {name!r}",
                f"There are: {', '.join(names()) or 'none'}. "
                "A workload is a folder workloads/<name>/ with workload.yaml in it.",
            )
        workload = load_yaml(cls, path)
        if workload.name != name:
            raise SluiceError(
                f"{path} says name: {workload.name}", f"Its folder says {name}; make them agree."
            )
        return workload


def names() -> tuple[str, ...]:
    """Every workload of this checkout, in order."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob("*/workload.yaml")))
