"""The AWS requests that make a deployment, as pure functions."""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from endpoints.rollout.spec import PRODUCTION_VARIANT, Guardrails, Spec, config_body, config_name
from sluice.errors import SluiceError

Request = dict[str, Any]


class Routing(BaseModel):
    """How an update moves the traffic to the new fleet, and whether alarms may turn it back."""

    model_config = ConfigDict(frozen=True)

    canary: bool
    guarded: bool

    def waits(self, guardrails: Guardrails) -> float:
        """Seconds that such an update waits by itself, beside what starting the fleet takes."""
        return float(guardrails.wait_seconds * self.canary + guardrails.bake_seconds * self.guarded)


def routing(spec: Spec, live_model: str | None, known_models: Collection[str], instances: int) -> Routing:
    """How an update to `spec` takes place.

    Args:
        spec: what is wanted.
        live_model: the production model that serves now.
        known_models: production models of the configs of this endpoint that are still kept.
        instances: of the production variant now.

    Raises:
        SluiceError: if a canary is asked for and there is but one instance: SageMaker takes half of them at most.

    A model that never answered on this endpoint meets its users through a canary, whatever the stage says. A model
    that did is on the way back, away from one that does harm: half of the fleet would keep doing it through a
    canary's wait, so all traffic moves at once, and the alarms guard the bake. With a shadow in the config there are
    no alarms: AWS documents no guardrails together with a shadow variant, and without them the update is the one
    that it documents. The production model stays the same then.
    """
    if spec.shadow is not None:
        return Routing(canary=False, guarded=False)
    changes = spec.production.model_name != live_model
    if changes and spec.stage == "canary" and instances < 2:
        raise SluiceError(
            f"the endpoint {spec.endpoint_name} runs one instance, of which there is no canary",
            "Raise the floor of its scaling to two.",
        )
    never_served = changes and spec.production.model_name not in known_models
    canary = changes and (spec.stage == "canary" or (never_served and instances >= 2))
    return Routing(canary=canary, guarded=True)


def deployment_config(guardrails: Guardrails, route: Routing, instances: int) -> Request:
    """UpdateEndpoint's DeploymentConfig.

    Args:
        guardrails: the limits and alarms.
        route: how the traffic moves.
        instances: of the production variant now.
    """
    traffic: Request = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    if route.canary:
        size = (
            {"Type": "CAPACITY_PERCENT", "Value": guardrails.canary_percent}
            if guardrails.canary_instances is None
            else {"Type": "INSTANCE_COUNT", "Value": min(guardrails.canary_instances, instances // 2)}
        )
        traffic = {"Type": "CANARY", "WaitIntervalInSeconds": guardrails.wait_seconds, "CanarySize": size}
    policy: Request = {
        "TrafficRoutingConfiguration": traffic,
        "MaximumExecutionTimeoutInSeconds": guardrails.maximum_seconds,
    }
    if not route.guarded:
        return {"BlueGreenUpdatePolicy": policy}
    policy["TerminationWaitInSeconds"] = guardrails.bake_seconds
    alarms = [{"AlarmName": name} for name in guardrails.alarm_names]
    return {"BlueGreenUpdatePolicy": policy, "AutoRollbackConfiguration": {"Alarms": alarms}}


def update_endpoint(spec: Spec, route: Routing, instances: int) -> Request:
    """The UpdateEndpoint request."""
    return {
        "EndpointName": spec.endpoint_name,
        "EndpointConfigName": config_name(spec),
        # Else a fleet that scaled out is cut back to the config's initial count in the middle of its load.
        "RetainAllVariantProperties": True,
        # Weights are the config's: nothing but a release may change which share of requests a shadow sees.
        "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DesiredWeight"}],
        "DeploymentConfig": deployment_config(spec.guardrails, route, instances),
    }


def create_endpoint(spec: Spec, extra_tags: Mapping[str, str] | None = None) -> Request:
    """The CreateEndpoint request. A first creation has no fleet to go back to, so it takes no guardrails."""
    return {
        "EndpointName": spec.endpoint_name,
        "EndpointConfigName": config_name(spec),
        "Tags": tag_list({**spec.tags, **(extra_tags or {})}),
    }


def initial_instances(spec: Spec, desired: Mapping[str, int]) -> int:
    """Of both variants in a new config: the floor, or as many as production runs now if that is more. A retained
    variant keeps its own count; the shadow, and a fleet created anew, start with this."""
    return max(spec.production.instances, desired.get(PRODUCTION_VARIANT, 0))


def create_endpoint_config(spec: Spec, instances: int) -> Request:
    """The CreateEndpointConfig request.

    Args:
        spec: what is wanted.
        instances: initial count of each variant.
    """
    body = config_body(spec)
    for variants in ("ProductionVariants", "ShadowProductionVariants"):
        for variant in body.get(variants, ()):
            variant["InitialInstanceCount"] = instances
    return {
        **body,
        "EndpointConfigName": config_name(spec),
        "Tags": tag_list({**spec.tags, "sluice:endpoint": spec.endpoint_name}),
    }


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as AWS takes them, in a fixed order."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


_COUNTS = "InitialInstanceCount"


def differences(request: Mapping[str, Any], description: Mapping[str, Any]) -> list[str]:
    """Where a config that exists under the wanted name differs from the request that would make it; counts and tags
    are no part of it, nor what AWS adds of its own."""
    wanted = {key: value for key, value in request.items() if key not in ("EndpointConfigName", "Tags")}
    found = [
        f"{key} is present"
        for key in ("ShadowProductionVariants",)
        if description.get(key) and key not in wanted
    ]
    return found + _differences(wanted, description, "")


def _differences(wanted: Any, found: Any, path: str) -> list[str]:
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            return [f"{path} is missing"]
        return [
            problem
            for key, value in wanted.items()
            if key != _COUNTS
            for problem in _differences(value, found.get(key), f"{path}.{key}" if path else key)
        ]
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(wanted) != len(found):
            return [f"{path} has another length"]
        return [
            problem
            for index, (one, other) in enumerate(zip(wanted, found, strict=True))
            for problem in _differences(one, other, f"{path}[{index}]")
        ]
    return [] if wanted == found else [f"{path} is {found!r} and should be {wanted!r}"]
