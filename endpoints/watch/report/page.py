"""The report as one page without outside resources. Pure: everything comes from the document."""

from datetime import datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from endpoints.release.judge import Check, betting
from endpoints.release.judge.promise import WHOLE
from endpoints.release.judge.rules import Stage
from endpoints.watch.report import charts
from endpoints.watch.report.document import Report
from endpoints.watch.report.words import UNITS, WORDS, ratio


def page(report: Report) -> str:
    """HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "moment": _moment, "observed": _observed, "e": _e, "ms": _ms}
    stage = report.subject.stage
    words, events = WORDS[stage], _events(report)
    slices = sorted((each for each in report.verdict.slices if each.units), key=lambda each: -each.log10_e)
    return environment.get_template("page.html.j2").render(
        report=report,
        verdict=report.verdict,
        subject=report.subject,
        stage=stage,
        words=words,
        title=words.titles[report.verdict.outcome],
        summary=_summary(report),
        facts=_facts(report),
        events=events,
        timeline=charts.timeline([(moment, kind) for moment, kind, _ in events]) if events else "",
        evidence=charts.evidence(report.path, report.verdict.threshold, words.threshold)
        if report.path
        else "",
        loud=charts.loudest(report.path),
        scores=_scores(report),
        units=UNITS,
        ratio=lambda check: ratio(check, stage),
        seen=lambda check: _seen(check, report),
        labelled=_labelled(report),
        slices=[{"check": each, "band": _band(each, stage)} for each in slices],
        unseen=sorted({str(e.slice) for e in report.verdict.slices} - {str(e.slice) for e in slices}),
        latency=_latency(report),
        exceedances=_exceedances(report),
    )


def _summary(report: Report) -> str:
    said, subject = report.verdict, report.subject
    who = f"Version {subject.challenger.version} of {subject.workload}"
    live = subject.stage == "live"
    if said.outcome == "fail":
        found = f"{said.decided_by}" if said.decided_by else "all checks together"
        first = next(
            (change.moment for change in report.changes if change.outcome == "fail"), said.decided_at
        )
        worse = (
            "than its shadow stage allows to expect, and by more than is tolerated"
            if live
            else "than is tolerated"
        )
        then = " Going back is proposed: sluice release rollback." if live else ""
        return (
            f"{who} is shown to be worse {worse}, at {_moment(first)}. What spoke loudest: "
            f"{found}. The evidence against it reached {_e(said.highest)}; {_e(said.threshold)} is enough.{then}"
        )
    if said.outcome == "pass" and live:
        return f"{who} is shown to be as good as its shadow stage made expect, on {said.labels:,} labels."
    if said.outcome == "pass":
        seen = f"{said.pairs:,} pairs of answers and {said.labels:,} labels"
        if subject.stage == "canary":
            seen = (
                f"{report.requests[1]:,.0f} requests to it beside {report.requests[0]:,.0f} to the champion"
            )
        return f"{who} is shown to be acceptable in every respect that is required, on {seen}."
    wait = "" if said.seconds is None else f" At this pace in about {timedelta(seconds=ceil(said.seconds))}."
    return f"{who} is neither shown to be worse nor shown to be good enough. Still needed is what is listed.{wait}"


def _facts(report: Report) -> list[tuple[str, str]]:
    """What was seen in a few numbers: name and value."""
    said = report.verdict
    found = {
        "shadow": [
            ("Pairs of answers", _number(said.pairs)),
            ("Joined", "-" if said.join_rate is None else f"{100 * said.join_rate:.2f} %"),
            ("Labels", _number(said.labels)),
        ],
        "canary": [
            ("Requests to the canary", _number(report.requests[1])),
            ("To the champion beside it", _number(report.requests[0])),
            ("Failed, of canary and champion", f"{report.errors[1]:,.0f} and {report.errors[0]:,.0f}"),
        ],
        "live": [
            ("Answers", _number(report.answered[1])),
            ("Labels", _number(said.labels)),
            ("Yes, live and in shadow", f"{_percent(report.yes[1])}, {_percent(_yes_before(report))}"),
        ],
    }[report.subject.stage]
    return [
        *found,
        ("Looks", _number(report.looks)),
        ("Evidence against, highest", _e(said.highest)),
        (WORDS[report.subject.stage].bound, _e(said.threshold)),
    ]


def _yes_before(report: Report) -> float | None:
    return None if report.expectation is None else report.expectation.yes


def _scores(report: Report) -> str:
    one, two = report.scores
    if report.expectation is not None:
        one = report.expectation.scores
    return charts.scores(one, two, report.rules.threshold) if sum(one) + sum(two) else ""


def _labelled(report: Report) -> list[dict[str, Any]]:
    """What labelled rows say of each version by itself; in the stage live, what was expected of it before."""
    whole, found = report.labelled.get(WHOLE, {}), []
    promises = {} if report.expectation is None else report.expectation.promises
    for check, what in (("loss", "wrong decisions"), ("brier", "mean squared error of the scores")):
        one, two = (whole.get(f"{check}:{arm}", ()) for arm in ("champion", "challenger"))
        promise = promises.get(check)
        if not (sum(one) or sum(two) or promise):
            continue
        found.append(
            {
                "what": what,
                "one": promise.mean if promise else betting.mean(one),
                "two": betting.mean(two),
                "bound": promise.bound if promise else None,
                "source": None if promise is None else promise.source,
                "labels": (promise.labels if promise else sum(one), sum(two)),
            }
        )
    return found


def _band(check: Check, stage: Stage) -> str | None:
    if check.observed is None or ratio(check, stage):
        return None
    if stage == "live":
        if check.expected is None:
            return None
        return charts.band(check.observed - check.expected, check.tolerated, check.accepted, one_sided=True)
    return charts.band(check.observed, check.tolerated, check.accepted)


def _events(report: Report) -> list[tuple[datetime, str, str]]:
    """Moment, kind and text, in order."""
    subject = report.subject
    begins = "is live" if subject.stage == "live" else f"begins its {subject.stage} stage"
    found = [(subject.since, "plain", f"Version {subject.challenger.version} {begins}")]
    if report.began is not None:
        found.append((report.began, "plain", WORDS[subject.stage].began))
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


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _observed(check: Check, stage: Stage) -> str:
    if check.observed is None:
        return "-"
    if ratio(check, stage):
        return f"{check.observed:.2f} times"
    return f"{100 * check.observed:.2f} %" if stage == "live" else f"{100 * check.observed:+.2f} points"


def _seen(check: Check, report: Report) -> str:
    """As `_observed`; of errors that the champion has none of, the numbers, for they have no ratio."""
    if check.name == "errors" and check.observed is None and any(report.errors):
        return f"{report.errors[1]:,.0f} to {report.errors[0]:,.0f}"
    return _observed(check, report.subject.stage)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f} ms"


def _e(log10: float) -> str:
    """An e-value as odds that a reader can weigh."""
    if log10 < -3:
        return "under 1 : 1,000"
    if log10 < 0:
        return f"1 : {10**-log10:,.1f}"
    for places, word in ((15, "quadrillion"), (12, "trillion"), (9, "billion"), (6, "million")):
        if log10 >= 18:
            return "over 10¹⁸ : 1"
        if log10 >= places:
            return f"{10 ** (log10 - places):.3g} {word} : 1"
    return f"{10**log10:,.0f} : 1" if log10 >= 2 else f"{10**log10:,.1f} : 1"
