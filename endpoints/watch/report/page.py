"""The report as one page without outside resources. Pure: everything comes from the document."""

from datetime import datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from endpoints.release.judge import Check
from endpoints.watch.report import charts
from endpoints.watch.report.document import Report

TITLES = {"pass": "Passed", "fail": "Turned back", "undecided": "Undecided"}
COUNTED = {"errors": "requests", "latency": "answers", "score": "answers"}
RATIOS = ("errors", "latency", "score")
MEANS = {
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


def page(report: Report) -> str:
    """HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "moment": _moment, "observed": _observed, "e": _e}
    events = _events(report)
    slices = sorted((each for each in report.verdict.slices if each.units), key=lambda each: -each.log10_e)
    shown: list[dict[str, Any]] = [
        {
            "check": each,
            "band": None
            if each.observed is None or each.name in RATIOS
            else charts.band(each.observed, each.tolerated, each.accepted),
        }
        for each in slices
    ]
    return environment.get_template("page.html.j2").render(
        report=report,
        verdict=report.verdict,
        subject=report.subject,
        title=TITLES[report.verdict.outcome],
        summary=_summary(report),
        events=events,
        timeline=charts.timeline([(moment, kind) for moment, kind, _ in events]) if events else "",
        evidence=charts.evidence(report.path, report.verdict.threshold) if report.path else "",
        loud=charts.loudest(report.path),
        scores=charts.scores(*report.scores, report.rules.threshold) if sum(report.scores[0]) else "",
        means=MEANS,
        units=COUNTED,
        slices=shown,
        unseen=sorted({str(e.slice) for e in report.verdict.slices} - {str(e.slice) for e in slices}),
        latency=_latency(report),
        exceedances=_exceedances(report),
    )


def _summary(report: Report) -> str:
    said, subject = report.verdict, report.subject
    who = f"Version {subject.challenger.version} of {subject.workload}"
    if said.outcome == "fail":
        found = f"{said.decided_by}" if said.decided_by else "all checks together"
        first = next(
            (change.moment for change in report.changes if change.outcome == "fail"), said.decided_at
        )
        return (
            f"{who} is shown to be worse than is tolerated, at {_moment(first)}. What spoke loudest: "
            f"{found}. The evidence against it reached {_e(said.highest)}; {_e(said.threshold)} is enough."
        )
    if said.outcome == "pass":
        return (
            f"{who} is shown to be acceptable in every respect that is required, on {said.pairs:,} pairs of answers "
            f"and {said.labels:,} labels."
        )
    wait = "" if said.seconds is None else f" At this pace in about {timedelta(seconds=ceil(said.seconds))}."
    return f"{who} is neither shown to be worse nor shown to be good enough. Still needed is what is listed.{wait}"


def _events(report: Report) -> list[tuple[datetime, str, str]]:
    """Moment, kind and text, in order."""
    subject = report.subject
    found = [
        (subject.since, "plain", f"Version {subject.challenger.version} begins its {subject.stage} stage")
    ]
    if report.mirrored_since is not None:
        found.append((report.mirrored_since, "plain", "The first request is answered by both versions"))
    if report.path:
        found.append((report.path[0].moment, "plain", "The first look of the judge"))
    for change in report.changes:
        found.append((change.moment, change.outcome, f"Verdict: {change.outcome} — {change.why}"))
    for decision in report.decisions:
        by = f", by {decision.who}" if decision.who else ""
        found.append((decision.moment, "decision", f"Release file: {decision.what}{by}"))
    if report.path:
        found.append(
            (report.path[-1].moment, "plain", f"The last look, number {report.looks}, of this report")
        )
    return sorted(found, key=lambda event: event[0])


def _latency(report: Report) -> list[tuple[str, float | None, float | None]]:
    names = sorted({*report.latency.champion, *report.latency.challenger}, key=lambda name: float(name[1:]))
    return [(n, report.latency.champion.get(n), report.latency.challenger.get(n)) for n in names]


def _exceedances(report: Report) -> list[tuple[float, float, float, float]]:
    """Quantile, its value in ms, and the shares of both versions that were slower."""
    one, two = report.exceeded
    return [
        (quantile, micros / 1000, mine / max(1.0, report.timed[0]), theirs / max(1.0, report.timed[1]))
        for quantile, micros, mine, theirs in zip(
            report.rules.settings.latency_quantiles, report.reference.latencies, one, two, strict=False
        )
    ]


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _moment(value: datetime | None) -> str:
    return "-" if value is None else f"{value:%Y-%m-%d %H:%M:%S} UTC"


def _observed(check: Check) -> str:
    if check.observed is None:
        return "-"
    return f"{check.observed:.2f} times" if check.name in RATIOS else f"{100 * check.observed:+.2f} points"


def _e(log10: float) -> str:
    """An e-value as odds that a reader can weigh."""
    if log10 < -3:
        return "under 1 : 1,000"
    if log10 < 0:
        return f"1 : {10**-log10:,.1f}"
    for places, word in ((15, "quadrillion"), (12, "trillion"), (9, "billion"), (6, "million")):
        if log10 >= 18:
            return "over a quintillion : 1"
        if log10 >= places:
            return f"{10 ** (log10 - places):.3g} {word} : 1"
    return f"{10**log10:,.0f} : 1" if log10 >= 2 else f"{10**log10:,.1f} : 1"
