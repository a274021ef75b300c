"""Application Auto Scaling's API, in the place of moto's."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from emulator.autoscaling.service import Service
from emulator.autoscaling.state import DIMENSION, NAMESPACE, Policy, Scheduled, Target
from emulator.cloudwatch.responses import page
from emulator.services.patching import replace

Action = Callable[[Any], ActionResult]


def install(service: Service) -> None:
    for name, action in actions(service).items():
        replace(ApplicationAutoScalingResponse, name, action)


def _given(response: Any) -> dict[str, Any]:
    given: dict[str, Any] = json.loads(response.body or "{}")
    for name in ("StartTime", "EndTime"):
        if isinstance(given.get(name), int | float):
            given[name] = datetime.fromtimestamp(given[name], UTC)
    return given


def _matches(given: Mapping[str, Any], resource: str) -> bool:
    return (
        given.get("ServiceNamespace") == NAMESPACE
        and given.get("ResourceId") in (None, "", resource)
        and given.get("ScalableDimension") in (None, "", DIMENSION)
    )


def _paged(name: str, found: Sequence[Any], given: Mapping[str, Any]) -> ActionResult:
    members, token = page(found, given.get("NextToken"), int(given.get("MaxResults") or 50))
    return ActionResult({name: members, **({"NextToken": token} if token else {})})


def _policy(service: Service, target: Target, policy: Policy) -> dict[str, Any]:
    return {
        "PolicyARN": policy.arn,
        "PolicyName": policy.name,
        "ServiceNamespace": NAMESPACE,
        "ResourceId": target.resource,
        "ScalableDimension": DIMENSION,
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": policy.configuration,
        "Alarms": _alarms(service, policy),
        "CreationTime": policy.created,
    }


def _alarms(service: Service, policy: Policy) -> list[dict[str, str]]:
    return [
        {"AlarmName": name, "AlarmARN": service.context.arn("cloudwatch", f"alarm:{name}")}
        for name in policy.alarms
    ]


def _scheduled(target: Target, action: Scheduled) -> dict[str, Any]:
    kept = ("Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction")
    return {
        "ScheduledActionName": action.given["ScheduledActionName"],
        "ScheduledActionARN": action.arn,
        "ServiceNamespace": NAMESPACE,
        "ResourceId": target.resource,
        "ScalableDimension": DIMENSION,
        "CreationTime": action.created,
        **{name: action.given[name] for name in kept if action.given.get(name) is not None},
    }


def actions(service: Service) -> dict[str, Action]:
    """Methods of ApplicationAutoScalingResponse by name."""

    def register_scalable_target(self: Any) -> ActionResult:
        return ActionResult({"ScalableTargetARN": service.register(_given(self)).arn})

    def deregister_scalable_target(self: Any) -> ActionResult:
        service.deregister(_given(self))
        return EmptyResult()

    def describe_scalable_targets(self: Any) -> ActionResult:
        given = _given(self)
        wanted = given.get("ResourceIds") or []
        found = [
            target.describe()
            for target in service.targets()
            if _matches(given, target.resource) and (not wanted or target.resource in wanted)
        ]
        return _paged("ScalableTargets", found, given)

    def put_scaling_policy(self: Any) -> ActionResult:
        policy = service.put_policy(_given(self))
        return ActionResult({"PolicyARN": policy.arn, "Alarms": _alarms(service, policy)})

    def describe_scaling_policies(self: Any) -> ActionResult:
        given = _given(self)
        names = given.get("PolicyNames") or []
        found = [
            _policy(service, target, policy)
            for target in service.targets()
            if _matches(given, target.resource)
            for policy in target.policies.values()
            if not names or policy.name in names
        ]
        return _paged("ScalingPolicies", found, given)

    def delete_scaling_policy(self: Any) -> ActionResult:
        service.delete_policy(_given(self))
        return EmptyResult()

    def put_scheduled_action(self: Any) -> ActionResult:
        service.put_scheduled(_given(self))
        return EmptyResult()

    def describe_scheduled_actions(self: Any) -> ActionResult:
        given = _given(self)
        names = given.get("ScheduledActionNames") or []
        found = [
            _scheduled(target, action)
            for target in service.targets()
            if _matches(given, target.resource)
            for action in target.scheduled.values()
            if not names or action.given["ScheduledActionName"] in names
        ]
        return _paged("ScheduledActions", found, given)

    def delete_scheduled_action(self: Any) -> ActionResult:
        service.delete_scheduled(_given(self))
        return EmptyResult()

    def describe_scaling_activities(self: Any) -> ActionResult:
        given = _given(self)
        found = [each for each in reversed(list(service.activities)) if _matches(given, each["ResourceId"])]
        return _paged("ScalingActivities", found, given)

    def list_tags_for_resource(self: Any) -> ActionResult:
        return ActionResult({"Tags": dict(service.by_arn(_given(self)["ResourceARN"]).tags)})

    def tag_resource(self: Any) -> ActionResult:
        given = _given(self)
        service.by_arn(given["ResourceARN"]).tags.update(given.get("Tags") or {})
        return EmptyResult()

    def untag_resource(self: Any) -> ActionResult:
        given = _given(self)
        target = service.by_arn(given["ResourceARN"])
        for key in given.get("TagKeys") or []:
            target.tags.pop(key, None)
        return EmptyResult()

    found: Sequence[Action] = (
        register_scalable_target,
        deregister_scalable_target,
        describe_scalable_targets,
        put_scaling_policy,
        describe_scaling_policies,
        delete_scaling_policy,
        put_scheduled_action,
        describe_scheduled_actions,
        delete_scheduled_action,
        describe_scaling_activities,
        list_tags_for_resource,
        tag_resource,
        untag_resource,
    )
    return {action.__name__: action for action in found}
