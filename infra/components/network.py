"""Private subnets in three availability zones, without a way to the internet; AWS is reached by VPC endpoints."""

import ipaddress
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from policies.iam.statements import document

ZONES = 3
INTERFACE_ENDPOINTS = (
    "ecr.api",
    "ecr.dkr",
    "events",
    "kms",
    "logs",
    "monitoring",
    "sagemaker.api",
    "sagemaker.runtime",
    "sts",
)
"""What a job or a server in these subnets calls; S3 has a gateway endpoint, which costs nothing."""


@dataclass
class NetworkArgs:
    """
    Attributes:
        cidr: the VPC's range; each zone gets a sixteenth of it.
        account_id: the endpoints let this account's principals reach this account's resources, and nothing else.
    """

    cidr: str
    account_id: str
    region: str
    flow_log_group_arn: pulumi.Input[str]
    flow_log_role_arn: pulumi.Input[str]


class Network(pulumi.ComponentResource):
    """The VPC, its subnets and endpoints, and two security groups: one for jobs, one for servers."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:infra:Network", name, None, opts)
        self._name = name
        self._args = args
        child = pulumi.ResourceOptions(parent=self)
        self.vpc = aws.ec2.Vpc(
            name, cidr_block=args.cidr, enable_dns_support=True, enable_dns_hostnames=True, opts=child
        )
        aws.ec2.FlowLog(
            name,
            vpc_id=self.vpc.id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=args.flow_log_group_arn,
            iam_role_arn=args.flow_log_role_arn,
            opts=child,
        )
        routes = aws.ec2.RouteTable(name, vpc_id=self.vpc.id, opts=child)
        zones = aws.get_availability_zones_output(state="available", opts=pulumi.InvokeOptions(parent=self))
        self.subnets = []
        for index, block in enumerate(subnet_blocks(args.cidr)):
            subnet = aws.ec2.Subnet(
                f"{name}-{index}",
                vpc_id=self.vpc.id,
                cidr_block=block,
                availability_zone=zones.names[index],
                map_public_ip_on_launch=False,
                opts=child,
            )
            aws.ec2.RouteTableAssociation(
                f"{name}-{index}", subnet_id=subnet.id, route_table_id=routes.id, opts=child
            )
            self.subnets.append(subnet)
        self.subnet_ids = pulumi.Output.all(*(subnet.id for subnet in self.subnets))

        self.jobs = self._group("jobs", "Training and processing jobs")
        self.serving = self._group("serving", "Serving containers")
        endpoints = self._group("endpoints", "VPC endpoints of AWS services")
        gateway = self._s3_gateway(routes)
        for client, group in (("jobs", self.jobs), ("serving", self.serving)):
            self._https(client, group, endpoints, gateway)
        for service in INTERFACE_ENDPOINTS:
            aws.ec2.VpcEndpoint(
                f"{name}-{service.replace('.', '-')}",
                vpc_id=self.vpc.id,
                service_name=f"com.amazonaws.{args.region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=self.subnet_ids,
                security_group_ids=[endpoints.id],
                policy=endpoint_policy(args.account_id),
                opts=child,
            )
        self.register_outputs({"vpcId": self.vpc.id})

    def _group(self, purpose: str, description: str) -> aws.ec2.SecurityGroup:
        return aws.ec2.SecurityGroup(
            f"{self._name}-{purpose}",
            vpc_id=self.vpc.id,
            description=f"Sluice: {description}",
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _s3_gateway(self, routes: aws.ec2.RouteTable) -> aws.ec2.VpcEndpoint:
        args = self._args
        return aws.ec2.VpcEndpoint(
            f"{self._name}-s3",
            vpc_id=self.vpc.id,
            service_name=f"com.amazonaws.{args.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[routes.id],
            policy=s3_endpoint_policy(args.account_id, args.region),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _https(
        self,
        client: str,
        group: aws.ec2.SecurityGroup,
        endpoints: aws.ec2.SecurityGroup,
        gateway: aws.ec2.VpcEndpoint,
    ) -> None:
        """Port 443 to the endpoints and to S3, and to nothing else."""
        child = pulumi.ResourceOptions(parent=self)
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-{client}-to-endpoints",
            security_group_id=group.id,
            referenced_security_group_id=endpoints.id,
            description="AWS services by VPC endpoint",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=child,
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-{client}-to-s3",
            security_group_id=group.id,
            prefix_list_id=gateway.prefix_list_id,
            description="S3 by gateway endpoint",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=child,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-endpoints-from-{client}",
            security_group_id=endpoints.id,
            referenced_security_group_id=group.id,
            description=f"From {client}",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=child,
        )


def subnet_blocks(cidr: str) -> list[str]:
    """The ranges of the subnets, one a zone: the first sixteenths of the VPC's range.

    Raises:
        ValueError: if `cidr` is no IPv4 network, or too small to give a zone 16 addresses.
    """
    network = ipaddress.IPv4Network(cidr)
    if network.prefixlen > 24:
        raise ValueError(f"{cidr} is too small: a /24 or larger is needed for {ZONES} zones")
    return [str(block) for block in list(network.subnets(prefixlen_diff=4))[:ZONES]]


def endpoint_policy(account_id: str) -> str:
    """Limits an endpoint to this account on both sides; it grants nothing by itself (VPC guide, endpoint policies)."""
    return document(
        {
            "Sid": "ThisAccount",
            "Effect": "Allow",
            "Action": ["*"],
            "Principal": "*",
            "Resource": ["*"],
            "Condition": {
                "StringEquals": {"aws:PrincipalAccount": account_id, "aws:ResourceAccount": account_id}
            },
        }
    )


def s3_endpoint_policy(account_id: str, region: str) -> str:
    """As `endpoint_policy`, and the buckets in which AWS itself keeps the layers of ECR's images."""
    return document(
        {
            "Sid": "ThisAccount",
            "Effect": "Allow",
            "Action": ["s3:*"],
            "Principal": "*",
            "Resource": ["*"],
            "Condition": {
                "StringEquals": {"aws:PrincipalAccount": account_id, "aws:ResourceAccount": account_id}
            },
        },
        {
            "Sid": "LayersOfEcr",
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Principal": "*",
            "Resource": [f"arn:aws:s3:::prod-{region}-starport-layer-bucket/*"],
        },
    )
