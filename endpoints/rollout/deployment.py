"""`mlops:endpoints:Deployment` as a program declares it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import pulumi

from endpoints.rollout.spec import PRODUCTION_VARIANT, SHADOW_VARIANT

TOKEN = "mlops:endpoints:Deployment"


@dataclass(frozen=True)
class ProductionArgs:
    """The variant that answers. `instances` is the floor; a change of it alone deploys nothing."""

    model_name: pulumi.Input[str]
    instance_type: pulumi.Input[str]
    instances: pulumi.Input[int]


@dataclass(frozen=True)
class ShadowArgs:
    """The variant that gets a copy of each request."""

    model_name: pulumi.Input[str]
    instance_type: pulumi.Input[str]


@dataclass(frozen=True)
class CaptureArgs:
    """Where requests and answers are recorded."""

    destination_s3_uri: pulumi.Input[str]
    sampling_percentage: pulumi.Input[int]
    kms_key_arn: pulumi.Input[str] | None = None


@dataclass(frozen=True)
class GuardrailsArgs:
    """How an update takes place, and the alarms that turn it back. Give one of the two canary sizes."""

    wait_seconds: pulumi.Input[int]
    bake_seconds: pulumi.Input[int]
    maximum_seconds: pulumi.Input[int]
    alarm_names: Sequence[pulumi.Input[str]]
    canary_percent: pulumi.Input[int] | None = None
    canary_instances: pulumi.Input[int] | None = None


@dataclass(frozen=True)
class DeploymentArgs:
    """The inputs; `endpoints.rollout.spec.Spec` says what each must be."""

    endpoint_name: pulumi.Input[str]
    production: ProductionArgs
    guardrails: GuardrailsArgs
    stage: pulumi.Input[Literal["live", "shadow", "canary"]]
    release: pulumi.Input[str]
    shadow: ShadowArgs | None = None
    kms_key_arn: pulumi.Input[str] | None = None
    capture: CaptureArgs | None = None
    metrics_frequency_seconds: pulumi.Input[int] | None = None
    tags: Mapping[str, pulumi.Input[str]] | None = None

    def properties(self) -> dict[str, Any]:
        """As they go over the wire: camelCase, without what is not given."""
        production = {"variantName": PRODUCTION_VARIANT, **_wire(self.production)}
        shadow = {"variantName": SHADOW_VARIANT, **_wire(self.shadow)} if self.shadow is not None else None
        return {
            key: value
            for key, value in {**_wire(self), "production": production, "shadow": shadow}.items()
            if value is not None
        }


class Deployment(pulumi.CustomResource):
    """A SageMaker endpoint with its configs. `pulumi up` succeeds only if the wanted config ends live; see the
    package's `engine` for how an update takes place."""

    def __init__(self, name: str, args: DeploymentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = dict.fromkeys(("endpointArn", "configName", "endpointStatus", "previousConfigName"))
        super().__init__(TOKEN, name, {**args.properties(), **outputs}, opts)

    @property
    def endpoint_arn(self) -> pulumi.Output[str]:
        """Known once the endpoint exists."""
        return cast("pulumi.Output[str]", pulumi.get(self, "endpointArn"))

    @property
    def config_name(self) -> pulumi.Output[str]:
        """The config that serves; known at preview."""
        return cast("pulumi.Output[str]", pulumi.get(self, "configName"))

    @property
    def endpoint_status(self) -> pulumi.Output[str]:
        """InService, or `pulumi up` has failed."""
        return cast("pulumi.Output[str]", pulumi.get(self, "endpointStatus"))

    @property
    def previous_config_name(self) -> pulumi.Output[str | None]:
        """The config that served before; none after a first creation."""
        return cast("pulumi.Output[str | None]", pulumi.get(self, "previousConfigName"))


def _wire(args: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in args.__dataclass_fields__:
        value = getattr(args, key)
        if value is None:
            continue
        found[_camel(key)] = _wire(value) if hasattr(value, "__dataclass_fields__") else value
    return found


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join("S3" if word == "s3" else word.capitalize() for word in rest)
