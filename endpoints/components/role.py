"""The role of a serving container."""

from policies.iam import grants
from policies.iam.statements import Statement
from sluice.outputs import PlatformOutputs


def serving_statements(at: PlatformOutputs, workload: str) -> list[Statement]:
    """Read this workload's model artifacts and image, write its log and its captures; nothing else. The container
    itself is isolated: SageMaker does all of this for it, under this role."""
    artifacts_key = grants.Key(at.artifacts_key_arn, at.region)
    capture_key = grants.Key(at.capture_key_arn, at.region)
    return [
        *grants.Bucket(at.artifacts_bucket, artifacts_key).read("Artifacts", f"{workload}/"),
        *grants.Bucket(at.capture_bucket, capture_key).write("Capture", f"{workload}/"),
        artifacts_key.volumes("Artifacts"),
        *grants.Images(at.image_repository, at.account_id, at.region).pull(),
        grants.job_logs(at.region, at.account_id),
        grants.own_metrics("/aws/sagemaker/Endpoints"),
        *grants.vpc_interfaces(at.region, at.account_id),
        grants.rollback_alarms(at.region, at.account_id),
    ]
