"""EventBridge rules with a schedule fire on it."""

import uuid
from datetime import datetime
from typing import Any

from moto.events.models import events_backends

from emulator.context import Context
from emulator.services import events, schedules
from emulator.services.ticker import every
from sluice.clock import iso

TICK_SECONDS = 1.0


class Schedules:
    """When each scheduled rule fires next. A rule counts from the first look at it, and anew if that changes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._seen: dict[str, tuple[str, datetime, datetime | None]] = {}

    def tick(self) -> None:
        """Fire what is due. A time that passed while nobody looked is not made up for, as on AWS."""
        now = self._context.clock.now()
        backend = events_backends[self._context.account][self._context.region]
        rules = {
            rule.arn: rule
            for bus in list(backend.event_buses.values())
            for rule in list(bus.rules.values())
            if rule.scheduled_expression
        }
        for gone in self._seen.keys() - rules.keys():
            del self._seen[gone]
        for arn, rule in rules.items():
            self._look(arn, rule, now)

    def _look(self, arn: str, rule: Any, now: datetime) -> None:
        expression = str(rule.scheduled_expression)
        seen, created, due = self._seen.get(arn, ("", now, None))
        if seen != expression:
            created, due = now, _following(expression, now, now)
        elif due is not None and due <= now:
            due = _following(expression, now, created)
            if rule.state == "ENABLED":
                self._fire(arn, rule, now)
        self._seen[arn] = (expression, created, due)

    def _fire(self, arn: str, rule: Any, now: datetime) -> None:
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": self._context.account,
            "time": iso(now),
            "region": self._context.region,
            "resources": [arn],
            "detail": {},
        }
        for target in list(rule.targets):
            events.deliver(self._context, rule.name, target, event)


def _following(expression: str, after: datetime, created: datetime) -> datetime | None:
    try:
        return schedules.following(expression, after, created)
    except ValueError:
        return None


def install(context: Context) -> None:
    """Look at the rules each second."""
    every(context, TICK_SECONDS, Schedules(context).tick, "schedules")
