"""The three roles of a workload's pipelines: who starts the jobs, and the two kinds of jobs."""

from dataclasses import dataclass

import pulumi

from policies.iam import grants
from policies.iam.statements import Statement, allow, document, service_trust
from sluice import naming
from sluice.components.role import ServiceRole, ServiceRoleArgs
from sluice.outputs import PlatformOutputs


@dataclass
class PipelineRolesArgs:
    """
    Attributes:
        platform: the platform's outputs.
        workload: whose prefixes the roles may use.
        environment: for the name of the endpoint that the champion is read from.
    """

    platform: pulumi.Output[PlatformOutputs]
    workload: str
    environment: str


class PipelineRoles(pulumi.ComponentResource):
    """`isolated` reads data and writes artifacts; `connected` also reads what is live and registers models;
    `pipeline` starts jobs under these two and nothing else."""

    def __init__(
        self, name: str, args: PipelineRolesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sluice:pipelines:PipelineRoles", name, None, opts)
        workload, environment, platform = args.workload, args.environment, args.platform

        def role(kind: str, purpose: str) -> ServiceRole:
            trust = platform.apply(
                lambda at: service_trust("sagemaker.amazonaws.com", at.account_id, at.region)
            )
            boundary = platform.apply(lambda at: at.permissions_boundary_arn)
            return ServiceRole(
                f"{workload}-{kind}",
                ServiceRoleArgs(trust, boundary, f"Sluice: {purpose} of {workload}"),
                pulumi.ResourceOptions(parent=self),
            )

        isolated = role("isolated-jobs", "jobs without a network")
        isolated.grant("job", platform.apply(lambda at: document(*isolated_statements(at, workload))))
        connected = role("connected-jobs", "jobs that read the champion and register models")
        connected.grant(
            "job", platform.apply(lambda at: document(*connected_statements(at, workload, environment)))
        )
        pipeline = role("pipeline", "the training pipeline")
        pipeline.grant(
            "start-jobs",
            pulumi.Output.all(platform, isolated.role.arn, connected.role.arn).apply(
                lambda values: document(*pipeline_statements(values[0], workload, values[1:]))
            ),
        )
        self.isolated_arn, self.connected_arn, self.pipeline_arn = isolated.arn, connected.arn, pipeline.arn
        self.register_outputs({})


def isolated_statements(at: PlatformOutputs, workload: str) -> list[Statement]:
    """SageMaker copies files in and out of an isolated job under its role; the container itself sees no AWS."""
    data = grants.Bucket(at.data_bucket, grants.Key(at.data_key_arn, at.region))
    artifacts_key = grants.Key(at.artifacts_key_arn, at.region)
    artifacts = grants.Bucket(at.artifacts_bucket, artifacts_key)
    images = grants.Images(at.image_repository, at.account_id, at.region)
    return [
        *data.read("Data", f"{workload}/"),
        *artifacts.write("Artifacts", f"{workload}/"),
        artifacts_key.volumes("Artifacts"),
        *images.pull(),
        grants.job_logs(at.region, at.account_id),
        grants.own_metrics("/aws/sagemaker/TrainingJobs"),
        *grants.vpc_interfaces(at.region, at.account_id),
    ]


def connected_statements(at: PlatformOutputs, workload: str, environment: str) -> list[Statement]:
    """What an isolated job may, and: see which model is live, and register one as pending approval."""
    sagemaker = f"arn:aws:sagemaker:{at.region}:{at.account_id}"
    group, endpoint = naming.model_package_group_name(workload), naming.endpoint_name(workload, environment)
    packages = f"{sagemaker}:model-package/{group}/*"
    return [
        *isolated_statements(at, workload),
        allow(
            "SeeTheChampion",
            ["sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig", "sagemaker:DescribeModel"],
            [
                f"{sagemaker}:endpoint/{endpoint}",
                f"{sagemaker}:endpoint-config/{endpoint}-*",
                f"{sagemaker}:model/{workload}-*",
            ],
        ),
        allow("SeePackages", ["sagemaker:DescribeModelPackage"], [packages]),
        allow("ListPackages", ["sagemaker:ListModelPackages"], ["*"]),
        # Approval is another role's right: a pipeline registers, and only as pending.
        allow(
            "RegisterAsPending",
            ["sagemaker:CreateModelPackage", "sagemaker:AddTags"],
            [packages, f"{sagemaker}:model-package-group/{group}"],
            {"StringEqualsIfExists": {"sagemaker:ModelApprovalStatus": "PendingManualApproval"}},
        ),
    ]


def pipeline_statements(at: PlatformOutputs, workload: str, job_roles: list[str]) -> list[Statement]:
    """Start, watch and stop this workload's jobs under the job roles, read the steps' property files."""
    sagemaker = f"arn:aws:sagemaker:{at.region}:{at.account_id}"
    jobs = [f"{sagemaker}:processing-job/pipelines-*", f"{sagemaker}:training-job/pipelines-*"]
    artifacts = grants.Bucket(at.artifacts_bucket, grants.Key(at.artifacts_key_arn, at.region))
    return [
        allow(
            "Jobs",
            [
                "sagemaker:AddTags",
                "sagemaker:CreateProcessingJob",
                "sagemaker:CreateTrainingJob",
                "sagemaker:DescribeProcessingJob",
                "sagemaker:DescribeTrainingJob",
                "sagemaker:StopProcessingJob",
                "sagemaker:StopTrainingJob",
            ],
            jobs,
        ),
        allow(
            "PassJobRoles",
            ["iam:PassRole"],
            job_roles,
            {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        ),
        *artifacts.read("PropertyFiles", f"{workload}/"),
    ]
