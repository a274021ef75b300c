"""A scalable target that stands in the way, taken down and put back.

SageMaker refuses an update that changes the instance type of a variant with a scalable target, and DeleteEndpoint
deregisters it. What was there is kept in tags of the endpoint, so that a run that is killed in between loses
nothing: the next one puts it back.
"""

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

from endpoints.rollout.cloud import Cloud
from endpoints.rollout.spec import PRODUCTION_VARIANT
from sluice.errors import SluiceError

PREFIX = "sluice:parked-"
_CHUNK = 256
"""SageMaker's limit for the value of a tag; base64 has only characters that tags allow."""
_MAX_TAGS = 20

_SERVICE, _DIMENSION = "sagemaker", "sagemaker:variant:DesiredInstanceCount"
_TARGET = ("ResourceId", "ScalableDimension", "MinCapacity", "MaxCapacity", "SuspendedState")
_POLICY = (
    "PolicyName",
    "ResourceId",
    "ScalableDimension",
    "PolicyType",
    "StepScalingPolicyConfiguration",
    "TargetTrackingScalingPolicyConfiguration",
    "PredictiveScalingPolicyConfiguration",
)
_ACTION = (
    "ScheduledActionName",
    "ResourceId",
    "ScalableDimension",
    "Schedule",
    "Timezone",
    "StartTime",
    "EndTime",
    "ScalableTargetAction",
)


def pack(parked: Mapping[str, Any]) -> dict[str, str]:
    """What was taken down, as tags.

    Raises:
        SluiceError: if it is more than the tags of one endpoint can hold.
    """
    text = base64.b64encode(zlib.compress(json.dumps(parked, default=str, sort_keys=True).encode())).decode()
    chunks = [text[start : start + _CHUNK] for start in range(0, len(text), _CHUNK)]
    if len(chunks) > _MAX_TAGS:
        raise SluiceError(
            "the scaling policies of the endpoint are too many to be put aside while its instance type changes",
            "Remove some of them first.",
        )
    return {f"{PREFIX}{index:02d}": chunk for index, chunk in enumerate(chunks)}


def unpack(tags: Mapping[str, str]) -> dict[str, Any] | None:
    """What `pack` made, from an endpoint's tags; None where nothing was taken down."""
    chunks = [value for key, value in sorted(tags.items()) if key.startswith(PREFIX)]
    if not chunks:
        return None
    unpacked: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode("".join(chunks))))
    return unpacked


def parked_keys(tags: Mapping[str, str]) -> list[str]:
    """The keys of the tags that hold it."""
    return [key for key in tags if key.startswith(PREFIX)]


def park(cloud: Cloud, endpoint: str, arn: str) -> dict[str, str]:
    """Take the scalable target of the production variant down, if there is one. Gives the tags that keep it, which
    are on the endpoint before anything is taken down."""
    already = {key: value for key, value in cloud.tags(arn).items() if key.startswith(PREFIX)}
    resource = f"endpoint/{endpoint}/variant/{PRODUCTION_VARIANT}"
    scope = {"ServiceNamespace": _SERVICE, "ScalableDimension": _DIMENSION}
    found = cloud.autoscaling.describe_scalable_targets(ResourceIds=[resource], **scope)["ScalableTargets"]
    if not found:
        return already
    policies = cloud.autoscaling.describe_scaling_policies(ResourceId=resource, **scope)["ScalingPolicies"]
    actions = cloud.autoscaling.describe_scheduled_actions(ResourceId=resource, **scope)["ScheduledActions"]
    tags = pack(
        {
            "target": _only(found[0], _TARGET),
            "policies": [_only(policy, _POLICY) for policy in policies],
            "actions": [_only(action, _ACTION) for action in actions],
        }
    )
    cloud.untag(arn, set(already) - set(tags))
    cloud.tag(arn, tags)
    cloud.autoscaling.deregister_scalable_target(ResourceId=resource, **scope)
    return tags


def restore(cloud: Cloud, arn: str) -> bool:
    """Put back what an endpoint's tags hold, and then remove these tags; every call may be made twice. Gives whether
    there was anything."""
    tags = cloud.tags(arn)
    parked = unpack(tags)
    if parked is None:
        return False
    cloud.autoscaling.register_scalable_target(ServiceNamespace=_SERVICE, **parked["target"])
    for policy in parked["policies"]:
        cloud.autoscaling.put_scaling_policy(ServiceNamespace=_SERVICE, **policy)
    for action in parked["actions"]:
        cloud.autoscaling.put_scheduled_action(ServiceNamespace=_SERVICE, **action)
    cloud.untag(arn, parked_keys(tags))
    return True


def _only(values: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: values[key] for key in keys if values.get(key) is not None}
