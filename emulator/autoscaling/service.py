"""Application Auto Scaling of SageMaker variants: what is registered, and what is refused."""

import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from emulator.autoscaling import tracking
from emulator.autoscaling.errors import not_found, resource_not_found, validation
from emulator.autoscaling.loop import Loop, following
from emulator.autoscaling.state import DIMENSION, NAMESPACE, Policy, Scheduled, Target
from emulator.cloudwatch import definition
from emulator.cloudwatch.service import Service as CloudWatch
from emulator.context import Context
from sluice.aws import client

ROLE = (
    "role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)
ACTIVITIES = 10_000


class Service:
    """Thread-safe. Only its loop scales."""

    def __init__(
        self,
        context: Context,
        cloudwatch: CloudWatch,
        sagemaker: Callable[[], Any] = lambda: client("sagemaker"),
    ) -> None:
        self.context = context
        self.cloudwatch = cloudwatch
        self._make_sagemaker = sagemaker
        self._sagemaker: Any = None
        self._lock = threading.RLock()
        self._targets: dict[str, Target] = {}
        self._loop = Loop(self)
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
        endpoint = self.endpoint(resource.split("/")[1])
        if endpoint is None or self.variant(endpoint, resource.split("/")[3]) is None:
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
        self.remove(self.target(given).resource)

    def forget_endpoint(self, name: str) -> None:
        """DeleteEndpoint deregisters the endpoint's targets."""
        for resource in self.resources(f"endpoint/{name}/"):
            self.remove(resource)

    def remove(self, resource: str) -> None:
        """Deregister, with policies and alarms; nothing if it is not registered."""
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

    def tick(self) -> None:
        """Fire what is scheduled, finish activities, and scale what needs it."""
        self._loop.tick()

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
            self.cloudwatch.alarms.put(alarm, self.now())
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
        there = [name for name in policy.alarms if self.cloudwatch.alarms.get(name)]
        self.cloudwatch.alarms.delete(there, self.now())

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
                action.next = following(action, self.now())
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

    def endpoint(self, name: str) -> Mapping[str, Any] | None:
        """DescribeEndpoint; None if there is no such endpoint."""
        try:
            found: Mapping[str, Any] = self.sagemaker.describe_endpoint(EndpointName=name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationException":
                return None
            raise
        return found

    @staticmethod
    def variant(endpoint: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
        """The variant of that name, production or shadow; None if there is none."""
        for variant in [
            *(endpoint.get("ProductionVariants") or []),
            *(endpoint.get("ShadowProductionVariants") or []),
        ]:
            if variant["VariantName"] == name:
                return dict(variant)
        return None
