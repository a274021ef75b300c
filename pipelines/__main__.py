"""The pipelines program of one workload: roles, model package group, training pipeline."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from pipelines import definitions
from pipelines.bind import bind
from pipelines.components.roles import PipelineRoles, PipelineRolesArgs
from pipelines.components.throwaway import ThrowawayPackages
from pipelines.config import PipelineSettings
from sluice import images, naming
from sluice.outputs import PipelineOutputs, PlatformOutputs
from sluice.program import clean, provider, run, settings
from workloads.contract import Workload


def main() -> None:
    stack = settings(PipelineSettings)
    workload = Workload.load(stack.workload)
    aws_provider = provider(stack, "pipelines", workload.name)
    with_provider = pulumi.ResourceOptions(providers=[aws_provider])
    platform = PlatformOutputs.from_stack(stack.platform_stack)

    roles = PipelineRoles(
        workload.name, PipelineRolesArgs(platform, workload.name, stack.environment), with_provider
    )
    group = aws.sagemaker.ModelPackageGroup(
        workload.name,
        model_package_group_name=naming.model_package_group_name(workload.name),
        model_package_group_description=workload.summary,
        opts=pulumi.ResourceOptions(provider=aws_provider, protect=not stack.throwaway),
    )
    if stack.throwaway:
        ThrowawayPackages(workload.name, group.model_package_group_name)
    definition = pulumi.Output.all(platform, roles.isolated_arn, roles.connected_arn).apply(
        lambda known: clean(bound_definition)(workload.name, stack.environment, *known)
    )
    training = aws.sagemaker.Pipeline(
        f"{workload.name}-training",
        pipeline_name=naming.pipeline_name(workload.name),
        pipeline_display_name=naming.pipeline_name(workload.name),
        pipeline_description=f"Validate, prepare, train, evaluate, gate and register {workload.name}",
        pipeline_definition=definition,
        role_arn=roles.pipeline_arn,
        opts=pulumi.ResourceOptions(provider=aws_provider, depends_on=[group]),
    )

    PipelineOutputs.export(
        workload=workload.name,
        training_pipeline=training.pipeline_name,
        training_pipeline_arn=training.arn,
        model_package_group=group.model_package_group_name,
        isolated_role_arn=roles.isolated_arn,
        connected_role_arn=roles.connected_arn,
        pipeline_role_arn=roles.pipeline_arn,
    )


def bound_definition(
    workload: str, environment: str, at: PlatformOutputs, isolated: str, connected: str
) -> str:
    """The committed definition with this environment's values in the places of its sentinels."""
    known: dict[str, Any] = {
        "isolated-role": isolated,
        "connected-role": connected,
        "steps-image": images.address("steps", workload, at.image_repository, at.image_repository_url),
        "serving-image": images.address("serving", workload, at.image_repository, at.image_repository_url),
        "data-bucket": at.data_bucket,
        "artifacts-bucket": at.artifacts_bucket,
        "artifacts-key": at.artifacts_key_arn,
        "subnets": list(at.private_subnet_ids),
        "security-groups": [at.jobs_security_group_id],
        "endpoint-name": naming.endpoint_name(workload, environment),
    }
    return json.dumps(bind(definitions.read(workload), known))


run(main)
