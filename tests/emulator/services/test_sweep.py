"""What our programs declare comes back: for every type, each property that is sent is read again."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.emulator.inprocess import World

ACCOUNT = "123456789012"
TAGS = [{"Key": "sluice:component", "Value": "test"}]
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::x/*"}],
    }
)
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def missing(sent: Any, got: Any, where: str = "") -> list[str]:
    """Where `got` lacks what `sent` has. Lists of mappings may come back in another order."""
    if isinstance(sent, Mapping):
        if not isinstance(got, Mapping):
            return [f"{where}: sent {sent!r}, read {got!r}"]
        return [
            problem
            for key, value in sent.items()
            for problem in missing(value, got.get(key), f"{where}.{key}")
        ]
    if isinstance(sent, list):
        if not isinstance(got, list) or len(sent) != len(got):
            return [f"{where}: sent {sent!r}, read {got!r}"]
        return [
            f"{where}: {each!r} is not in {got!r}"
            for each in sent
            if all(missing(each, other) for other in got)
        ]
    if isinstance(sent, str) and isinstance(got, Mapping):
        return missing(json.loads(sent), got, where)
    if isinstance(sent, str) and isinstance(got, str) and sent != got and sent.startswith("{"):
        return missing(json.loads(sent), json.loads(got), where)
    return [] if sent == got else [f"{where}: sent {sent!r}, read {got!r}"]


Pair = tuple[Mapping[str, Any], Mapping[str, Any]]
CASES: dict[str, Callable[[World], Pair]] = {}


def case(function: Callable[[World], Pair]) -> Callable[[World], Pair]:
    CASES[function.__name__] = function
    return function


def test_a_lost_property_is_seen() -> None:
    assert missing({"a": [{"b": 1}], "c": "x"}, {"a": [{"b": 2}], "c": "x"}) != []
    assert missing({"a": 1}, {}) != []
    assert missing({"a": [{"b": 1}, {"c": 2}]}, {"a": [{"c": 2, "d": 3}, {"b": 1}]}) == []


def _bucket(world: World, **given: Any) -> Any:
    client = world.client("s3")
    client.create_bucket(Bucket="a-bucket", **given)
    return client


@case
def s3_versioning(world: World) -> Pair:
    client, sent = _bucket(world), {"Status": "Enabled"}
    client.put_bucket_versioning(Bucket="a-bucket", VersioningConfiguration=sent)
    return sent, client.get_bucket_versioning(Bucket="a-bucket")


@case
def s3_tags(world: World) -> Pair:
    client, sent = _bucket(world), {"TagSet": TAGS}
    client.put_bucket_tagging(Bucket="a-bucket", Tagging=sent)
    return sent, client.get_bucket_tagging(Bucket="a-bucket")


@case
def s3_encryption(world: World) -> Pair:
    client = _bucket(world)
    key = world.client("kms").create_key()["KeyMetadata"]["Arn"]
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    sent = {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]}
    client.put_bucket_encryption(Bucket="a-bucket", ServerSideEncryptionConfiguration=sent)
    return sent, client.get_bucket_encryption(Bucket="a-bucket")["ServerSideEncryptionConfiguration"]


@case
def s3_public_access_block(world: World) -> Pair:
    client = _bucket(world)
    sent = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": False,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": False,
    }
    client.put_public_access_block(Bucket="a-bucket", PublicAccessBlockConfiguration=sent)
    return sent, client.get_public_access_block(Bucket="a-bucket")["PublicAccessBlockConfiguration"]


@case
def s3_policy(world: World) -> Pair:
    client = _bucket(world)
    statement = {
        "Sid": "Tls",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::a-bucket", "arn:aws:s3:::a-bucket/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client.put_bucket_policy(Bucket="a-bucket", Policy=text)
    return {"Policy": text}, client.get_bucket_policy(Bucket="a-bucket")


@case
def s3_ownership(world: World) -> Pair:
    client, sent = _bucket(world), {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    client.put_bucket_ownership_controls(Bucket="a-bucket", OwnershipControls=sent)
    return sent, client.get_bucket_ownership_controls(Bucket="a-bucket")["OwnershipControls"]


@case
def s3_lifecycle(world: World) -> Pair:
    client = _bucket(world)
    sent = {
        "Rules": [
            {
                "ID": "old",
                "Status": "Enabled",
                "Filter": {"Prefix": "captures/"},
                "Expiration": {"Days": 30},
                "NoncurrentVersionExpiration": {"NoncurrentDays": 7, "NewerNoncurrentVersions": 2},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                "Transitions": [
                    {"Days": 90, "StorageClass": "GLACIER"},
                    {"Days": 30, "StorageClass": "STANDARD_IA"},
                ],
                "NoncurrentVersionTransitions": [{"NoncurrentDays": 30, "StorageClass": "STANDARD_IA"}],
            },
            {
                "ID": "tagged",
                "Status": "Disabled",
                "Filter": {
                    "And": {
                        "Prefix": "x/",
                        "Tags": [{"Key": "a", "Value": "b"}],
                        "ObjectSizeGreaterThan": 1024,
                    }
                },
                "Expiration": {"ExpiredObjectDeleteMarker": True},
            },
        ]
    }
    client.put_bucket_lifecycle_configuration(Bucket="a-bucket", LifecycleConfiguration=sent)
    return sent, client.get_bucket_lifecycle_configuration(Bucket="a-bucket")


@case
def s3_logging(world: World) -> Pair:
    client = _bucket(world)
    client.create_bucket(Bucket="the-logs")
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::the-logs/*",
    }
    client.put_bucket_policy(
        Bucket="the-logs", Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    )
    sent = {"LoggingEnabled": {"TargetBucket": "the-logs", "TargetPrefix": "a/"}}
    client.put_bucket_logging(Bucket="a-bucket", BucketLoggingStatus=sent)
    return sent, client.get_bucket_logging(Bucket="a-bucket")


@case
def s3_object_lock(world: World) -> Pair:
    client = _bucket(world, ObjectLockEnabledForBucket=True)
    sent = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    client.put_object_lock_configuration(Bucket="a-bucket", ObjectLockConfiguration=sent)
    return sent, client.get_object_lock_configuration(Bucket="a-bucket")["ObjectLockConfiguration"]


@case
def s3_object_lock_years(world: World) -> Pair:
    client = _bucket(world, ObjectLockEnabledForBucket=True)
    sent = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 5}}}
    client.put_object_lock_configuration(Bucket="a-bucket", ObjectLockConfiguration=sent)
    return sent, client.get_object_lock_configuration(Bucket="a-bucket")["ObjectLockConfiguration"]


@case
def s3_notification(world: World) -> Pair:
    client, sent = _bucket(world), {"EventBridgeConfiguration": {}}
    client.put_bucket_notification_configuration(Bucket="a-bucket", NotificationConfiguration=sent)
    return sent, client.get_bucket_notification_configuration(Bucket="a-bucket")


@case
def kms_key(world: World) -> Pair:
    client = world.client("kms")
    document = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                    "Action": "kms:*",
                    "Resource": "*",
                }
            ],
        }
    )
    made = client.create_key(
        Description="data", Policy=document, Tags=[{"TagKey": "a", "TagValue": "b"}], MultiRegion=False
    )["KeyMetadata"]
    client.enable_key_rotation(KeyId=made["Arn"], RotationPeriodInDays=180)
    client.create_alias(AliasName="alias/data", TargetKeyId=made["KeyId"])
    client.update_key_description(KeyId=made["KeyId"], Description="the data")
    got = {
        **client.describe_key(KeyId=made["Arn"])["KeyMetadata"],
        "policy": client.get_key_policy(KeyId=made["KeyId"], PolicyName="default")["Policy"],
        "rotation": client.get_key_rotation_status(KeyId=made["Arn"]),
        "tags": client.list_resource_tags(KeyId=made["KeyId"])["Tags"],
        "aliases": client.list_aliases(KeyId=made["KeyId"])["Aliases"],
    }
    sent = {
        "Description": "the data",
        "MultiRegion": False,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "Enabled": True,
        "policy": document,
        "rotation": {"KeyRotationEnabled": True, "RotationPeriodInDays": 180},
        "tags": [{"TagKey": "a", "TagValue": "b"}],
        "aliases": [{"AliasName": "alias/data", "TargetKeyId": made["KeyId"]}],
    }
    return sent, got


@case
def iam_role(world: World) -> Pair:
    client = world.client("iam")
    boundary = client.create_policy(PolicyName="boundary", PolicyDocument=POLICY)["Policy"]["Arn"]
    sent = {
        "RoleName": "jobs",
        "Path": "/sluice/",
        "AssumeRolePolicyDocument": TRUST,
        "Description": "jobs",
        "MaxSessionDuration": 7200,
        "Tags": TAGS,
    }
    client.create_role(**sent, PermissionsBoundary=boundary)
    client.put_role_policy(RoleName="jobs", PolicyName="inline", PolicyDocument=POLICY)
    client.attach_role_policy(RoleName="jobs", PolicyArn=boundary)
    got = {
        **client.get_role(RoleName="jobs")["Role"],
        "inline": client.get_role_policy(RoleName="jobs", PolicyName="inline")["PolicyDocument"],
        "attached": client.list_attached_role_policies(RoleName="jobs")["AttachedPolicies"],
    }
    return {
        **sent,
        "PermissionsBoundary": {"PermissionsBoundaryArn": boundary},
        "inline": POLICY,
        "attached": [{"PolicyArn": boundary}],
    }, got


@case
def iam_policy(world: World) -> Pair:
    client = world.client("iam")
    made = client.create_policy(
        PolicyName="p", PolicyDocument=POLICY, Description="d", Path="/sluice/", Tags=TAGS
    )
    arn = made["Policy"]["Arn"]
    got = client.get_policy(PolicyArn=arn)["Policy"]
    version = client.get_policy_version(PolicyArn=arn, VersionId=got["DefaultVersionId"])["PolicyVersion"]
    sent = {"PolicyName": "p", "Description": "d", "Path": "/sluice/", "Tags": TAGS, "Document": POLICY}
    return sent, {**got, "Document": version["Document"]}


@case
def iam_oidc(world: World) -> Pair:
    client = world.client("iam")
    sent = {
        "Url": "https://token.actions.githubusercontent.com",
        "ClientIDList": ["sts.amazonaws.com"],
        "Tags": TAGS,
    }
    arn = client.create_open_id_connect_provider(**sent, ThumbprintList=["a" * 40])[
        "OpenIDConnectProviderArn"
    ]
    got = client.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    return {**sent, "Url": "token.actions.githubusercontent.com", "ThumbprintList": ["a" * 40]}, got


def _vpc(world: World) -> tuple[Any, str]:
    client = world.client("ec2")
    return client, client.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]


def _tagged(kind: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": TAGS}]


@case
def ec2_vpc(world: World) -> Pair:
    client = world.client("ec2")
    vpc = client.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=_tagged("vpc"))["Vpc"]["VpcId"]
    client.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    client.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": True})
    got = client.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]
    for attribute in ("enableDnsHostnames", "enableDnsSupport"):
        got |= client.describe_vpc_attribute(VpcId=vpc, Attribute=attribute)
    sent = {
        "CidrBlock": "10.0.0.0/16",
        "Tags": TAGS,
        "EnableDnsHostnames": {"Value": True},
        "EnableDnsSupport": {"Value": True},
    }
    return sent, got


@case
def ec2_subnet_and_routes(world: World) -> Pair:
    client, vpc = _vpc(world)
    sent = {"VpcId": vpc, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1b"}
    subnet = client.create_subnet(**sent, TagSpecifications=_tagged("subnet"))["Subnet"]["SubnetId"]
    table = client.create_route_table(VpcId=vpc, TagSpecifications=_tagged("route-table"))["RouteTable"][
        "RouteTableId"
    ]
    client.associate_route_table(RouteTableId=table, SubnetId=subnet)
    got = {
        "subnet": client.describe_subnets(SubnetIds=[subnet])["Subnets"][0],
        "table": client.describe_route_tables(RouteTableIds=[table])["RouteTables"][0],
    }
    return {
        "subnet": {**sent, "Tags": TAGS, "MapPublicIpOnLaunch": False},
        "table": {"VpcId": vpc, "Tags": TAGS, "Associations": [{"SubnetId": subnet, "RouteTableId": table}]},
    }, got


@case
def ec2_security_group_rules(world: World) -> Pair:
    client, vpc = _vpc(world)
    made = client.create_security_group(
        GroupName="serving", Description="serving", VpcId=vpc, TagSpecifications=_tagged("security-group")
    )["GroupId"]
    other = client.create_security_group(GroupName="other", Description="o", VpcId=vpc)["GroupId"]
    client.authorize_security_group_ingress(
        GroupId=made,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "UserIdGroupPairs": [{"GroupId": other, "Description": "from other"}],
            }
        ],
        TagSpecifications=_tagged("security-group-rule"),
    )
    client.revoke_security_group_egress(
        GroupId=made, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    )
    client.authorize_security_group_egress(
        GroupId=made,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "IpRanges": [{"CidrIp": "10.0.0.0/16", "Description": "inside"}],
            }
        ],
        TagSpecifications=_tagged("security-group-rule"),
    )
    rules = client.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [made]}])[
        "SecurityGroupRules"
    ]
    got = {"group": client.describe_security_groups(GroupIds=[made])["SecurityGroups"][0], "rules": rules}
    common = {"GroupId": made, "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "Tags": TAGS}
    return {
        "group": {"GroupName": "serving", "Description": "serving", "VpcId": vpc, "Tags": TAGS},
        "rules": [
            {
                **common,
                "IsEgress": False,
                "ReferencedGroupInfo": {"GroupId": other},
                "Description": "from other",
            },
            {**common, "IsEgress": True, "CidrIpv4": "10.0.0.0/16", "Description": "inside"},
        ],
    }, got


@case
def ec2_interface_endpoint(world: World) -> Pair:
    client, vpc = _vpc(world)
    subnets = [
        client.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"us-east-1{zone}")[
            "Subnet"
        ]["SubnetId"]
        for n, zone in enumerate("abc")
    ]
    group = client.create_security_group(GroupName="e", Description="e", VpcId=vpc)["GroupId"]
    made = client.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName="com.amazonaws.us-east-1.sagemaker.api",
        VpcEndpointType="Interface",
        SubnetIds=subnets,
        SecurityGroupIds=[group],
        PrivateDnsEnabled=True,
        PolicyDocument=POLICY,
        TagSpecifications=_tagged("vpc-endpoint"),
    )["VpcEndpoint"]["VpcEndpointId"]
    return {
        "VpcId": vpc,
        "VpcEndpointType": "Interface",
        "ServiceName": "com.amazonaws.us-east-1.sagemaker.api",
        "SubnetIds": subnets,
        "Groups": [{"GroupId": group}],
        "PrivateDnsEnabled": True,
        "PolicyDocument": POLICY,
        "Tags": TAGS,
        "State": "available",
    }, client.describe_vpc_endpoints(VpcEndpointIds=[made])["VpcEndpoints"][0]


@case
def ec2_gateway_endpoint_changed(world: World) -> Pair:
    client, vpc = _vpc(world)
    table = client.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    made = client.create_vpc_endpoint(
        VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", VpcEndpointType="Gateway", RouteTableIds=[table]
    )["VpcEndpoint"]["VpcEndpointId"]
    client.modify_vpc_endpoint(VpcEndpointId=made, PolicyDocument=POLICY)
    sent = {"VpcEndpointType": "Gateway", "RouteTableIds": [table], "PolicyDocument": POLICY}
    return sent, client.describe_vpc_endpoints(VpcEndpointIds=[made])["VpcEndpoints"][0]


@case
def ec2_flow_log(world: World) -> Pair:
    client, vpc = _vpc(world)
    world.client("logs").create_log_group(logGroupName="flows")
    role = world.client("iam").create_role(RoleName="flows", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    sent = {
        "TrafficType": "ALL",
        "LogDestinationType": "cloud-watch-logs",
        "LogGroupName": "flows",
        "DeliverLogsPermissionArn": role,
        "MaxAggregationInterval": 60,
    }
    made = client.create_flow_logs(
        ResourceIds=[vpc], ResourceType="VPC", **sent, TagSpecifications=_tagged("vpc-flow-log")
    )["FlowLogIds"][0]
    return {**sent, "ResourceId": vpc, "Tags": TAGS}, client.describe_flow_logs(FlowLogIds=[made])[
        "FlowLogs"
    ][0]


@case
def ecr_repository(world: World) -> Pair:
    client = world.client("ecr")
    key = world.client("kms").create_key()["KeyMetadata"]["Arn"]
    sent = {
        "repositoryName": "images",
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": key},
    }
    made = client.create_repository(**sent, tags=TAGS)["repository"]
    rules = json.dumps(
        {
            "rules": [
                {
                    "rulePriority": 1,
                    "selection": {
                        "tagStatus": "untagged",
                        "countType": "imageCountMoreThan",
                        "countNumber": 9,
                    },
                    "action": {"type": "expire"},
                }
            ]
        }
    )
    client.put_lifecycle_policy(repositoryName="images", lifecyclePolicyText=rules)
    got = {
        **client.describe_repositories(repositoryNames=["images"])["repositories"][0],
        "tags": client.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"],
        "rules": client.get_lifecycle_policy(repositoryName="images")["lifecyclePolicyText"],
    }
    return {**sent, "tags": TAGS, "rules": rules}, got


@case
def sns_topic(world: World) -> Pair:
    client = world.client("sns")
    arn = client.create_topic(Name="alerts", Attributes={"KmsMasterKeyId": "alias/alerts"}, Tags=TAGS)[
        "TopicArn"
    ]
    document = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "cloudwatch.amazonaws.com"},
                    "Action": "sns:Publish",
                    "Resource": arn,
                    "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
                }
            ],
        }
    )
    client.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=document)
    client.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="Alerts")
    got = client.get_topic_attributes(TopicArn=arn)["Attributes"]
    tags = client.list_tags_for_resource(ResourceArn=arn)["Tags"]
    sent = {"KmsMasterKeyId": "alias/alerts", "Policy": document, "DisplayName": "Alerts", "Tags": TAGS}
    return sent, {**got, "Tags": tags}


@case
def metric_alarm(world: World) -> Pair:
    client = world.client("cloudwatch")
    sent = {
        "AlarmName": "flights-rollback-latency",
        "AlarmDescription": "d",
        "ActionsEnabled": True,
        "AlarmActions": [f"arn:aws:sns:us-east-1:{ACCOUNT}:alerts"],
        "OKActions": [f"arn:aws:sns:us-east-1:{ACCOUNT}:alerts"],
        "InsufficientDataActions": [],
        "MetricName": "ModelLatency",
        "Namespace": "AWS/SageMaker",
        "ExtendedStatistic": "p99",
        "Dimensions": [
            {"Name": "EndpointName", "Value": "e"},
            {"Name": "VariantName", "Value": "AllTraffic"},
        ],
        "Period": 10,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 2,
        "Threshold": 1.5,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "EvaluateLowSampleCountPercentile": "ignore",
        "Unit": "Microseconds",
    }
    client.put_metric_alarm(**sent, Tags=TAGS)
    got = client.describe_alarms(AlarmNames=[sent["AlarmName"]])["MetricAlarms"][0]
    return {**sent, "Tags": TAGS}, {
        **got,
        "Tags": client.list_tags_for_resource(ResourceARN=got["AlarmArn"])["Tags"],
    }


@case
def metric_alarm_of_queries(world: World) -> Pair:
    client = world.client("cloudwatch")
    metric = {"Namespace": "AWS/SageMaker", "MetricName": "Invocation5XXErrors", "Dimensions": []}
    stat = {"MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False}
    sent = {
        "AlarmName": "share",
        "EvaluationPeriods": 1,
        "Threshold": 0.01,
        "ComparisonOperator": "GreaterThanThreshold",
        "Metrics": [
            {"Id": "errors", **stat},
            {"Id": "all", **stat},
            {
                "Id": "share",
                "Expression": "IF(all > 0, errors / all, 0)",
                "Label": "Share",
                "ReturnData": True,
            },
        ],
    }
    client.put_metric_alarm(**sent)
    return sent, client.describe_alarms(AlarmNames=["share"])["MetricAlarms"][0]


@case
def dashboard(world: World) -> Pair:
    client = world.client("cloudwatch")
    body = json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "x"}}]})
    client.put_dashboard(DashboardName="flights", DashboardBody=body)
    return {"DashboardName": "flights", "DashboardBody": body}, client.get_dashboard(DashboardName="flights")


@case
def log_group(world: World) -> Pair:
    client = world.client("logs")
    key = world.client("kms").create_key()["KeyMetadata"]["Arn"]
    client.create_log_group(logGroupName="/a", kmsKeyId=key, tags={"a": "b"}, logGroupClass="STANDARD")
    client.put_retention_policy(logGroupName="/a", retentionInDays=30)
    got = client.describe_log_groups(logGroupNamePrefix="/a")["logGroups"][0]
    tags = client.list_tags_for_resource(resourceArn=got["arn"].removesuffix(":*"))["tags"]
    sent = {"logGroupName": "/a", "kmsKeyId": key, "retentionInDays": 30, "logGroupClass": "STANDARD"}
    return {**sent, "tags": {"a": "b"}}, {**got, "tags": tags}


@case
def event_rule_and_target(world: World) -> Pair:
    client = world.client("events")
    rule = {
        "Name": "approved",
        "EventPattern": json.dumps(
            {"source": ["aws.sagemaker"], "detail": {"ModelApprovalStatus": ["Approved"]}}
        ),
        "Description": "d",
        "State": "ENABLED",
    }
    arn = client.put_rule(**rule, Tags=TAGS)["RuleArn"]
    target = {
        "Id": "pipeline",
        "Arn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:pipeline/p",
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r",
        "SageMakerPipelineParameters": {"PipelineParameterList": [{"Name": "a", "Value": "$.detail.x"}]},
        "DeadLetterConfig": {"Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead"},
        "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 300},
    }
    transformed = {
        "Id": "topic",
        "Arn": f"arn:aws:sns:us-east-1:{ACCOUNT}:t",
        "InputTransformer": {"InputPathsMap": {"n": "$.detail.name"}, "InputTemplate": '"alarm <n>"'},
    }
    client.put_targets(Rule="approved", Targets=[target, transformed])
    got = {
        **client.describe_rule(Name="approved"),
        "Targets": client.list_targets_by_rule(Rule="approved")["Targets"],
        "Tags": client.list_tags_for_resource(ResourceARN=arn)["Tags"],
    }
    return {**rule, "Targets": [target, transformed], "Tags": TAGS}, got


@case
def event_schedule(world: World) -> Pair:
    client = world.client("events")
    rule = {"Name": "daily", "ScheduleExpression": "rate(1 day)", "State": "DISABLED", "Description": "d"}
    client.put_rule(**rule)
    return rule, client.describe_rule(Name="daily")


@case
def budget(world: World) -> Pair:
    client = world.client("budgets")
    sent = {
        "BudgetName": "sluice",
        "BudgetLimit": {"Amount": "100.0", "Unit": "USD"},
        "TimeUnit": "MONTHLY",
        "BudgetType": "COST",
        "CostFilters": {"TagKeyValue": ["user:sluice:environment$local"]},
    }
    notification = {
        "NotificationType": "FORECASTED",
        "ComparisonOperator": "GREATER_THAN",
        "Threshold": 80.0,
        "ThresholdType": "PERCENTAGE",
    }
    subscribers = [{"SubscriptionType": "SNS", "Address": f"arn:aws:sns:us-east-1:{ACCOUNT}:alerts"}]
    client.create_budget(
        AccountId=ACCOUNT,
        Budget=sent,
        NotificationsWithSubscribers=[{"Notification": notification, "Subscribers": subscribers}],
        ResourceTags=TAGS,
    )
    common = {"AccountId": ACCOUNT, "BudgetName": "sluice"}
    arn = f"arn:aws:budgets::{ACCOUNT}:budget/sluice"
    got = {
        **client.describe_budget(**common)["Budget"],
        "Notifications": client.describe_notifications_for_budget(**common)["Notifications"],
        "Subscribers": client.describe_subscribers_for_notification(**common, Notification=notification)[
            "Subscribers"
        ],
        "Tags": client.list_tags_for_resource(ResourceARN=arn)["ResourceTags"],
    }
    return {**sent, "Notifications": [notification], "Subscribers": subscribers, "Tags": TAGS}, got


@case
def ssm_parameter(world: World) -> Pair:
    client = world.client("ssm")
    sent = {"Name": "/sluice/x", "Type": "String", "Value": "1", "Description": "d", "Tier": "Standard"}
    client.put_parameter(**sent, AllowedPattern="^\\d+$", Tags=TAGS)
    got = client.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": ["/sluice/x"]}])[
        "Parameters"
    ][0]
    value = client.get_parameter(Name="/sluice/x")["Parameter"]
    tags = client.list_tags_for_resource(ResourceType="Parameter", ResourceId="/sluice/x")["TagList"]
    return {**sent, "AllowedPattern": "^\\d+$", "Tags": TAGS}, {**got, **value, "Tags": tags}


def _endpoint(world: World) -> None:
    client = world.client("sagemaker")
    client.create_model(
        ModelName="m", ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/r", PrimaryContainer={"Image": "i"}
    )
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": "m",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 2,
        "InitialVariantWeight": 1.0,
    }
    client.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    client.create_endpoint(EndpointName="flights-local", EndpointConfigName="c")


@case
def scaling(world: World) -> Pair:
    _endpoint(world)
    client = world.client("application-autoscaling")
    common = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/flights-local/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    target = {**common, "MinCapacity": 2, "MaxCapacity": 6}
    suspended = {"DynamicScalingInSuspended": True}
    arn = client.register_scalable_target(**target, SuspendedState=suspended, Tags={"a": "b"})[
        "ScalableTargetARN"
    ]
    configuration = {
        "TargetValue": 5.0,
        "PredefinedMetricSpecification": {
            "PredefinedMetricType": "SageMakerVariantConcurrentRequestsPerModelHighResolution"
        },
        "ScaleInCooldown": 300,
        "ScaleOutCooldown": 30,
        "DisableScaleIn": False,
    }
    policy = {
        **common,
        "PolicyName": "concurrency",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": configuration,
    }
    client.put_scaling_policy(**policy)
    action = {
        **common,
        "ScheduledActionName": "morning",
        "Schedule": "cron(0 7 * * ? *)",
        "Timezone": "America/New_York",
        "ScalableTargetAction": {"MinCapacity": 3, "MaxCapacity": 8},
        "EndTime": datetime(2027, 1, 1, tzinfo=UTC),
    }
    client.put_scheduled_action(**action)
    got = {
        "target": client.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"][0],
        "policy": client.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"][0],
        "action": client.describe_scheduled_actions(ServiceNamespace="sagemaker")["ScheduledActions"][0],
        "tags": client.list_tags_for_resource(ResourceARN=arn)["Tags"],
    }
    sent = {
        "target": {**target, "SuspendedState": suspended},
        "policy": policy,
        "action": action,
        "tags": {"a": "b"},
    }
    return sent, got


@pytest.mark.parametrize("name", sorted(CASES))
def test_nothing_that_is_sent_is_lost(name: str, world: World) -> None:
    sent, got = CASES[name](world)
    assert missing(sent, got) == []
