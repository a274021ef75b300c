"""CloudWatch of one emulator: its metrics, its alarms and the thread that evaluates them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from emulator.cloudwatch.actions import act
from emulator.cloudwatch.alarms import Alarms
from emulator.cloudwatch.store import Store
from emulator.context import Context


class Service:
    """Made once a process by `emulator.cloudwatch.install`."""

    recently = timedelta(hours=3)
    """ListMetrics, RecentlyActive PT3H."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.store = Store()
        self.alarms = Alarms(
            self.store,
            lambda name: context.arn("cloudwatch", f"alarm:{name}"),
            lambda alarm, before: act(context, alarm, before),
        )

    def now(self) -> datetime:
        return self.context.clock.now()

    def publish(self, namespace: str, data: Sequence[Mapping[str, Any]]) -> None:
        """PutMetricData from inside. A datum without StorageResolution is of high resolution."""
        self.store.put(namespace, data, self.now(), resolution=1)

    def tick(self) -> None:
        self.alarms.tick(self.now())
