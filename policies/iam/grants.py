"""Grants by method: what a role may do with a thing, said by the thing. No caller writes IAM by hand."""

from dataclasses import dataclass

from policies.iam.statements import Statement, allow


@dataclass(frozen=True)
class Key:
    """A KMS key. Its use is limited to what comes through the named services."""

    arn: str
    region: str

    def use(self, sid: str, *services: str, write: bool = True) -> Statement:
        """Decrypt, and with `write` encrypt too, through `services` (`s3`, `ecr`, …)."""
        actions = ["kms:Decrypt", "kms:DescribeKey"] + (["kms:GenerateDataKey"] if write else [])
        via = [f"{service}.{self.region}.amazonaws.com" for service in services]
        return allow(f"{sid}Key", actions, [self.arn], {"StringEquals": {"kms:ViaService": via}})

    def volumes(self, sid: str) -> Statement:
        """Let SageMaker encrypt the volumes of jobs and instances; it asks for grants of its own."""
        return allow(
            f"{sid}VolumeGrant",
            ["kms:CreateGrant"],
            [self.arn],
            {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        )

    def sign(self, sid: str) -> Statement:
        """Sign with it, and let its signatures be checked; of an asymmetric key."""
        return allow(f"{sid}Sign", ["kms:GetPublicKey", "kms:Sign", "kms:Verify"], [self.arn])


@dataclass(frozen=True)
class Bucket:
    """A bucket with the key of its data class."""

    name: str
    key: Key

    def read(self, sid: str, *prefixes: str) -> list[Statement]:
        """Get and list what lies under `prefixes` (each ends in `/`)."""
        return [
            allow(f"{sid}Read", ["s3:GetObject"], self._objects(prefixes)),
            self._list(sid, prefixes),
            self.key.use(f"{sid}Read", "s3", write=False),
        ]

    def write(self, sid: str, *prefixes: str) -> list[Statement]:
        """Put objects under `prefixes`, and read them back; never delete."""
        return [
            allow(
                f"{sid}Write",
                ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
                self._objects(prefixes),
            ),
            self._list(sid, prefixes),
            self.key.use(f"{sid}Write", "s3"),
        ]

    def read_versions(self, sid: str, *prefixes: str) -> Statement:
        """Get what a version was, which S3 asks a right of its own for; beside `read` or `write`."""
        return allow(f"{sid}Versions", ["s3:GetObjectVersion"], self._objects(prefixes))

    def _objects(self, prefixes: tuple[str, ...]) -> list[str]:
        return [f"arn:aws:s3:::{self.name}/{prefix}*" for prefix in prefixes]

    def _list(self, sid: str, prefixes: tuple[str, ...]) -> Statement:
        patterns = [f"{prefix}*" for prefix in prefixes]
        return allow(
            f"{sid}List",
            ["s3:ListBucket"],
            [f"arn:aws:s3:::{self.name}"],
            {"StringLike": {"s3:prefix": patterns}},
        )


@dataclass(frozen=True)
class Images:
    """The ECR repository of the snapshots."""

    name: str
    account_id: str
    region: str

    def pull(self, sid: str = "Images") -> list[Statement]:
        repository = f"arn:aws:ecr:{self.region}:{self.account_id}:repository/{self.name}"
        return [
            allow(
                f"{sid}Pull",
                ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                [repository],
            ),
            allow(f"{sid}Login", ["ecr:GetAuthorizationToken"], ["*"]),
        ]


def job_logs(region: str, account_id: str) -> Statement:
    """Let a SageMaker container write its log."""
    return allow(
        "Logs",
        ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        [f"arn:aws:logs:{region}:{account_id}:log-group:/aws/sagemaker/*"],
    )


def function_logs(region: str, account_id: str, function: str) -> Statement:
    """Let a function write its log, in the group that is there for it."""
    group = f"arn:aws:logs:{region}:{account_id}:log-group:/aws/lambda/{function}"
    return allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{group}:*"])


def function_interfaces(region: str, account_id: str) -> list[Statement]:
    """What Lambda needs of the execution role of a function in private subnets (Lambda Developer Guide, "Giving Lambda
    functions access to resources in an Amazon VPC": DeleteNetworkInterface takes all resources or none)."""
    return [
        allow("NetworkInterfacesRead", ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"], ["*"]),
        allow(
            "NetworkInterfacesOfFunctions",
            [
                "ec2:AssignPrivateIpAddresses",
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:UnassignPrivateIpAddresses",
            ],
            [f"arn:aws:ec2:{region}:{account_id}:*/*"],
        ),
    ]


def own_metrics(namespace: str) -> Statement:
    """Let a container publish CloudWatch metrics of one namespace."""
    return allow(
        "Metrics",
        ["cloudwatch:PutMetricData"],
        ["*"],
        {"StringEquals": {"cloudwatch:namespace": namespace}},
    )


def vpc_interfaces(region: str, account_id: str) -> list[Statement]:
    """What SageMaker needs of the execution role to place a container in private subnets (SageMaker Developer
    Guide, "Give SageMaker access to resources in your VPC")."""
    return [
        allow(
            "NetworkInterfacesRead",
            [
                "ec2:DescribeDhcpOptions",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcEndpoints",
                "ec2:DescribeVpcs",
            ],
            ["*"],
        ),
        allow(
            "NetworkInterfacesOfJobs",
            [
                "ec2:CreateNetworkInterface",
                "ec2:CreateNetworkInterfacePermission",
                "ec2:DeleteNetworkInterface",
                "ec2:DeleteNetworkInterfacePermission",
            ],
            [
                f"arn:aws:ec2:{region}:{account_id}:network-interface/*",
                f"arn:aws:ec2:{region}:{account_id}:security-group/*",
                f"arn:aws:ec2:{region}:{account_id}:subnet/*",
            ],
        ),
    ]


def rollback_alarms(region: str, account_id: str) -> Statement:
    """Let SageMaker read the alarms that turn a deployment back; it asks with the execution role (SageMaker
    Developer Guide, "Auto-Rollback Configuration and Monitoring")."""
    return allow(
        "Alarms", ["cloudwatch:DescribeAlarms"], [f"arn:aws:cloudwatch:{region}:{account_id}:alarm:*"]
    )
