"""The report as data: everything that the page shows, and what an auditor needs to compute it again."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime

from endpoints.release.judge import Reference, Rules, Verdict, verdict
from endpoints.watch import counts
from endpoints.watch.memory import Change, Memory, Point, Tally
from endpoints.watch.subject import Subject
from sluice.config import Frozen

FORMAT = 1
PERCENTILES = (50, 90, 99)
RULE = (
    "A challenger is turned back once the evidence against it, combined over all checks, has reached 1/alpha: by "
    "Ville's inequality that happens to a challenger within every tolerated margin with a chance of at most alpha, "
    "however often one looks. It passes once each required check is shown to be acceptable at alpha_pass, with enough "
    "pairs, joined answers and time. Anything else is undecided."
)
METHODS = (
    "Lindon and Malek, Anytime-Valid Inference for Multinomial Count Data, NeurIPS 2022 (errors, scores)",
    "Lindon, Sanden and Shirikian, Rapid Regression Detection in Software Deployments through Sequential Testing, "
    "KDD 2022 (latency)",
    "Waudby-Smith and Ramdas, Estimating Means of Bounded Random Variables by Betting, JRSS B 2024 (pairs, labels)",
    "Vovk and Wang, E-values: Calibration, Combination and Applications, Annals of Statistics 2021 (combination)",
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


class Report(Frozen):
    """One report.

    Attributes:
        made: when; `until` of the verdict is how far the evidence goes.
        rules: what it was judged by; `fingerprint` binds the judge's state to them.
        seeds: of random numbers; the judge uses none.
        waiting: requests without their other half, and rows without a label, at the end.
    """

    format: int = FORMAT
    made: AwareDatetime
    subject: Subject
    judge_version: int
    rules: Rules
    fingerprint: str
    seeds: tuple[int, ...] = ()
    looks: int
    mirrored_since: AwareDatetime | None
    verdict: Verdict
    changes: tuple[Change, ...]
    decisions: tuple[Decision, ...]
    path: tuple[Point, ...]
    scores: tuple[tuple[float, ...], tuple[float, ...]]
    reference: Reference
    latency: Latency
    exceeded: tuple[tuple[float, ...], tuple[float, ...]]
    timed: tuple[float, float]
    errors: tuple[float, float]
    requests: tuple[float, float]
    tally: Tally
    waiting: tuple[int, int]
    method: str = RULE
    sources: tuple[str, ...] = METHODS


def of_memory(
    memory: Memory, now: datetime, latency: Latency, decisions: tuple[Decision, ...] = ()
) -> Report:
    """The report of what the watch remembers."""
    judge, rules = memory.judge, memory.rules
    arms = (judge.champion, judge.challenger)
    return Report(
        made=now,
        subject=memory.subject,
        judge_version=memory.version,
        rules=rules,
        fingerprint=rules.fingerprint,
        looks=memory.looks,
        mirrored_since=memory.began,
        verdict=verdict(judge, rules),
        changes=memory.changes,
        decisions=decisions,
        path=memory.path,
        scores=memory.scores,
        reference=memory.reference,
        latency=latency,
        exceeded=(arms[0].exceeded, arms[1].exceeded),
        timed=(arms[0].timed, arms[1].timed),
        errors=(arms[0].errors, arms[1].errors),
        requests=(arms[0].requests, arms[1].requests),
        tally=memory.tally,
        waiting=(len(memory.halves.get("production", ())), len(memory.unlabelled.get("rows", ()))),
    )


def latency(cloudwatch: Any, subject: Subject, until: datetime) -> Latency:
    """Of the whole stage, as SageMaker measured it; the fuller part where CloudWatch keeps it in two."""
    begin = subject.since.replace(second=0, microsecond=0)
    period = max(60, int((until - begin + timedelta(minutes=1)).total_seconds()) // 60 * 60 + 60)
    names = {f"p{percent}": ("ModelLatency", f"p{percent}") for percent in PERCENTILES}
    stats = {"n": ("ModelLatency", "SampleCount"), **names}
    found = []
    for dims in counts.dimensions(subject):
        lists = counts.lists(cloudwatch, stats, dims, begin, until + timedelta(minutes=1), period)
        best = max(range(len(lists.get("n", ()))), key=lambda place: lists["n"][place], default=None)
        found.append(
            {}
            if best is None
            else {name: lists[name][best] / 1000 for name in names if len(lists.get(name, ())) > best}
        )
    return Latency(champion=found[0], challenger=found[1])
