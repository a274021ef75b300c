"""One deployment, as the environment of the test says."""

import json
import os

import pulumi

from endpoints.rollout.deployment import (
    Deployment,
    DeploymentArgs,
    GuardrailsArgs,
    ProductionArgs,
    ShadowArgs,
)

wanted = json.loads(os.environ["WANTED"])
deployment = Deployment(
    "e",
    DeploymentArgs(
        endpoint_name="e",
        production=ProductionArgs(pulumi.Output.from_input(wanted["model"]), "ml.m5.large", 2),
        shadow=ShadowArgs(wanted["shadow"], "ml.m5.large") if "shadow" in wanted else None,
        guardrails=GuardrailsArgs(
            wait_seconds=2,
            bake_seconds=2,
            maximum_seconds=600,
            alarm_names=wanted["alarms"],
            canary_percent=50,
        ),
        metrics_frequency_seconds=10,
        stage=wanted["stage"],
        release=wanted["release"],
        tags={"team": "x"},
    ),
)
pulumi.export("config", deployment.config_name)
pulumi.export("arn", deployment.endpoint_arn)
pulumi.export("status", deployment.endpoint_status)
pulumi.export("previous", deployment.previous_config_name)
