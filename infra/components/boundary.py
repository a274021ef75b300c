"""The permissions boundary of every role in the account: what no grant can exceed."""

from policies.iam.statements import Statement, deny, document


def boundary_policy(account_id: str, region: str) -> str:
    """The boundary: everything that a job or a server may ever need, and never the rights that would let it raise
    itself, leave the region, or start a job outside the private network and without encryption.

    A boundary grants nothing by itself (IAM user guide, "Permissions boundaries"), so its Allow may be wide.
    """
    everything: Statement = {
        "Sid": "WithinTheServicesOfThePlatform",
        "Effect": "Allow",
        "Action": [
            "application-autoscaling:*",
            "cloudwatch:*",
            "ec2:*NetworkInterface*",
            "ec2:*PrivateIpAddresses",
            "ec2:Describe*",
            "ecr:*",
            "events:*",
            "iam:PassRole",
            "kms:*",
            "logs:*",
            "s3:*",
            "sagemaker:*",
            "sns:Publish",
            "sts:AssumeRole",
        ],
        "Resource": ["*"],
    }
    jobs = ["sagemaker:CreateProcessingJob", "sagemaker:CreateTrainingJob", "sagemaker:CreateTransformJob"]
    return document(
        everything,
        deny(
            "NoOtherRegion",
            ["*"],
            ["*"],
            {"StringNotEqualsIfExists": {"aws:RequestedRegion": [region, "us-east-1"]}},
        ),
        deny(
            "PassOnlyRolesOfThisAccountToSageMaker",
            ["iam:PassRole"],
            ["*"],
            {"StringNotEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        ),
        # Null and not Bool: a job that does not say its network must be refused too.
        deny("JobsInTheVpc", jobs[:2], ["*"], {"Null": {"sagemaker:VpcSubnets": "true"}}),
        deny("JobsOnEncryptedVolumes", jobs, ["*"], {"Null": {"sagemaker:VolumeKmsKey": "true"}}),
        deny(
            "NotebooksNever",
            ["sagemaker:CreateNotebookInstance", "sagemaker:CreatePresignedNotebookInstanceUrl"],
            ["*"],
        ),
        deny(
            "OtherAccountsNever",
            ["sts:AssumeRole"],
            ["*"],
            {"StringNotEquals": {"aws:ResourceAccount": account_id}},
        ),
    )
