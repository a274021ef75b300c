"""What a program asks of a deployment: the typed inputs, and the name of the endpoint config they make."""

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from sluice.naming import content_hash

PRODUCTION_VARIANT: Final = "AllTraffic"
SHADOW_VARIANT: Final = "Shadow"

HASH_LENGTH = 12
MAX_ENDPOINT_NAME = 63 - 1 - HASH_LENGTH
"""SageMaker allows 63 characters for the name of a config, which is the endpoint's with a hyphen and a hash."""

_SAGEMAKER_NAME = r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$"


def _whole(value: object) -> object:
    """Numbers are floats on Pulumi's wire."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]


class Input(BaseModel):
    """A value that is never changed; its fields are camelCase on Pulumi's side."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, protected_namespaces=()
    )


class Production(Input):
    """The variant that answers."""

    # SageMaker refuses a blue/green update to a config with another variant name: the name never changes.
    variant_name: Literal["AllTraffic"] = PRODUCTION_VARIANT
    model_name: str = Field(pattern=_SAGEMAKER_NAME)
    instance_type: str = Field(pattern=r"^ml\.")
    instances: Whole = Field(ge=1)
    """The floor of the fleet; outside the config's name, for the fleet scales."""


class Shadow(Input):
    """The variant that gets a copy of each request and whose answers nobody sees."""

    variant_name: Literal["Shadow"] = SHADOW_VARIANT
    model_name: str = Field(pattern=_SAGEMAKER_NAME)
    instance_type: str = Field(pattern=r"^ml\.")


class Capture(Input):
    """Where requests and answers are recorded."""

    destination_s3_uri: str = Field(pattern=r"^s3://")
    kms_key_arn: str | None = None
    sampling_percentage: Whole = Field(ge=1, le=100)


class Guardrails(Input):
    """How an update takes place and which alarms turn it back. Limits: SageMaker's UpdateEndpoint."""

    canary_percent: Whole | None = Field(default=None, ge=1, le=50)
    canary_instances: Whole | None = Field(default=None, ge=1)
    wait_seconds: Whole = Field(ge=0, le=3600)
    """Between the canary and the rest of the traffic."""
    bake_seconds: Whole = Field(ge=0, le=3600)
    """How long the old fleet stays once the new one has all traffic."""
    maximum_seconds: Whole = Field(ge=600, le=28800)
    """SageMaker gives up, and rolls back, after this."""
    alarm_names: tuple[str, ...] = Field(min_length=1, max_length=10)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.canary_percent is None) == (self.canary_instances is None):
            raise ValueError("exactly one of canaryPercent and canaryInstances must be given")
        if self.wait_seconds + self.bake_seconds >= self.maximum_seconds:
            raise ValueError("waitSeconds and bakeSeconds together must be less than maximumSeconds")
        if len(set(self.alarm_names)) != len(self.alarm_names):
            raise ValueError("alarmNames must differ")
        return self


class Spec(Input):
    """The inputs of one `mlops:endpoints:Deployment`."""

    endpoint_name: str = Field(pattern=_SAGEMAKER_NAME, max_length=MAX_ENDPOINT_NAME)
    production: Production
    shadow: Shadow | None = None
    kms_key_arn: str | None = None
    capture: Capture | None = None
    metrics_frequency_seconds: Literal[10, 30, 60, 120, 180, 240, 300] | None = None
    """How often invocation metrics are published (enhanced metrics); AWS's minute where none is given."""
    guardrails: Guardrails
    stage: Literal["live", "shadow", "canary"]
    # It is written into a tag, so it keeps to the characters and the length that tags allow.
    release: str = Field(pattern=r"^[A-Za-z0-9_.:/=+@-]{1,150}$")
    tags: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _whole_frequency(cls, values: object) -> object:
        if isinstance(values, dict):
            return {
                key: _whole(value)
                if key in ("metricsFrequencySeconds", "metrics_frequency_seconds")
                else value
                for key, value in values.items()
            }
        return values

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.stage == "canary":
            # No AWS text says that a canary works on a config with a shadow; a canary is production alone.
            if self.shadow is not None:
                raise ValueError("the stage canary takes no shadow: promotion drops it in the same config")
            if self.production.instances < 2:
                raise ValueError("the stage canary needs at least two production instances")
            if (self.guardrails.canary_instances or 1) > self.production.instances // 2:
                # UpdateEndpoint: "CanarySize must be less than or equal to 50% of the variant's instances".
                raise ValueError("canaryInstances may be at most half of the production instances")
        if self.stage == "shadow" and self.shadow is None:
            raise ValueError("the stage shadow needs a shadow variant")
        if self.stage == "live" and self.shadow is not None:
            raise ValueError("the stage live takes no shadow variant")
        return self


def config_body(spec: Spec) -> dict[str, Any]:
    """The CreateEndpointConfig request without name, counts and tags: what makes the config, and what its name is
    the hash of. Counts, guardrails, stage, release and tags are not part of it, so that a change of those alone
    deploys nothing."""
    body: dict[str, Any] = {"ProductionVariants": [_variant(spec.production)]}
    if spec.shadow is not None:
        # Equal weights mirror every request (CreateEndpointConfig, ShadowProductionVariants).
        body["ShadowProductionVariants"] = [_variant(spec.shadow)]
    if spec.kms_key_arn is not None:
        body["KmsKeyId"] = spec.kms_key_arn
    if spec.capture is not None:
        body["DataCaptureConfig"] = {
            "EnableCapture": True,
            "InitialSamplingPercentage": spec.capture.sampling_percentage,
            "DestinationS3Uri": spec.capture.destination_s3_uri,
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            # Other content types are captured as base64.
            "CaptureContentTypeHeader": {
                "CsvContentTypes": ["text/csv"],
                "JsonContentTypes": ["application/json"],
            },
        }
        if spec.capture.kms_key_arn is not None:
            body["DataCaptureConfig"]["KmsKeyId"] = spec.capture.kms_key_arn
    if spec.metrics_frequency_seconds is not None:
        body["MetricsConfig"] = {
            # Without it the frequency holds for utilisation only and invocations come once a minute.
            "EnableEnhancedMetrics": True,
            # On by default for new configs, and billed by instance and metric.
            "EnableDetailedObservability": False,
            "MetricPublishFrequencyInSeconds": spec.metrics_frequency_seconds,
        }
    return body


def _variant(variant: Production | Shadow) -> dict[str, Any]:
    return {
        "VariantName": variant.variant_name,
        "ModelName": variant.model_name,
        "InstanceType": variant.instance_type,
        "InitialVariantWeight": 1.0,
    }


def config_name(spec: Spec) -> str:
    """`<endpoint>-<hash of what makes the config>`: the same content has the same name, wherever it is worked out.
    The program names the alarms' `EndpointConfigName` dimension with it."""
    return f"{spec.endpoint_name}-{content_hash(config_body(spec), HASH_LENGTH)}"


def is_config_of(endpoint_name: str, name: str | None) -> bool:
    """Whether an endpoint config of this name was made for this endpoint by this resource."""
    return name is not None and bool(
        re.fullmatch(rf"{re.escape(endpoint_name)}-[0-9a-f]{{{HASH_LENGTH}}}", name)
    )
