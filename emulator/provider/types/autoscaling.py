"""Application Auto Scaling: targets, policies, scheduled actions."""

# ruff: noqa: ARG002 - every type has the same five calls; few need all that they are given.

from collections.abc import Mapping
from typing import Any

from emulator.provider import tagging
from emulator.provider.base import Autoname, AwsResource
from emulator.provider.clients import client, found
from emulator.provider.fields import Field, Values, from_api, to_api
from sluice.clock import iso, parse_iso

SERVICE = "application-autoscaling"
GONE = ("ObjectNotFoundException",)
_WHERE = {
    "resourceId": Field(replace=True, required=True),
    "scalableDimension": Field(replace=True, required=True),
    "serviceNamespace": Field(replace=True, required=True),
}
_DIMENSION = {"name": Field(required=True), "value": Field(required=True)}


class Target(AwsResource):
    """Its id is the resource id. Deregistering takes its policies and scheduled actions along, as on AWS."""

    token = "aws:appautoscaling/target:Target"
    fields = {
        **_WHERE,
        "minCapacity": Field(required=True),
        "maxCapacity": Field(required=True),
        "roleArn": Field(api="RoleARN", replace=True, computed=True),
        "suspendedState": Field(
            computed=True,
            fields={
                "dynamicScalingInSuspended": Field(default=False),
                "dynamicScalingOutSuspended": Field(default=False),
                "scheduledScalingSuspended": Field(default=False),
            },
        ),
    }
    made = frozenset({"arn"})
    tagging = tagging.AUTOSCALING

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        extra = {"Tags": self.tagging.pack(tags)} if tags else {}
        client(SERVICE).register_scalable_target(**to_api(self.fields, inputs), **extra)
        return str(inputs["resourceId"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        api = client(SERVICE)
        targets = api.describe_scalable_targets(
            ServiceNamespace=state["serviceNamespace"],
            ResourceIds=[id],
            ScalableDimension=state["scalableDimension"],
        )["ScalableTargets"]
        if not targets:
            return None
        target = targets[0]
        arn = target.get("ScalableTargetARN", "")
        tags = api.list_tags_for_resource(ResourceARN=arn)["Tags"] if arn else {}
        return {**from_api(self.fields, target), "arn": arn, "tagsAll": self.tagging.unpack(tags)}

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        names = {name: rule for name, rule in self.fields.items() if name in changed or name in _WHERE}
        client(SERVICE).register_scalable_target(**to_api(names, new))

    def remove(self, id: str, state: Values) -> None:
        where = to_api(_WHERE, state)
        found(lambda: client(SERVICE).deregister_scalable_target(**where), *GONE)


_METRIC = {
    "metricName": Field(),
    "namespace": Field(),
    "dimensions": Field(fields=_DIMENSION, unordered=True),
}
_MATH = {
    "id": Field(required=True),
    "expression": Field(),
    "label": Field(),
    "returnData": Field(default=True),
    "metricStat": Field(
        fields={
            "metric": Field(required=True, fields=_METRIC),
            "stat": Field(required=True),
            "unit": Field(),
        }
    ),
}


class Policy(AwsResource):
    """Target tracking and step scaling; its id is its name."""

    token = "aws:appautoscaling/policy:Policy"
    fields = {
        **_WHERE,
        "name": Field(api="PolicyName", replace=True),
        "policyType": Field(default="StepScaling"),
        "targetTrackingScalingPolicyConfiguration": Field(
            fields={
                "targetValue": Field(required=True),
                "disableScaleIn": Field(default=False),
                "scaleInCooldown": Field(),
                "scaleOutCooldown": Field(),
                "predefinedMetricSpecification": Field(
                    fields={"predefinedMetricType": Field(required=True), "resourceLabel": Field()}
                ),
                "customizedMetricSpecification": Field(
                    fields={
                        **_METRIC,
                        "statistic": Field(),
                        "unit": Field(),
                        "metrics": Field(fields=_MATH, unordered=True),
                    }
                ),
            }
        ),
        "stepScalingPolicyConfiguration": Field(
            fields={
                "adjustmentType": Field(),
                "cooldown": Field(),
                "metricAggregationType": Field(computed=True),
                "minAdjustmentMagnitude": Field(),
                "stepAdjustments": Field(
                    unordered=True,
                    fields={
                        "scalingAdjustment": Field(required=True),
                        "metricIntervalLowerBound": Field(),
                        "metricIntervalUpperBound": Field(),
                    },
                ),
            }
        ),
    }
    made = frozenset({"arn", "alarmArns"})
    unstable = frozenset({"alarmArns"})
    autoname = Autoname(max_length=256)

    def _put(self, inputs: Values) -> None:
        parameters = to_api(self.fields, inputs)
        parameters.setdefault("PolicyType", "StepScaling")
        steps = parameters.get("StepScalingPolicyConfiguration", {}).get("StepAdjustments", [])
        for step in steps:
            # The provider's bounds are texts, the API's are numbers.
            for bound in ("MetricIntervalLowerBound", "MetricIntervalUpperBound"):
                if bound in step:
                    step[bound] = float(step[bound])
        client(SERVICE).put_scaling_policy(**parameters)

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        self._put(inputs)
        return str(inputs["name"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        where = to_api(_WHERE, state)
        policies = client(SERVICE).describe_scaling_policies(PolicyNames=[id], **where)["ScalingPolicies"]
        if not policies:
            return None
        policy = policies[0]
        for step in policy.get("StepScalingPolicyConfiguration", {}).get("StepAdjustments", []):
            for bound in ("MetricIntervalLowerBound", "MetricIntervalUpperBound"):
                if bound in step:
                    step[bound] = f"{step[bound]:g}"
        return {
            **from_api(self.fields, policy),
            "arn": policy["PolicyARN"],
            "alarmArns": [alarm["AlarmARN"] for alarm in policy.get("Alarms") or []],
        }

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        self._put(new)

    def remove(self, id: str, state: Values) -> None:
        where = to_api(_WHERE, state)
        found(lambda: client(SERVICE).delete_scaling_policy(PolicyName=id, **where), *GONE)


class ScheduledAction(AwsResource):
    """Its id is `<name>-<namespace>-<resource>`."""

    token = "aws:appautoscaling/scheduledAction:ScheduledAction"
    fields = {
        **_WHERE,
        "name": Field(api="ScheduledActionName", replace=True),
        "schedule": Field(required=True),
        "scalableTargetAction": Field(required=True, fields={"minCapacity": Field(), "maxCapacity": Field()}),
        "startTime": Field(same=lambda old, new: parse_iso(old) == parse_iso(new)),
        "endTime": Field(same=lambda old, new: parse_iso(old) == parse_iso(new)),
        "timezone": Field(default="UTC"),
    }
    made = frozenset({"arn"})
    autoname = Autoname(max_length=256)

    def _put(self, inputs: Values) -> None:
        parameters = to_api(self.fields, inputs)
        parameters.setdefault("Timezone", "UTC")
        for name in ("StartTime", "EndTime"):
            if name in parameters:
                parameters[name] = parse_iso(parameters[name])
        client(SERVICE).put_scheduled_action(**parameters)

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        self._put(inputs)
        return f"{inputs['name']}-{inputs['serviceNamespace']}-{inputs['resourceId']}"

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        where = to_api(_WHERE, state)
        actions = client(SERVICE).describe_scheduled_actions(ScheduledActionNames=[state["name"]], **where)[
            "ScheduledActions"
        ]
        if not actions:
            return None
        action = actions[0]
        for name in ("StartTime", "EndTime"):
            if name in action:
                action[name] = iso(action[name])
        return {**from_api(self.fields, action), "arn": action["ScheduledActionARN"]}

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        self._put(new)

    def remove(self, id: str, state: Values) -> None:
        where = to_api(_WHERE, state)
        name = state["name"]
        found(lambda: client(SERVICE).delete_scheduled_action(ScheduledActionName=name, **where), *GONE)
