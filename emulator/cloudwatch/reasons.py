"""StateReason and StateReasonData in CloudWatch's words. Pure."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from emulator.cloudwatch.evaluation import OPERATORS, Rule, State, Verdict


def reason(rule: Rule, verdict: Verdict, state: State) -> str:
    """`Threshold Crossed: 1 out of the last 1 datapoints [3.0 (21/11/26 10:00:00)] was greater than …`."""
    count = len(verdict.evaluated)
    if not count:
        many = f"{rule.periods} {_plural('datapoint', rule.periods)} {_was(rule.periods)}"
        if state == "INSUFFICIENT_DATA":
            return f"Insufficient Data: {many} unknown."
        missing = f"{rule.periods} missing {_plural('datapoint', rule.periods)} {_was(rule.periods)}"
        return (
            f"Threshold Crossed: no datapoints were received for {rule.periods} {_plural('period', rule.periods)} "
            f"and {missing} treated as [{_treated(rule)}]."
        )
    words = OPERATORS[rule.comparison][1]
    listed = ", ".join(f"{value} ({_short(time)})" for time, value in verdict.evaluated[:5])
    breaching = sum(rule.breaches(value) for _, value in verdict.evaluated)
    shown = breaching if state == "ALARM" else count - breaching
    negation = "" if state == "ALARM" else "not "
    threshold = float(rule.threshold)
    minimum = (
        ""
        if state == "OK"
        else (
            f" (minimum {rule.datapoints} {_plural('datapoint', rule.datapoints)} for OK -> ALARM transition)"
        )
    )
    if state != "ALARM" and rule.datapoints < rule.periods:
        needed = rule.periods - rule.datapoints + 1
        minimum = f" (minimum {needed} {_plural('datapoint', needed)} for ALARM -> OK transition)"
    return (
        f"Threshold Crossed: {shown} out of the last {rule.periods} {_plural('datapoint', rule.periods)} "
        f"[{listed}] {_was(shown)} {negation}{words} the threshold ({threshold}){minimum}."
    )


def reason_data(
    rule: Rule, verdict: Verdict, statistic: str, unit: str | None, now: datetime
) -> dict[str, Any]:
    """The JSON value of StateReasonData, version 1.0."""
    data: dict[str, Any] = {
        "version": "1.0",
        "queryDate": _long(now.timestamp()),
        "statistic": statistic,
        "period": rule.period,
        "recentDatapoints": [value for _, value in reversed(verdict.evaluated)],
        "threshold": float(rule.threshold),
        "evaluatedDatapoints": [
            {"timestamp": _long(time), "value": value} for time, value in verdict.evaluated
        ],
    }
    if verdict.evaluated:
        data["startDate"] = _long(verdict.evaluated[-1][0])
    if unit:
        data["unit"] = unit
    return data


def history(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """HistoryData of a StateUpdate."""
    return json.dumps({"version": "1.0", "oldState": before, "newState": after})


def state_entry(value: str, text: str, data: str | None) -> dict[str, Any]:
    """One side of that."""
    entry: dict[str, Any] = {"stateValue": value, "stateReason": text}
    if data and data != "{}":
        entry["stateReasonData"] = json.loads(data)
    return entry


def _treated(rule: Rule) -> str:
    return {"breaching": "Breaching", "notBreaching": "NonBreaching"}.get(rule.treat_missing, "Missing")


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _short(second: float) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%d/%m/%y %H:%M:%S")


def _long(second: float) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
