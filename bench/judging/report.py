"""docs/benchmarks/judge.md from the rows."""

from typing import Any

from bench.judging.cells import ALPHA, CALIBRATION, HELD_OUT, OURS, SCENARIOS


def rounded(value: Any) -> Any:
    """Three significant digits are what the runs bear."""
    if not isinstance(value, float):
        return value
    short = float(f"{value:.3g}")
    return int(short) if short.is_integer() else short


def percent(value: float) -> str:
    """A share for people."""
    return f"{100 * value:.1f} %"


def page(rows: list[dict[str, Any]], extra: dict[str, Any]) -> str:
    """The whole page."""
    return "\n".join(
        [
            *_head(extra),
            *_claims(rows, extra),
            *_pictures(),
            *_matrix(rows, "False rollbacks", False),
            *_matrix(rows, "Detection", True),
            *_exposure(rows),
            *_yearly(rows),
            *_labels(rows),
            *_passing(extra),
            *_oracle(extra),
            *_limits(),
        ]
    )


def _head(extra: dict[str, Any]) -> list[str]:
    scenarios = [f"- **{s.name}** {s.says}" for s in SCENARIOS]
    return [
        "# The judge against its peers",
        "",
        "Written by `python -m bench.judge`; every figure of this page is in [judge.csv](judge.csv). Simulated "
        "releases, an hour long with a look every minute, load and noise common to both arms. Seeds: "
        f"{CALIBRATION} to tune, {HELD_OUT} for the figures. One core, {extra['seconds']:.0f} s.",
        "",
        "Peers are written anew from their documentation, each looks at the one metric that changes, and those with a "
        "fixed threshold are told the true base rate; Sluice looks at everything at once and is told nothing. *usual* "
        f"is as commonly set, *tuned* has its number set so that {percent(ALPHA)} of quiet releases are rolled back, "
        "at this very traffic and horizon. Kayenta is our rendering of its Mann-Whitney classifier, judged every ten "
        "minutes on the first 200 runs.",
        "",
        *scenarios,
        "",
    ]


def _find(rows: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    return next(row for row in rows if all(row[key] == value for key, value in wanted.items()))


def _claims(rows: list[dict[str, Any]], extra: dict[str, Any]) -> list[str]:
    calm = [r for r in rows if r["judge"] == OURS and not r["bad"] and r["setting"] == "as it comes"]
    worst = max((r for r in calm if r["scenario"] != "S0c"), key=lambda r: r["high"])
    fast = _find(rows, scenario="S1", design="canary 10 %", rps=50, judge=OURS)
    slow = _find(rows, scenario="S1", design="shadow", rps=2, judge=OURS)
    alone = _find(rows, says="accuracy -2 points", judge=OURS, setting="loss alone, all of alpha")
    whole = _find(rows, says="accuracy -2 points", judge=OURS, setting="as it comes")
    noisy = _find(rows, scenario="S4b", judge=OURS, setting="as it comes")
    speed = extra["speed"]
    return [
        "## In short",
        "",
        f"- False rollbacks, the worst of all cells without a fault (S0c apart, which needs a warm-up): "
        f"{percent(worst['rolled'])} in {worst['scenario']} at {worst['rps']:g} rps, {worst['design']}; upper bound "
        f"{percent(worst['high'])}, alpha {percent(ALPHA)}.",
        f"- Errors 0.1 to 0.5 %, 50 rps, canary of 10 %: found in {percent(fast['rolled'])}, median "
        f"{fast['minutes_median']:g} min, {fast['requests_median']:,.0f} canary requests; 2 rps in shadow: "
        f"{percent(slow['rolled'])} within the hour, no user exposed.",
        f"- Two points of accuracy: median {noisy['requests_median']:,.0f} labels where the scores got noisier (S4b), "
        f"all checks at work. Where nothing but decisions is known, 5 % of them discordant: "
        f"{alone['requests_median']:,.0f} with all of alpha on that check, {whole['requests_median']:,.0f} with the "
        "split of alpha as it comes.",
        f"- {speed['judge']:.1f} µs a look at the errors in plain Python; one Mann-Whitney test on 300 points a side "
        f"took {speed['ratio']:.0f} times as long in the same run.",
        "",
        *_verdicts(rows),
    ]


def _verdicts(rows: list[dict[str, Any]]) -> list[str]:
    """For each peer its worst cell against ours."""
    lines = [
        "| peer, as commonly set | worst false rollbacks (Sluice there) | worst miss of S1 or S1b (Sluice there) |",
        "|---|---|---|",
    ]
    judges = dict.fromkeys(r["judge"] for r in rows if r["judge"] != OURS)
    for judge in judges:
        own = [r for r in rows if r["judge"] == judge and r["setting"] == "usual"]

        def ours(row: dict[str, Any]) -> dict[str, Any]:
            return _find(
                rows,
                judge=OURS,
                setting="as it comes",
                **{k: row[k] for k in ("scenario", "says", "design", "rps")},
            )

        alarms = [r for r in own if r["scenario"] in ("S0", "S0b", "S6")]
        misses = [r for r in own if r["scenario"] in ("S1", "S1b")]
        alarm = max(alarms, key=lambda r: r["rolled"] - ours(r)["rolled"])
        miss = min(misses, key=lambda r: r["rolled"] - ours(r)["rolled"])
        lines.append(
            f"| {judge} | {percent(alarm['rolled'])} ({percent(ours(alarm)['rolled'])}), {_where(alarm)} | "
            f"{percent(miss['rolled'])} ({percent(ours(miss)['rolled'])}), {_where(miss)} |"
        )
    return [*lines, ""]


def _where(row: dict[str, Any]) -> str:
    return f"{row['scenario']}, {row['rps']:g} rps, {row['design']}"


def _pictures() -> list[str]:
    return [
        "![False rollbacks](judge-false.svg)",
        "",
        "![False rollbacks against detection](judge-detect.svg)",
        "",
        "![Evidence by minute](judge-paths.svg)",
        "",
    ]


def _matrix(rows: list[dict[str, Any]], title: str, bad: bool) -> list[str]:
    """One table a design: judges down, scenario and rate across."""
    lines = [f"## {title}", ""]
    if bad:
        lines += ["Share found within the hour, and the median minute where at least half are.", ""]
    for design in ("canary 10 %", "canary 1 of 3", "shadow"):
        those = [r for r in rows if r["design"] == design and r["bad"] == bad and r["rps"]]
        columns = list(dict.fromkeys((r["scenario"], r["says"], r["rps"]) for r in those))
        judges = list(dict.fromkeys((r["judge"], r["setting"]) for r in those))
        for part in [columns[i : i + 8] for i in range(0, len(columns), 8)]:
            heads = " | ".join(f"{name} {_short(says)} {rps:g} rps" for name, says, rps in part)
            lines += [f"**{design}**", "", f"| judge | {heads} |", "|---|" + "---|" * len(part)]
            for judge, setting in judges:
                found = {
                    (r["scenario"], r["says"], r["rps"]): r
                    for r in those
                    if (r["judge"], r["setting"]) == (judge, setting)
                }
                if any(column in found for column in part):
                    values = " | ".join(_cell(found.get(column), bad) for column in part)
                    lines.append(f"| {judge}, {setting} | {values} |")
            lines.append("")
    return lines


def _short(says: str) -> str:
    return says.removeprefix("latency ") if says.startswith("latency") else ""


def _cell(row: dict[str, Any] | None, bad: bool) -> str:
    if row is None:
        return ""
    if bad:
        minutes = row["minutes_median"]
        return percent(row["rolled"]) + (f", {minutes:g} min" if minutes else "")
    return f"{percent(row['rolled'])} (≤ {percent(row['high'])})"


def _exposure(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "## Exposure",
        "",
        "S1 at 50 rps, canary of 10 %: requests that the bad version answered before it was turned back, and the "
        "errors among them.",
        "",
        "| judge | median requests | p95 | most | errors, p95 |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        if (row["scenario"], row["design"], row["rps"]) == ("S1", "canary 10 %", 50):
            median = f"{row['requests_median']:,.0f}" if row["requests_median"] else "not found"
            lines.append(
                f"| {row['judge']}, {row['setting']} | {median} | {row['exposed_p95']:,.0f} | "
                f"{row['exposed_max']:,.0f} | {row['harm_p95']:,.0f} |"
            )
    return [*lines, ""]


def _yearly(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "## A year of weekly retrains (S8)",
        "",
        "Expected false rollbacks in 52 good releases by a canary of 10 % for an hour, an incident in both arms in "
        "five of them; from S0 and S0b.",
        "",
        "| judge | 50 rps | 10 rps | 2 rps | 0.2 rps |",
        "|---|---|---|---|---|",
    ]
    judges = dict.fromkeys((r["judge"], r["setting"]) for r in rows if r["scenario"] == "S0")
    for judge, setting in judges:
        values = []
        for rps in (50, 10, 2, 0.2):
            calm, incident = (
                _find(rows, scenario=s, design="canary 10 %", rps=rps, judge=judge, setting=setting)["rolled"]
                for s in ("S0", "S0b")
            )
            values.append(f"{47 * calm + 5 * incident:.1f}")
        lines.append(f"| {judge}, {setting} | {' | '.join(values)} |")
    return [*lines, ""]


def _labels(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "## Labels (S4) and many metrics (S7)",
        "",
        "Labels count from their arrival: a delay of an hour, a day or a week comes on top, whole, for every judge. "
        "A look is ten labels; 6,000 are seen in S4, 2,000 in S4b.",
        "",
        "| scenario | judge | found | median labels | p95 |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        if not row["rps"]:
            median, tail = (f"{row[k]:,.0f}" if row[k] else "" for k in ("requests_median", "requests_p95"))
            lines.append(
                f"| {row['scenario']} {row['says']} | {row['judge']}, {row['setting']} | {percent(row['rolled'])} | "
                f"{median} | {tail} |"
            )
    return [*lines, ""]


def _passing(extra: dict[str, Any]) -> list[str]:
    lines = [
        "## Time to pass",
        "",
        "A good challenger in shadow, by the judge itself, default margins: the errors shown below 1 %, latency, "
        "agreement and decisions shown acceptable, 500 pairs. Twelve releases each, an hour; undecided is no pass.",
        "",
        "| rps | passed | failed | undecided | median minutes |",
        "|---|---|---|---|---|",
    ]
    for row in extra["passing"]:
        minutes = f"{row['minutes']:g}" if row["minutes"] else ""
        lines.append(
            f"| {row['rps']:g} | {percent(row['passed'])} | {percent(row['failed'])} | {percent(row['undecided'])} | "
            f"{minutes} |"
        )
    return [*lines, ""]


def _oracle(extra: dict[str, Any]) -> list[str]:
    lines = [
        "## Against a test that knows the effect",
        "",
        "240 looks at 100 + 900 requests with 1 % of errors; the errors check with all of alpha, and Wald's test told "
        "the effect beforehand.",
        "",
        "| errors times | found | median looks | oracle found | median looks |",
        "|---|---|---|---|---|",
    ]
    for row in extra["oracle"]:
        if row["ratio"] == 1:
            lines.append(f"| 1 (false) | {percent(row['judge'])} | | | |")
            continue
        lines.append(
            f"| {row['ratio']:g} | {percent(row['judge'])} | {row['judge_looks']:g} | {percent(row['oracle'])} | "
            f"{row['oracle_looks']:g} |"
        )
    return [*lines, ""]


def _limits() -> list[str]:
    return [
        "## What this does not show",
        "",
        "- Requests fail independently of each other here. Errors that come in bursts from one instance are fewer "
        "pieces of evidence than they look; the margin `errors.tolerated` is the answer to that; by default it is 1.",
        "- A tuned z test finds faults sooner, at the traffic and horizon that it was tuned at. Its threshold holds "
        "nowhere else: at 240 looks instead of 60, at another rate, in fifty metrics (S7), it is another test.",
        "- Kayenta is not run as it is: its JVM service needs a metrics store.",
        "",
    ]
