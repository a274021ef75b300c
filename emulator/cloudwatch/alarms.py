"""The alarms of the account: kept, described, evaluated."""

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from emulator.cloudwatch import composite, definition, queries, reasons
from emulator.cloudwatch.errors import no_resource, not_found, validation
from emulator.cloudwatch.evaluation import Rule, State, Verdict, evaluate, last_complete
from emulator.cloudwatch.store import Metric, Store

log = logging.getLogger("emulator.cloudwatch")

GRACE_SECONDS = 2.0
"""How long after its end a period waits for late datapoints. AWS gives no number; a later point still counts at the
next evaluation, for the evaluation range reaches back."""
STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
HISTORY = 20_000


@dataclass
class Alarm:
    """One alarm. `given` is what PutMetricAlarm or PutCompositeAlarm carried, without the tags."""

    arn: str
    given: dict[str, Any]
    configured: datetime
    state: str = "INSUFFICIENT_DATA"
    reason: str = "Unchecked: Initial alarm creation"
    reason_data: str | None = None
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))
    transitioned: datetime = field(default_factory=lambda: datetime.now(UTC))
    due: float = 0.0
    """Epoch second of the next evaluation."""

    @property
    def name(self) -> str:
        return str(self.given["AlarmName"])

    @property
    def composite(self) -> bool:
        return "AlarmRule" in self.given

    @property
    def actions_enabled(self) -> bool:
        return self.given.get("ActionsEnabled") is not False

    def actions(self) -> list[str]:
        """The ARNs to act on in the present state."""
        kind = {"ALARM": "AlarmActions", "OK": "OKActions"}.get(self.state, "InsufficientDataActions")
        return list(self.given.get(kind) or [])

    def describe(self) -> dict[str, Any]:
        """A member of DescribeAlarms."""
        lists = {name: self.given.get(name) or [] for name in _ACTIONS}
        common = {
            **{key: value for key, value in self.given.items() if value is not None},
            **lists,
            "AlarmArn": self.arn,
            "ActionsEnabled": self.actions_enabled,
            "AlarmConfigurationUpdatedTimestamp": self.configured,
            "StateValue": self.state,
            "StateReason": self.reason,
            "StateUpdatedTimestamp": self.updated,
            "StateTransitionedTimestamp": self.transitioned,
        }
        if self.reason_data:
            common["StateReasonData"] = self.reason_data
        if not self.composite:
            common.setdefault("Dimensions", [])
        return common


_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
_KEPT = (
    "AlarmName",
    "AlarmDescription",
    "ActionsEnabled",
    *_ACTIONS,
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Dimensions",
    "Period",
    "Unit",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
    "Metrics",
    "ThresholdMetricId",
    "AlarmRule",
    "ActionsSuppressor",
    "ActionsSuppressorWaitPeriod",
    "ActionsSuppressorExtensionPeriod",
)
OnChange = Callable[[Alarm, Mapping[str, Any]], Iterable[str]]
"""Acts on a changed alarm, given its old state as a history entry; returns a line of history for each action."""


class Alarms:
    """Thread-safe. `tick` evaluates what is due; nothing else changes a state but `set_state`."""

    def __init__(self, store: Store, arn: Callable[[str], str], on_change: OnChange) -> None:
        self._store = store
        self._arn = arn
        self._on_change = on_change
        self._lock = threading.RLock()
        self._alarms: dict[str, Alarm] = {}
        self._tags: dict[str, dict[str, str]] = {}
        self.history: deque[dict[str, Any]] = deque(maxlen=HISTORY)

    def put(self, given: Mapping[str, Any], now: datetime) -> Alarm:
        """Create an alarm, or change one: then its state and reason stay (PutMetricAlarm says so) until the next
        evaluation.

        Raises:
            ServiceException: ValidationError, MissingParameter, InvalidParameterCombination.
        """
        if "AlarmRule" in given:
            unknown = [name for name in composite.alarms_in(given["AlarmRule"]) if name not in self._alarms]
            composite.holds(given["AlarmRule"], {})
            if unknown:
                raise validation(
                    f"AlarmRule refers to alarms that do not exist: {', '.join(sorted(unknown))}."
                )
            if given.get("ActionsSuppressor"):
                raise validation("ActionsSuppressor is not supported here.")
        else:
            definition.check(given)
        kept = {name: given[name] for name in _KEPT if given.get(name) is not None}
        with self._lock:
            old = self._alarms.get(kept["AlarmName"])
            if old is not None and old.composite != ("AlarmRule" in kept):
                raise validation(f"The alarm {kept['AlarmName']} is of the other type (metric, composite).")
            alarm = old or Alarm(self._arn(kept["AlarmName"]), kept, now, updated=now, transitioned=now)
            alarm.given, alarm.configured, alarm.due = kept, now, now.timestamp()
            self._alarms[alarm.name] = alarm
            if old is None and given.get("Tags"):
                self._tags[alarm.arn] = {tag["Key"]: tag["Value"] for tag in given["Tags"]}
            self._record(
                alarm,
                "ConfigurationUpdate",
                f'Alarm "{alarm.name}" {"updated" if old else "created"}',
                {"version": "1.0", "type": "Update" if old else "Create"},
                now,
            )
            return alarm

    def get(self, name: str) -> Alarm | None:
        with self._lock:
            return self._alarms.get(name)

    def all(self) -> list[Alarm]:
        """By name."""
        with self._lock:
            return [self._alarms[name] for name in sorted(self._alarms)]

    def delete(self, names: Iterable[str], now: datetime) -> None:
        """Raises:
        ServiceException: ResourceNotFound; then none was deleted.
        """
        with self._lock:
            missing = [name for name in names if name not in self._alarms]
            if missing:
                raise not_found(f"Alarm(s) not found: {', '.join(missing)}")
            for name in names:
                alarm = self._alarms.pop(name)
                self._tags.pop(alarm.arn, None)
                data = {"version": "1.0", "type": "Delete"}
                self._record(alarm, "ConfigurationUpdate", f'Alarm "{name}" deleted', data, now)

    def set_state(self, name: str, state: str, reason: str, data: str | None, now: datetime) -> None:
        """For a while: the next evaluation puts it right.

        Raises:
            ServiceException: ResourceNotFound, ValidationError, InvalidFormat.
        """
        with self._lock:
            alarm = self._alarms.get(name)
            if alarm is None:
                raise not_found(f"The alarm {name} does not exist.")
            if state not in STATES:
                raise validation(
                    f"1 validation error detected: Value '{state}' at 'stateValue' failed to satisfy constraint: "
                    "Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]"
                )
            alarm.due = max(alarm.due, now.timestamp() + 1)
        self._change(alarm, state, reason, data, now)

    def enable(self, names: Iterable[str], enabled: bool) -> None:
        with self._lock:
            for name in names:
                if name in self._alarms:
                    self._alarms[name].given["ActionsEnabled"] = enabled

    def tags(self, arn: str) -> dict[str, str]:
        """The tags of an alarm, to read and to change.

        Raises:
            ServiceException: ResourceNotFoundException.
        """
        with self._lock:
            if not any(alarm.arn == arn for alarm in self._alarms.values()):
                raise no_resource(arn)
            return self._tags.setdefault(arn, {})

    def tick(self, now: datetime) -> None:
        """Evaluate every alarm that is due: 10 s alarms each 10 s, the others each minute, as CloudWatch does."""
        second = now.timestamp()
        with self._lock:
            due = [alarm for alarm in self._alarms.values() if alarm.due <= second]
        for alarm in sorted(due, key=lambda each: each.composite):
            try:
                self._evaluate(alarm, now)
            except Exception:
                log.exception("alarm %s could not be evaluated", alarm.name)
                alarm.due = second + 10

    def _evaluate(self, alarm: Alarm, now: datetime) -> None:
        second = now.timestamp()
        if alarm.composite:
            alarm.due = second
            states = {each.name: each.state for each in self.all()}
            state = "ALARM" if composite.holds(alarm.given["AlarmRule"], states) else "OK"
            if state != alarm.state:
                text = f"{alarm.arn} transitioned to {state}: its rule {alarm.given['AlarmRule']} is {state == 'ALARM'}"
                self._change(alarm, state, text, None, now)
            return
        rule = definition.rule_of(alarm.given)
        step = _step(rule)
        alarm.due = last_complete(second, step, GRACE_SECONDS) + step + GRACE_SECONDS
        end = last_complete(second, step, GRACE_SECONDS)
        verdict = evaluate(rule, self._points(alarm, rule, end), end)
        if verdict.state is not None:
            self._settle(alarm, rule, verdict, verdict.state, now)

    def recent(self, name: str, now: datetime) -> Mapping[int, float]:
        """The datapoints that the alarm looks at, by the start of their period; empty if it is not there."""
        alarm = self.get(name)
        if alarm is None or alarm.composite:
            return {}
        rule = definition.rule_of(alarm.given)
        return self._points(alarm, rule, last_complete(now.timestamp(), _step(rule), GRACE_SECONDS))

    def _points(self, alarm: Alarm, rule: Rule, end: int) -> Mapping[int, float]:
        start, given = end - rule.period * rule.evaluation_range, alarm.given
        if given.get("Metrics"):
            wanted = definition.returned_query(given)["Id"]
            found = queries.run(self._store, given["Metrics"], start, end, origin=end)
            series = [result for result in found if result.id == wanted]
            return series[0].points if series else {}
        metric = Metric.of(given["Namespace"], given["MetricName"], given.get("Dimensions"))
        statistic = given.get("Statistic") or given["ExtendedStatistic"]
        return queries.points(
            self._store, metric, statistic, rule.period, start, end, given.get("Unit"), origin=end
        )

    def _settle(self, alarm: Alarm, rule: Rule, verdict: Verdict, state: State, now: datetime) -> None:
        if state == alarm.state:
            return
        statistic = alarm.given.get("Statistic") or alarm.given.get("ExtendedStatistic") or ""
        data = reasons.reason_data(rule, verdict, statistic, alarm.given.get("Unit"), now)
        self._change(alarm, state, reasons.reason(rule, verdict, state), json.dumps(data), now)

    def _change(self, alarm: Alarm, state: str, reason: str, data: str | None, now: datetime) -> None:
        with self._lock:
            before = reasons.state_entry(alarm.state, alarm.reason, alarm.reason_data)
            changed = state != alarm.state
            alarm.state, alarm.reason, alarm.reason_data, alarm.updated = state, reason, data, now
            if not changed:
                return
            alarm.transitioned = now
            after = reasons.state_entry(state, reason, data)
            summary = f"Alarm updated from {before['stateValue']} to {state}"
            self._record(
                alarm, "StateUpdate", summary, {"version": "1.0", "oldState": before, "newState": after}, now
            )
        for line in self._on_change(alarm, before):
            self._record(
                alarm, "Action", line, {"version": "1.0", "stateUpdateTimestamp": now.timestamp()}, now
            )

    def _record(self, alarm: Alarm, kind: str, summary: str, data: Mapping[str, Any], now: datetime) -> None:
        self.history.append(
            {
                "AlarmName": alarm.name,
                "AlarmType": "CompositeAlarm" if alarm.composite else "MetricAlarm",
                "Timestamp": now,
                "HistoryItemType": kind,
                "HistorySummary": summary,
                "HistoryData": json.dumps(data),
            }
        )


def _step(rule: Rule) -> int:
    """How often an alarm is evaluated, in seconds; its periods slide by this."""
    return 60 if rule.period >= 60 else 10
