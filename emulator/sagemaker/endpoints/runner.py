"""Makes the endpoints so: each tick observes, lets the machine decide, and brings fleets and routes in line."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

from emulator.sagemaker.endpoints.dataplane import DataPlane
from emulator.sagemaker.endpoints.endpoint import Endpoint
from emulator.sagemaker.endpoints.fleet import Fleet
from emulator.sagemaker.endpoints.instance import Instance, Launcher
from emulator.sagemaker.endpoints.machine import FORWARD, Deployment, Phase, Seen, advance
from emulator.sagemaker.endpoints.policy import alarm_names
from emulator.settings import Settings
from sluice.clock import Clock

TICK_SECONDS = 0.1
AlarmState = Callable[[str], str | None]
log = logging.getLogger("emulator.endpoints")


class Runner:
    """All endpoints of one emulator. One thread ticks; actions change an endpoint under its lock."""

    def __init__(
        self,
        *,
        clock: Clock,
        settings: Settings,
        launcher: Launcher,
        plane: DataPlane,
        alarm_state: AlarmState,
        closed_zones: Callable[[str], Collection[str]],
        changed: Callable[[Endpoint], None],
        deleted: Callable[[Endpoint], None],
    ) -> None:
        """
        Args:
            closed_zones: by the name of an endpoint, the zones that it may not use.
            changed: called after an endpoint's status changed.
            deleted: called when an endpoint is gone.
        """
        self.endpoints: dict[str, Endpoint] = {}
        self._clock = clock
        self._settings = settings
        self._launcher = launcher
        self._plane = plane
        self._alarm_state = alarm_state
        self._closed_zones = closed_zones
        self._changed = changed
        self._deleted = deleted
        self._routes: dict[str, dict[str, Any]] = {}

    def start(self) -> None:
        """Tick for ever in a thread."""

        def run() -> None:
            while True:
                for endpoint in list(self.endpoints.values()):
                    try:
                        self.tick(endpoint)
                    except Exception:
                        log.exception("endpoint %s", endpoint.name)
                time.sleep(TICK_SECONDS)

        threading.Thread(target=run, name="endpoints", daemon=True).start()

    def tick(self, endpoint: Endpoint) -> None:
        """One look at one endpoint."""
        with endpoint.lock:
            before, busy = endpoint.status, endpoint.busy()
            if endpoint.deployment is not None and endpoint.status != "Deleting":
                self._advance(endpoint, endpoint.deployment)
            leaving = self._reconcile(endpoint)
            self._route(endpoint)
            for instance in leaving:
                self._launcher.stop(instance)
            if endpoint.revert is not None:
                self._resized(endpoint)
            gone = endpoint.status == "Deleting" and all(f.empty() for f in (*endpoint.blue, *endpoint.green))
            status, done = endpoint.status, gone or (busy and not endpoint.busy())
        if done:
            # Without the lock: publishing sets off alarms, and their actions may scale this very endpoint.
            self._plane.flush(endpoint.name)
        if gone:
            self._routes.pop(endpoint.name, None)
            self.endpoints.pop(endpoint.name, None)
            self._deleted(endpoint)
        elif status != before:
            self._changed(endpoint)

    def _advance(self, endpoint: Endpoint, at: Deployment) -> None:
        new = advance(at, self._observe(endpoint, at))
        if new is at:
            return
        endpoint.deployment = new
        if new.phase is at.phase and new.step == at.step:
            return
        log.info("%s: step %d %s %s", endpoint.name, new.step, new.phase, new.reason or "")
        now, creating = self._clock.now(), endpoint.status == "Creating"
        match new.phase:
            case Phase.SUCCEEDED:
                assert endpoint.pending is not None
                endpoint.config, endpoint.blue, endpoint.counts = (
                    endpoint.pending,
                    endpoint.green,
                    endpoint.green_counts,
                )
                self._finish(endpoint, "InService", None)
            case Phase.RESTORING | Phase.ROLLING_BACK if not creating:
                endpoint.status, endpoint.failure, endpoint.modified = "RollingBack", new.reason, now
            case Phase.ROLLED_BACK:
                self._finish(endpoint, "Failed" if creating else "InService", new.reason)
            case Phase.ROLLBACK_FAILED:
                # The deployment stays: it says that the new fleet has to go and the old one has the traffic.
                endpoint.status, endpoint.failure, endpoint.modified = "UpdateRollbackFailed", new.reason, now

    def _finish(self, endpoint: Endpoint, status: str, reason: str | None) -> None:
        endpoint.green, endpoint.green_counts = [], {}
        endpoint.deployment, endpoint.pending, endpoint.deployment_config = None, None, {}
        endpoint.status, endpoint.failure, endpoint.modified = status, reason, self._clock.now()

    def _observe(self, endpoint: Endpoint, at: Deployment) -> Seen:
        faults = self._settings["faults"]
        wanted = endpoint.wanted()
        blue = [(fleet, count) for fleet, count, _ in wanted if fleet in endpoint.blue]
        green = [(fleet, count) for fleet, count, _ in wanted if fleet in endpoint.green]
        alarms: tuple[str, ...] = ()
        if at.phase in FORWARD and at.blue:
            names = alarm_names(endpoint.deployment_config)
            alarms = tuple(name for name in names if self._alarm_state(name) == "ALARM")
        blue_failed = next((f.failed for f, n in blue if f.failed and n and not f.ready()), None)
        if endpoint.name in faults.get("endpoints_without_rollback", ()):
            blue_failed = "The previous fleet could not be restored."
        return Seen(
            now=self._clock.now(),
            green_ready=all(len(fleet.ready()) >= count for fleet, count in green),
            green_failed=next((f.failed for f, _ in green if f.failed and not f.served), None),
            alarms=alarms,
            blue_ready=all(len(fleet.ready()) >= count for fleet, count in blue),
            blue_failed=blue_failed,
            blue_gone=all(fleet.empty() for fleet in endpoint.blue),
            green_gone=all(fleet.empty() for fleet in endpoint.green),
        )

    def _reconcile(self, endpoint: Endpoint) -> list[Instance]:
        delay = float(self._settings["provisioning_delay_seconds"])
        now = self._clock.now()
        closed = self._closed_zones(endpoint.name)
        leaving: list[Instance] = []
        for fleet, count, _ in endpoint.wanted():
            leaving += fleet.reconcile(count, now, delay, self._launcher, closed)
        return leaving

    def _route(self, endpoint: Endpoint) -> None:
        """Before any instance is stopped: from here on it gets no new request."""
        if endpoint.status in ("Creating", "Deleting", "Failed"):
            if endpoint.name in self._routes:
                self._plane.remove(endpoint.name)
                del self._routes[endpoint.name]
            return
        routes = endpoint.routes()
        if routes != self._routes.get(endpoint.name):
            self._plane.route(routes)
            self._routes[endpoint.name] = routes

    def _resized(self, endpoint: Endpoint) -> None:
        assert endpoint.revert is not None
        failed = next((fleet.failed for fleet in endpoint.blue if fleet.failed), None)
        if failed is not None and endpoint.counts != endpoint.revert:
            endpoint.counts, endpoint.failure = dict(endpoint.revert), failed
        if all(_settled(fleet, endpoint.counts[fleet.variant]) for fleet in endpoint.blue):
            endpoint.revert = None
            endpoint.status, endpoint.modified = "InService", self._clock.now()


def _settled(fleet: Fleet, count: int) -> bool:
    return len(fleet.ready()) == count == len(fleet.instances)
