"""The platform program: network, keys, buckets, image repository, alerts."""

import pulumi
import pulumi_aws as aws

from infra.components.bucket import SecureBucket, SecureBucketArgs
from infra.components.images import ImageRepository, ImageRepositoryArgs
from infra.components.key import DataKey, DataKeyArgs
from infra.components.network import Network, NetworkArgs
from infra.components.signing_key import SigningKey, SigningKeyArgs
from infra.config import PlatformSettings
from policies.iam.statements import allow, document, service_trust
from sluice.components.role import ServiceRole, ServiceRoleArgs
from sluice.outputs import AccountOutputs, PlatformOutputs
from sluice.program import provider, settings

AUDIT_DAYS = 5 * 366
"""A release file names the version of a report that it rests on."""

stack = settings(PlatformSettings)
aws_provider = provider(stack, "platform")
with_provider = pulumi.ResourceOptions(providers=[aws_provider])
protect = not stack.throwaway

account = AccountOutputs.from_stack(stack.account_stack)
account_id = aws.get_caller_identity(opts=pulumi.InvokeOptions(provider=aws_provider)).account_id
boundary_arn = account.apply(lambda outputs: outputs.permissions_boundary_arn)


def key(data_class: str, *services: str) -> DataKey:
    args = DataKeyArgs(f"{data_class} of {stack.environment}", account_id, stack.region, services, protect)
    return DataKey(f"sluice-{data_class}", args, with_provider)


data_key, artifacts_key, capture_key, audit_key = map(key, ("data", "artifacts", "capture", "audit"))
operations_key = key("operations", "logs", "cloudwatch", "sns")
evidence_key = SigningKey(
    "sluice-evidence",
    SigningKeyArgs(f"evidence of releases of {stack.environment}", account_id, protect),
    with_provider,
)

logs = SecureBucket(
    "sluice-logs",
    SecureBucketArgs(
        None, receives_logs_of=account_id, expire_days=365, throwaway=stack.throwaway, protect=protect
    ),
    with_provider,
)


def bucket(
    data_class: str, guard: DataKey, expire_days: int | None = None, keep_old_versions_days: int = 30
) -> SecureBucket:
    args = SecureBucketArgs(
        guard.arn,
        logs.name,
        expire_days=expire_days,
        keep_old_versions_days=keep_old_versions_days,
        throwaway=stack.throwaway,
        protect=protect,
    )
    return SecureBucket(f"sluice-{data_class}", args, with_provider)


data = bucket("data", data_key)
artifacts = bucket("artifacts", artifacts_key)
capture = bucket("capture", capture_key, expire_days=400)
audit = bucket("audit", audit_key, keep_old_versions_days=AUDIT_DAYS)

flow_logs = aws.cloudwatch.LogGroup(
    "sluice-flow-logs",
    retention_in_days=stack.log_retention_days,
    kms_key_id=operations_key.arn,
    opts=pulumi.ResourceOptions(provider=aws_provider),
)
flow_log_role = ServiceRole(
    "sluice-flow-logs",
    ServiceRoleArgs(
        service_trust("vpc-flow-logs.amazonaws.com", account_id),
        boundary_arn,
        "Sluice: writes the VPC's flow logs",
    ),
    with_provider,
)
flow_log_role.grant(
    "write",
    flow_logs.arn.apply(
        lambda arn: document(
            allow(
                "WriteFlowLogs",
                ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                [arn, f"{arn}:*"],
            )
        )
    ),
)
network = Network(
    "sluice",
    NetworkArgs(stack.vpc_cidr, account_id, stack.region, flow_logs.arn, flow_log_role.arn),
    with_provider,
)
images = ImageRepository(
    "sluice-images", ImageRepositoryArgs(artifacts_key.arn, stack.throwaway, protect), with_provider
)
alerts = aws.sns.Topic(
    "sluice-alerts", kms_master_key_id=operations_key.arn, opts=pulumi.ResourceOptions(provider=aws_provider)
)

PlatformOutputs.export(
    account_id=account_id,
    region=stack.region,
    environment=stack.environment,
    permissions_boundary_arn=boundary_arn,
    vpc_id=network.vpc.id,
    private_subnet_ids=network.subnet_ids,
    jobs_security_group_id=network.jobs.id,
    serving_security_group_id=network.serving.id,
    data_bucket=data.name,
    data_key_arn=data_key.arn,
    artifacts_bucket=artifacts.name,
    artifacts_key_arn=artifacts_key.arn,
    capture_bucket=capture.name,
    capture_key_arn=capture_key.arn,
    audit_bucket=audit.name,
    audit_key_arn=audit_key.arn,
    evidence_signing_key_arn=evidence_key.arn,
    image_repository=images.name,
    image_repository_url=images.url,
    alerts_topic_arn=alerts.arn,
    operations_key_arn=operations_key.arn,
)
