"""The once-per-account program: the state bucket, the key of Pulumi's secrets, the permissions boundary."""

import pulumi
import pulumi_aws as aws

from infra.components.boundary import boundary_policy
from infra.components.bucket import SecureBucket, SecureBucketArgs
from infra.components.key import DataKey, DataKeyArgs
from sluice.outputs import AccountOutputs
from sluice.program import StackSettings, provider, settings

stack = settings(StackSettings)
aws_provider = provider(stack, "account")
invoke = pulumi.InvokeOptions(provider=aws_provider)
with_provider = pulumi.ResourceOptions(providers=[aws_provider])
account_id = aws.get_caller_identity(opts=invoke).account_id
protect = not stack.throwaway

secrets = DataKey(
    "sluice-secrets",
    DataKeyArgs("secrets and state of Pulumi", account_id, stack.region, protect=protect),
    with_provider,
)
state = SecureBucket(
    "sluice-state",
    SecureBucketArgs(
        key_arn=secrets.arn, keep_old_versions_days=365, throwaway=stack.throwaway, protect=protect
    ),
    with_provider,
)
boundary = aws.iam.Policy(
    "sluice-boundary",
    description="Sluice: what no role of the platform may exceed",
    policy=boundary_policy(account_id, stack.region),
    opts=pulumi.ResourceOptions(provider=aws_provider, protect=protect),
)

AccountOutputs.export(
    account_id=account_id,
    region=stack.region,
    state_bucket=state.name,
    secrets_key_arn=secrets.arn,
    permissions_boundary_arn=boundary.arn,
)
