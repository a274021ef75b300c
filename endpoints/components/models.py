"""The SageMaker model of one model package."""

import pulumi
import pulumi_aws as aws

from sluice import naming
from sluice.outputs import PlatformOutputs


def model_name(workload: str, version: str, package_arn: str, instance_environment: str) -> str:
    """`flights-local-v1-0-1a2b3c4d`: the same for the same package in the same environment, so that a release
    whose name is known can be compared at preview with what is live."""
    digest = naming.content_hash([package_arn, instance_environment], 8)
    return naming.name(workload, instance_environment, f"v{version.replace('.', '-')}", digest)


def model(
    name: str,
    package_arn: str,
    role_arn: pulumi.Input[str],
    platform: pulumi.Output[PlatformOutputs],
    opts: pulumi.ResourceOptions,
) -> aws.sagemaker.Model:
    """The model: its image, data and environment are the package's; it runs in the private subnets, isolated."""
    return aws.sagemaker.Model(
        name,
        name=name,
        execution_role_arn=role_arn,
        primary_container={"model_package_name": package_arn},
        enable_network_isolation=True,
        vpc_config={
            "subnets": platform.apply(lambda at: list(at.private_subnet_ids)),
            "security_group_ids": [platform.apply(lambda at: at.serving_security_group_id)],
        },
        opts=opts,
    )
