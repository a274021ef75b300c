"""Application Auto Scaling of SageMaker variants: it really scales, by UpdateEndpointWeightsAndCapacities."""

import logging
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from emulator.autoscaling import tracking
from emulator.autoscaling.arithmetic import Decision, Last, Reading, decide
from emulator.autoscaling.errors import not_found, resource_not_found, validation
from emulator.autoscaling.state import DIMENSION, NAMESPACE, Policy, Scheduled, Target
from emulator.cloudwatch import definition
from emulator.cloudwatch.service import Service as CloudWatch
from emulator.context import Context
from emulator.services import schedules
from sluice.aws import client

log = logging.getLogger("emulator.autoscaling")

ROLE = (
    "role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)
DEFAULT_COOLDOWN = 300
"""Seconds, for SageMaker variants (TargetTrackingScalingPolicyConfiguration, ScaleOutCooldown)."""
ACTIVITIES = 10_000
RETRY_AFTER = timedelta(seconds=60)


class Service:
    """Thread-safe. `tick` is the only one that scales."""

    def __init__(
        self,
        context: Context,
        cloudwatch: CloudWatch,
        sagemaker: Callable[[], Any] = lambda: client("sagemaker"),
    ) -> None:
        self.context = context
        self._cloudwatch = cloudwatch
        self._make_sagemaker = sagemaker
        self._sagemaker: Any = None
        self._lock = threading.RLock()
        self._targets: dict[str, Target] = {}
        self.activities: deque[dict[str, Any]] = deque(maxlen=ACTIVITIES)

    def now(self) -> datetime:
        return self.context.clock.now()

    @property
    def sagemaker(self) -> Any:
        if self._sagemaker is None:
            self._sagemaker = self._make_sagemaker()
        return self._sagemaker

    # Targets

    def register(self, given: Mapping[str, Any]) -> Target:
        """RegisterScalableTarget: new, or the given fields of an old one changed.

        Raises:
            JsonRESTError: ValidationException, also if the endpoint or its variant is not there.
        """
        resource = self._checked(given)
        with self._lock:
            target = self._targets.get(resource)
            low, high = given.get("MinCapacity"), given.get("MaxCapacity")
            if target is None and (low is None or high is None):
                raise validation(
                    "MinCapacity and MaxCapacity are required when a scalable target is registered."
                )
            minimum = target.minimum if low is None and target else int(low or 0)
            maximum = target.maximum if high is None and target else int(high or 0)
            if minimum < 0 or maximum < minimum:
                raise validation("Maximum capacity cannot be less than minimum capacity")
        endpoint = self._endpoint(resource.split("/")[1])
        if endpoint is None or self._variant(endpoint, resource.split("/")[3]) is None:
            raise validation(f"SageMaker endpoint variant doesn't exist: {resource}")
        with self._lock:
            target = self._targets.get(resource)
            if target is None:
                arn = self.context.arn("application-autoscaling", f"scalable-target/0{uuid.uuid4().hex[:32]}")
                role = given.get("RoleARN") or f"arn:aws:iam::{self.context.account}:{ROLE}"
                target = Target(resource, arn, minimum, maximum, role, self.now())
                target.tags = dict(given.get("Tags") or {})
                self._targets[resource] = target
            target.minimum, target.maximum = minimum, maximum
            target.suspended.update(given.get("SuspendedState") or {})
            return target

    def deregister(self, given: Mapping[str, Any]) -> None:
        """Raises:
        JsonRESTError: ObjectNotFoundException.
        """
        self._remove(self.target(given).resource)

    def forget_endpoint(self, name: str) -> None:
        """DeleteEndpoint deregisters the endpoint's targets."""
        for resource in self.resources(f"endpoint/{name}/"):
            self._remove(resource)

    def _remove(self, resource: str) -> None:
        with self._lock:
            target = self._targets.pop(resource, None)
            if target is not None:
                for policy in target.policies.values():
                    self._drop_alarms(policy)

    def _checked(self, given: Mapping[str, Any]) -> str:
        resource = str(given.get("ResourceId") or "")
        parts = resource.split("/")
        if (
            given.get("ServiceNamespace") != NAMESPACE
            or given.get("ScalableDimension") not in (None, DIMENSION)
            or len(parts) != 4
            or (parts[0], parts[2]) != ("endpoint", "variant")
        ):
            raise validation("Unsupported service namespace, resource type or scalable dimension")
        return resource

    def target(self, given: Mapping[str, Any]) -> Target:
        """The registered target that a call is about.

        Raises:
            JsonRESTError: ObjectNotFoundException, ValidationException.
        """
        resource = self._checked(given)
        with self._lock:
            found = self._targets.get(resource)
        if found is None:
            raise not_found(
                f"No scalable target found for service namespace: {NAMESPACE}, resource ID: {resource}, "
                f"scalable dimension: {DIMENSION}"
            )
        return found

    def by_arn(self, arn: str) -> Target:
        """Raises:
        JsonRESTError: ResourceNotFoundException.
        """
        for target in self.targets():
            if target.arn == arn:
                return target
        raise resource_not_found(f"No scalable target found with ARN {arn}")

    def targets(self) -> list[Target]:
        with self._lock:
            return list(self._targets.values())

    def resources(self, prefix: str) -> list[str]:
        with self._lock:
            return [resource for resource in self._targets if resource.startswith(prefix)]

    # Policies

    def put_policy(self, given: Mapping[str, Any]) -> Policy:
        """Create or replace a target tracking policy and its alarms.

        Raises:
            JsonRESTError: ValidationException, ObjectNotFoundException.
        """
        target = self.target(given)
        name = str(given["PolicyName"])
        old = target.policies.get(name)
        kind = given.get("PolicyType") or ("TargetTrackingScaling" if old else "StepScaling")
        if kind != "TargetTrackingScaling":
            raise validation(f"Policies of type {kind} are not emulated; use TargetTrackingScaling.")
        configuration = given.get("TargetTrackingScalingPolicyConfiguration") or (
            old.configuration if old else None
        )
        if not configuration or float(configuration.get("TargetValue") or 0) <= 0:
            raise validation("TargetTrackingScalingPolicyConfiguration needs a TargetValue greater than 0.")
        arn = (
            old.arn
            if old
            else self.context.arn(
                "autoscaling",
                f"scalingPolicy:{uuid.uuid4()}:resource/{NAMESPACE}/{target.resource}:policyName/{name}",
            )
        )
        wanted = tracking.alarms(target.resource, arn, configuration, str(uuid.uuid4()), str(uuid.uuid4()))
        for alarm in wanted:
            definition.check(alarm)
        if old is not None:
            self._drop_alarms(old)
        for alarm in wanted:
            self._cloudwatch.alarms.put(alarm, self.now())
        names = tuple(str(alarm["AlarmName"]) for alarm in wanted)
        policy = Policy(name, arn, dict(configuration), old.created if old else self.now(), names)
        with self._lock:
            target.policies[name] = policy
        return policy

    def delete_policy(self, given: Mapping[str, Any]) -> None:
        """Raises:
        JsonRESTError: ObjectNotFoundException, ValidationException.
        """
        target = self.target(given)
        with self._lock:
            policy = target.policies.pop(given["PolicyName"], None)
        if policy is None:
            raise not_found(
                f"No scaling policy found for service namespace: {NAMESPACE}, resource ID: {target.resource}, "
                f"scalable dimension: {DIMENSION}, policy name: {given['PolicyName']}"
            )
        self._drop_alarms(policy)

    def _drop_alarms(self, policy: Policy) -> None:
        there = [name for name in policy.alarms if self._cloudwatch.alarms.get(name)]
        self._cloudwatch.alarms.delete(there, self.now())

    # Scheduled actions

    def put_scheduled(self, given: Mapping[str, Any]) -> None:
        """Raises:
        JsonRESTError: ValidationException, ObjectNotFoundException.
        """
        target = self.target(given)
        with self._lock:
            old = target.scheduled.get(given["ScheduledActionName"])
            merged = {
                **(old.given if old else {}),
                **{name: each for name, each in given.items() if each is not None},
            }
            if not merged.get("Schedule"):
                raise validation("Schedule is required for a new scheduled action.")
            limits = merged.get("ScalableTargetAction") or {}
            if "MinCapacity" not in limits and "MaxCapacity" not in limits:
                raise validation("ScalableTargetAction needs MinCapacity, MaxCapacity or both.")
            name = merged["ScheduledActionName"]
            arn = (
                old.arn
                if old
                else self.context.arn(
                    "autoscaling",
                    f"scheduledAction:{uuid.uuid4()}:resource/{NAMESPACE}/{target.resource}:scheduledActionName/{name}",
                )
            )
            action = Scheduled(arn, merged, old.created if old else self.now())
            try:
                action.next = self._following(action, self.now())
            except (ValueError, KeyError) as error:
                raise validation(f"Schedule {merged['Schedule']} is not valid: {error}") from None
            target.scheduled[name] = action

    def delete_scheduled(self, given: Mapping[str, Any]) -> None:
        """Raises:
        JsonRESTError: ObjectNotFoundException, ValidationException.
        """
        target = self.target(given)
        with self._lock:
            if target.scheduled.pop(given["ScheduledActionName"], None) is None:
                raise not_found(f"No scheduled action found with name {given['ScheduledActionName']}")

    def _following(self, action: Scheduled, after: datetime) -> datetime | None:
        start, end = action.given.get("StartTime"), action.given.get("EndTime")
        after = max(after, start - timedelta(microseconds=1)) if start else after
        zone = action.given.get("Timezone") or "UTC"
        found = schedules.following(action.given["Schedule"], after, start or action.created, zone)
        return None if found is None or (end and found > end) else found

    # The loop

    def tick(self) -> None:
        """Fire what is scheduled, finish activities, and scale what needs it."""
        for target in self.targets():
            try:
                self._tick(target, self.now())
            except ClientError as error:
                log.warning("%s: %s", target.resource, error)

    def _tick(self, target: Target, now: datetime) -> None:
        cause = self._fire(target, now)
        endpoint = self._endpoint(target.endpoint)
        if endpoint is None:
            self._remove(target.resource)
            return
        variant = self._variant(endpoint, target.variant)
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
            action.next = self._following(action, now)
            if target.suspended.get("ScheduledScalingSuspended"):
                continue
            limits = action.given["ScalableTargetAction"]
            with self._lock:
                target.minimum = int(limits.get("MinCapacity", target.minimum))
                target.maximum = max(int(limits.get("MaxCapacity", target.maximum)), target.minimum)
            cause = f"scheduled action name {action.given['ScheduledActionName']} was triggered"
            log.info("%s: %s", target.resource, cause)
        return cause

    def _reading(self, policy: Policy, now: datetime) -> Reading:
        configuration = policy.configuration
        states = [
            found.state if (found := self._cloudwatch.alarms.get(name)) else "" for name in policy.alarms
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
        points = self._cloudwatch.alarms.recent(alarm, now)
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
        self.activities.append(activity)
        log.info("%s: from %d to %d: %s", target.resource, current, decision.desired, cause)
        try:
            self.sagemaker.update_endpoint_weights_and_capacities(
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

    def _endpoint(self, name: str) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = self.sagemaker.describe_endpoint(EndpointName=name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationException":
                return None
            raise
        return found

    @staticmethod
    def _variant(endpoint: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
        for variant in [
            *(endpoint.get("ProductionVariants") or []),
            *(endpoint.get("ShadowProductionVariants") or []),
        ]:
            if variant["VariantName"] == name:
                return dict(variant)
        return None


def _cooldown(configuration: Mapping[str, Any], name: str) -> timedelta:
    given = configuration.get(name)
    return timedelta(seconds=DEFAULT_COOLDOWN if given is None else int(given))
