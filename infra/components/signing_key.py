"""An asymmetric KMS key that signs evidence."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components.key import DELETION_WINDOW_DAYS, account_decides
from policies.iam.statements import document

_ADMINISTER = [
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:GetKeyPolicy",
    "kms:GetPublicKey",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "kms:Sign",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
    "kms:Verify",
]


@dataclass
class SigningKeyArgs:
    """
    Attributes:
        purpose: what is signed, in a few words.
        account_id: the account whose IAM policies decide who may sign, and who may verify.
        protect: whether Pulumi refuses to delete it (production).
    """

    purpose: str
    account_id: str
    protect: bool = False


class SigningKey(pulumi.ComponentResource):
    """A key on the curve P-256 and its alias. The private half never leaves KMS, and KMS rotates no asymmetric key
    (KMS Developer Guide, "Rotate AWS KMS keys"): what it signed can be verified as long as it is there."""

    def __init__(self, name: str, args: SigningKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:infra:SigningKey", name, None, opts)
        self.key = aws.kms.Key(
            name,
            description=f"Sluice: {args.purpose}",
            key_usage="SIGN_VERIFY",
            customer_master_key_spec="ECC_NIST_P256",
            policy=signing_key_policy(args.account_id),
            deletion_window_in_days=DELETION_WINDOW_DAYS,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.alias = aws.kms.Alias(
            name, target_key_id=self.key.key_id, opts=pulumi.ResourceOptions(parent=self)
        )
        self.arn = self.key.arn
        self.register_outputs({"arn": self.arn})


def signing_key_policy(account_id: str) -> str:
    """The account administers it, and its IAM policies grant signing and verifying."""
    return document(account_decides(account_id, _ADMINISTER))
