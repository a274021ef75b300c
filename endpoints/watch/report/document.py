"""The report as data: everything that the page shows, and what an auditor needs to compute it again."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime

from endpoints.release.judge import Arm, Reference, Rules, State, Verdict
from endpoints.release.judge.promise import WHOLE
from endpoints.watch import counts, sources
from endpoints.watch.expectation import Expectation
from endpoints.watch.memory import Change, Memory, Point, Tally
from endpoints.watch.subject import Subject
from sluice.config import Frozen

FORMAT = 2
DAY = 86_400
PERCENTILES = (50, 90, 99)
RULE = (
    "A challenger is turned back once the evidence against it, combined over all checks, has reached 1/alpha: by "
    "Ville's inequality that happens to a challenger within every tolerated margin with a chance of at most alpha, "
    "however often one looks. It passes once each required check is shown to be acceptable at alpha_pass, with enough "
    "pairs, joined answers and time. Anything else is undecided."
)
RULE_LIVE = (
    "A version that is live is held to what its shadow stage made expect. For each check, and each slice, the "
    "expectation is an upper confidence bound of the mean on the labelled rows of the shadow; half of alpha is spent "
    "on those bounds. Going back is proposed once the evidence that its mean is, or at some time was, above the bound "
    "and the tolerated margin, combined over all checks, has reached 2/alpha: to a version that is no worse than in "
    "shadow, but for the margin, that happens with a chance of at most alpha, however often and however long one "
    "looks. It passes while it is shown to stay below the bound and the accepted margin at alpha_pass. Anything else "
    "is undecided."
)
METHODS = (
    "Lindon and Malek, Anytime-Valid Inference for Multinomial Count Data, NeurIPS 2022 (errors, scores)",
    "Lindon, Sanden and Shirikian, Rapid Regression Detection in Software Deployments through Sequential Testing, "
    "KDD 2022 (latency)",
    "Waudby-Smith and Ramdas, Estimating Means of Bounded Random Variables by Betting, JRSS B 2024 (pairs, labels)",
    "Vovk and Wang, E-values: Calibration, Combination and Applications, Annals of Statistics 2021 (combination)",
)


METHODS_LIVE = (
    "Podkopaev and Ramdas, Tracking the Risk of a Deployed Model and Detecting Harmful Distribution Shifts, ICLR 2022",
    METHODS[2],
    "Shin, Ramdas and Rinaldo, E-detectors: A Nonparametric Framework for Sequential Change Detection, 2022 (a loss "
    "that comes late)",
    METHODS[3],
)


class Decision(Frozen):
    """A change of the release file: when, what, and by whom where that is known."""

    moment: AwareDatetime
    what: str
    who: str = ""


class Latency(Frozen):
    """Percentiles of the model's latency in ms over the whole stage, by name such as `p99`."""

    champion: dict[str, float] = {}
    challenger: dict[str, float] = {}


class Sampling(Frozen):
    """Which of the evidence was looked at. Nothing is drawn by chance: what is chosen is chosen by a hash, and can be
    chosen again.

    Attributes:
        share: of the requests.
        labels: of the rows that wait for their label.
        seeds: of random numbers; none are used.
    """

    share: float
    by: str = "the first 32 bits of the SHA-256 of a request's bytes are below share * 2^32"
    labels: float
    labels_by: str = "the first 32 bits of the SHA-256 of a row's id are below labels * 2^32"
    seeds: tuple[int, ...] = ()


class Report(Frozen):
    """One report.

    Attributes:
        made: when; `until` of the verdict is how far the evidence goes.
        judge_version: of the arithmetic; `judge_source` is the SHA-256 of the judge's source files.
        rules: what it was judged by; `fingerprint` binds the judge's state to them.
        workload_sha256: of `workload.yaml`, which they come from.
        previous: the endpoint config beside a canary.
        began: the challenger's first answer.
        behind: up to when captures were read, where a look did not read them all.
        expectation: in the stage live, what the version was held to.
        labelled: by slice, and "" for all, what each version had by itself on labelled rows: `loss:challenger` →
            weights on `judge.GRID`. What is expected of the challenger once it is live comes from them.
        yes: share of the answers of champion and challenger that are yes; None: not known.
        waiting: requests without their other half, and rows without a label, at the end.
    """

    format: int = FORMAT
    made: AwareDatetime
    subject: Subject
    judge_version: int
    judge_source: str
    rules: Rules
    fingerprint: str
    workload_sha256: str
    sampling: Sampling
    looks: int
    since: AwareDatetime
    previous: str
    began: AwareDatetime | None
    behind: AwareDatetime | None
    verdict: Verdict
    expectation: Expectation | None
    changes: tuple[Change, ...]
    decisions: tuple[Decision, ...]
    path: tuple[Point, ...]
    scores: tuple[tuple[float, ...], tuple[float, ...]]
    labelled: dict[str, dict[str, tuple[float, ...]]]
    reference: Reference
    latency: Latency
    exceeded: tuple[tuple[float, ...], tuple[float, ...]]
    timed: tuple[float, float]
    errors: tuple[float, float]
    requests: tuple[float, float]
    answered: tuple[float, float]
    yes: tuple[float | None, float | None]
    tally: Tally
    waiting: tuple[int, int]
    method: str
    sources: tuple[str, ...]


def of_memory(
    memory: Memory,
    now: datetime,
    latency: Latency,
    decisions: tuple[Decision, ...] = (),
    workload_sha256: str = "",
) -> Report:
    """The report of what the watch remembers."""
    judge, rules = memory.judge, memory.rules
    arms = (judge.champion, judge.challenger)
    live = memory.subject.stage == "live"
    return Report(
        made=now,
        subject=memory.subject,
        judge_version=memory.version,
        judge_source=sources.digest(),
        rules=rules,
        fingerprint=rules.fingerprint,
        workload_sha256=workload_sha256,
        sampling=Sampling(share=memory.share, labels=0.5**memory.tally.halvings),
        looks=memory.looks,
        since=memory.since,
        previous=memory.previous,
        began=memory.began,
        behind=memory.behind,
        verdict=memory.says,
        expectation=memory.expectation,
        changes=memory.changes,
        decisions=decisions,
        path=memory.path,
        scores=memory.scores,
        labelled=_labelled(judge),
        reference=memory.reference,
        latency=latency,
        exceeded=(arms[0].exceeded, arms[1].exceeded),
        timed=(arms[0].timed, arms[1].timed),
        errors=(arms[0].errors, arms[1].errors),
        requests=(arms[0].requests, arms[1].requests),
        answered=(arms[0].answered, arms[1].answered),
        yes=(_share(arms[0]), _share(arms[1])),
        tally=memory.tally,
        waiting=(len(memory.halves.get("production", ())), len(memory.unlabelled.get("rows", ()))),
        method=RULE_LIVE if live else RULE,
        sources=METHODS_LIVE if live else METHODS,
    )


def _labelled(judge: State) -> dict[str, dict[str, tuple[float, ...]]]:
    parts = {WHOLE: judge.paired, **judge.slices}
    found = {
        name: {check: weights for check, weights in paired.values.items() if ":" in check}
        for name, paired in parts.items()
    }
    return {name: values for name, values in found.items() if values}


def _share(arm: Arm) -> float | None:
    return arm.yes / arm.answered if arm.answered else None


def latency(cloudwatch: Any, memory: Memory) -> Latency:
    """Of the whole stage, as SageMaker measured it; live, that of the champion is the one of its own shadow stage."""
    begin = memory.since.replace(second=0, microsecond=0)
    until = memory.until + timedelta(minutes=1)
    # CloudWatch keeps values of less than a minute for 3 hours and those of a minute for 15 days; longer ones come
    # from periods of an hour.
    period = max(60, int((until - begin).total_seconds()) // 60 * 60 + 60)
    if period > DAY:
        period = period // 3600 * 3600 + 3600
    names = [f"p{percent}" for percent in PERCENTILES]
    found = []
    for dims in counts.dimensions(memory.subject, memory.previous):
        values = {} if dims is None else counts.fullest(cloudwatch, names, dims, begin, until, period)
        found.append({name: values[name] / 1000 for name in names if name in values})
    before = {} if memory.expectation is None else memory.expectation.latency
    return Latency(champion=found[0] or before, challenger=found[1])
