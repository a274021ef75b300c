"""The instances of one variant under one endpoint config, kept at a wanted number."""

import uuid
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from emulator.sagemaker.endpoints.instance import ZONES, Instance, Launcher, State

STARTUP_SECONDS = 240.0
"""SageMaker's wait for /ping where ContainerStartupHealthCheckTimeoutInSeconds is not set."""


@dataclass
class Fleet:
    """Mutable; only the runner touches it."""

    endpoint: str
    config: str
    spec: dict[str, Any]
    """The variant as CreateEndpointConfig got it."""
    kind: str
    weight: float
    instances: list[Instance] = field(default_factory=list)
    served: bool = False
    """Whether the wanted number was reached once: from then on a failed start is tried again."""
    package: str | None = None
    """ARN of the model package that its model is made from."""
    images: list[dict[str, Any]] = field(default_factory=list)
    """DeployedImages of DescribeEndpoint."""
    failed: str | None = None
    """Why the last instance failed to start."""

    @property
    def variant(self) -> str:
        return str(self.spec["VariantName"])

    def live(self) -> list[Instance]:
        """Those that exist for their fleet: starting or in service."""
        return [i for i in self.instances if i.state in (State.STARTING, State.IN_SERVICE)]

    def ready(self) -> list[Instance]:
        """Those in service, the oldest first."""
        return [i for i in self.instances if i.state is State.IN_SERVICE]

    def empty(self) -> bool:
        """Whether every instance is gone."""
        return not self.instances

    def reconcile(
        self,
        wanted: int,
        now: datetime,
        delay: float,
        launcher: Launcher,
        closed: Collection[str] = (),
    ) -> list[Instance]:
        """Start what is missing; return the instances to take out of traffic and then to stop.

        Args:
            delay: seconds until a new instance has its machine.
            closed: zones that get no new instance while another is left.
        """
        leaving = []
        for instance in list(self.instances):
            process = instance.process
            if instance.state is State.IN_SERVICE and process is not None and process.poll() is not None:
                instance.state = State.DEAD
            if instance.state is State.FAILED:
                self.failed = instance.reason
            if instance.state in (State.DEAD, State.FAILED):
                instance.give_up()
                leaving.append(instance)
            elif instance.state is State.GONE:
                self.instances.remove(instance)
        for _ in range(len(self.live()) - wanted):
            instance = self._surplus()
            instance.give_up()
            leaving.append(instance)
        if len(self.ready()) >= wanted:
            self.served = self.served or wanted > 0
            self.failed = None
        if self.failed is None or self.served:
            for _ in range(wanted - len(self.live())):
                instance = self._instance(now, delay, closed)
                self.instances.append(instance)
                launcher.start(instance)
        return leaving

    def _surplus(self) -> Instance:
        """The one to give up: not in service yet, else of the fullest zone, the youngest of these."""
        live = self.live()
        zones = Counter(i.zone for i in live)
        order = enumerate(live)
        return max(order, key=lambda pair: (pair[1].state is State.STARTING, zones[pair[1].zone], pair[0]))[1]

    def _instance(self, now: datetime, delay: float, closed: Collection[str]) -> Instance:
        taken = Counter(i.zone for i in self.live())
        zones = [zone for zone in ZONES if zone not in closed] or list(ZONES)
        return Instance(
            id=f"i-{uuid.uuid4().hex[:17]}",
            endpoint=self.endpoint,
            config=self.config,
            variant=self.variant,
            model=self.spec["ModelName"],
            zone=min(zones, key=lambda zone: (taken[zone], zone)),
            ready_at=now + timedelta(seconds=delay),
            startup_seconds=float(
                self.spec.get("ContainerStartupHealthCheckTimeoutInSeconds") or STARTUP_SECONDS
            ),
        )
