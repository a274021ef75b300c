"""The loop that scales, by UpdateEndpointWeightsAndCapacities. What it decides with is in `arithmetic`."""

import logging
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from emulator.autoscaling.arithmetic import Decision, Last, Reading, decide
from emulator.autoscaling.state import DIMENSION, NAMESPACE, Policy, Scheduled, Target
from emulator.services import schedules

if TYPE_CHECKING:
    from emulator.autoscaling.service import Service

log = logging.getLogger("emulator.autoscaling")

DEFAULT_COOLDOWN = 300
"""Seconds, for SageMaker variants (TargetTrackingScalingPolicyConfiguration, ScaleOutCooldown)."""
RETRY_AFTER = timedelta(seconds=60)


def following(action: Scheduled, after: datetime) -> datetime | None:
    """When a scheduled action fires next; None if never again.

    Raises:
        ValueError: if its schedule cannot be read.
        KeyError: if its time zone is unknown.
    """
    start, end = action.given.get("StartTime"), action.given.get("EndTime")
    after = max(after, start - timedelta(microseconds=1)) if start else after
    zone = action.given.get("Timezone") or "UTC"
    found = schedules.following(action.given["Schedule"], after, start or action.created, zone)
    return None if found is None or (end and found > end) else found


class Loop:
    """Looks at every target of a service, one after another."""

    def __init__(self, service: "Service") -> None:
        self._service = service

    def tick(self) -> None:
        """Fire what is scheduled, finish activities, and scale what needs it."""
        for target in self._service.targets():
            try:
                self._tick(target, self._service.now())
            except ClientError as error:
                log.warning("%s: %s", target.resource, error)

    def _tick(self, target: Target, now: datetime) -> None:
        cause = self._fire(target, now)
        endpoint = self._service.endpoint(target.endpoint)
        if endpoint is None:
            self._service.remove(target.resource)
            return
        variant = self._service.variant(endpoint, target.variant)
        if variant is None:
            return
        current = int(variant.get("CurrentInstanceCount") or 0)
        wanted = int(variant.get("DesiredInstanceCount") or current)
        settled = endpoint["EndpointStatus"] == "InService"
        if target.activity is not None:
            self._finish(target, settled and current == wanted, endpoint["EndpointStatus"], now)
        if target.retry_at is not None and now < target.retry_at:
            return
        # "Automatic scaling is blocked while the update operation is in progress" (SageMaker Developer Guide).
        if not settled or target.activity is not None or not wanted:
            return
        readings = [self._reading(policy, now) for policy in target.policies.values()]
        decision = decide(wanted, target.limits, readings, now, target.last_out, target.last_in)
        if decision is not None:
            self._act(target, wanted, decision, cause, now)

    def _fire(self, target: Target, now: datetime) -> str | None:
        cause = None
        for action in list(target.scheduled.values()):
            if action.next is None or action.next > now:
                continue
            action.next = following(action, now)
            if target.suspended.get("ScheduledScalingSuspended"):
                continue
            limits = action.given["ScalableTargetAction"]
            target.minimum = int(limits.get("MinCapacity", target.minimum))
            target.maximum = max(int(limits.get("MaxCapacity", target.maximum)), target.minimum)
            cause = f"scheduled action name {action.given['ScheduledActionName']} was triggered"
            log.info("%s: %s", target.resource, cause)
        return cause

    def _reading(self, policy: Policy, now: datetime) -> Reading:
        configuration = policy.configuration
        states = [
            found.state if (found := self._service.cloudwatch.alarms.get(name)) else ""
            for name in policy.alarms
        ]
        return Reading(
            policy=policy.name,
            target=float(configuration["TargetValue"]),
            breaching_high=states[:1] == ["ALARM"],
            breaching_low=states[1:] == ["ALARM"],
            high_metric=self._metric(policy.alarms[0], now, latest=True),
            low_metric=self._metric(policy.alarms[1], now, latest=False) if len(policy.alarms) > 1 else None,
            scale_in_disabled=bool(configuration.get("DisableScaleIn")),
            out_cooldown=_cooldown(configuration, "ScaleOutCooldown"),
            in_cooldown=_cooldown(configuration, "ScaleInCooldown"),
        )

    def _metric(self, alarm: str, now: datetime, *, latest: bool) -> float | None:
        points = self._service.cloudwatch.alarms.recent(alarm, now)
        if not points:
            return None
        return points[max(points)] if latest else max(points.values())

    def _act(
        self, target: Target, current: int, decision: Decision, cause: str | None, now: datetime
    ) -> None:
        if cause is None:
            cause = self._cause(target, decision)
        activity: dict[str, Any] = {
            "ActivityId": str(uuid.uuid4()),
            "ServiceNamespace": NAMESPACE,
            "ResourceId": target.resource,
            "ScalableDimension": DIMENSION,
            "Description": f"Setting desired instance count to {decision.desired}.",
            "Cause": cause,
            "StartTime": now,
            "StatusCode": "InProgress",
            "StatusMessage": f"Successfully set desired instance count to {decision.desired}. Waiting for change to be "
            "fulfilled by sagemaker.",
        }
        self._service.activities.append(activity)
        log.info("%s: from %d to %d: %s", target.resource, current, decision.desired, cause)
        try:
            self._service.sagemaker.update_endpoint_weights_and_capacities(
                EndpointName=target.endpoint,
                DesiredWeightsAndCapacities=[
                    {"VariantName": target.variant, "DesiredInstanceCount": decision.desired}
                ],
            )
        except ClientError as error:
            activity.update(
                StatusCode="Failed",
                EndTime=now,
                StatusMessage=f"Failed to set desired instance count to {decision.desired}. Reason: {error}",
            )
            target.retry_at = now + RETRY_AFTER
            return
        target.activity = activity
        done = Last(current, decision.desired, now)
        if decision.direction == "out":
            target.last_out = done
        else:
            target.last_in = done

    def _cause(self, target: Target, decision: Decision) -> str:
        if decision.policy is None:
            limit = "minimum" if decision.direction == "out" else "maximum"
            return f"{limit} capacity was set to {decision.desired}"
        policy = target.policies[decision.policy]
        alarm = policy.alarms[0 if decision.direction == "out" else 1]
        return f"monitor alarm {alarm} in state ALARM triggered policy {policy.name}"

    def _finish(self, target: Target, done: bool, status: str, now: datetime) -> None:
        activity = target.activity
        assert activity is not None
        desired = str(activity["Description"]).rstrip(".").rsplit(" ", 1)[1]
        if done:
            message = (
                f"Successfully set desired instance count to {desired}. Change successfully fulfilled by "
            )
            message += "sagemaker."
            activity.update(StatusCode="Successful", EndTime=now, StatusMessage=message)
        elif status in ("Updating", "InService"):
            return
        else:
            activity.update(StatusCode="Failed", EndTime=now, StatusMessage=f"The endpoint is {status}.")
        target.activity = None
        # A cooldown begins when the activity is complete.
        if target.last_out is not None and target.last_out.at == activity["StartTime"]:
            target.last_out = Last(target.last_out.before, target.last_out.after, now)
        if target.last_in is not None and target.last_in.at == activity["StartTime"]:
            target.last_in = Last(target.last_in.before, target.last_in.after, now)


def _cooldown(configuration: Mapping[str, Any], name: str) -> timedelta:
    given = configuration.get(name)
    return timedelta(seconds=DEFAULT_COOLDOWN if given is None else int(given))
