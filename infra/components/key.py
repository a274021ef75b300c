"""A customer-managed KMS key for one class of data."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from policies.iam.statements import Statement, allow, document, with_principal

DELETION_WINDOW_DAYS = 30
"""The longest that KMS gives to change one's mind."""

_USE = [
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
]
_ADMINISTER = [
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
]


@dataclass
class DataKeyArgs:
    """
    Attributes:
        purpose: which data the key guards, in a few words.
        account_id: the account whose IAM policies decide who may use the key.
        region: for the names of AWS services in the key's policy.
        services: AWS services that use the key themselves, such as `logs` or `cloudwatch`.
        protect: whether Pulumi refuses to delete it (production).
    """

    purpose: str
    account_id: str
    region: str
    services: Sequence[str] = ()
    protect: bool = False


class DataKey(pulumi.ComponentResource):
    """A key with rotation, its alias, and a policy that leaves access to IAM."""

    def __init__(self, name: str, args: DataKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:infra:DataKey", name, None, opts)
        self.key = aws.kms.Key(
            name,
            description=f"Sluice: {args.purpose}",
            policy=key_policy(args.account_id, args.region, args.services),
            enable_key_rotation=True,
            deletion_window_in_days=DELETION_WINDOW_DAYS,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.alias = aws.kms.Alias(
            name, target_key_id=self.key.key_id, opts=pulumi.ResourceOptions(parent=self)
        )
        self.arn = self.key.arn
        self.register_outputs({"arn": self.arn})


def key_policy(account_id: str, region: str, services: Sequence[str]) -> str:
    """The key's policy: the account administers it and its IAM policies grant its use; each of `services` may use
    it for this account's resources alone (`aws:SourceAccount`)."""
    statements = [account_decides(account_id, _ADMINISTER)]
    for service in services:
        principal = f"logs.{region}.amazonaws.com" if service == "logs" else f"{service}.amazonaws.com"
        statement = _on_this_key(f"Service{service.title()}", _USE)
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": account_id}}
        if service == "logs":
            # CloudWatch Logs sends no SourceAccount; it binds the key by its encryption context (its user guide).
            context = f"arn:aws:logs:{region}:{account_id}:*"
            statement["Condition"] = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": context}}
        statements.append(with_principal(statement, {"Service": principal}))
    return document(*statements)


def account_decides(account_id: str, actions: list[str]) -> Statement:
    """The statement of a key's policy that leaves `actions` to the account's IAM policies."""
    return with_principal(_on_this_key("AccountDecides", actions), {"AWS": f"arn:aws:iam::{account_id}:root"})


def _on_this_key(sid: str, actions: list[str]) -> Statement:
    # A key policy's resource is always "*": it means this key (KMS Developer Guide, "Key policies").
    return {**allow(sid, actions, ["this-key"]), "Resource": ["*"]}
