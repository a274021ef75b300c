"""A sample of every type: inputs that name every property, and a new value for each that may change.

A sample is a function of a `World`, which makes what the resource stands on. `update` and `replace` give, for each
property, a value other than the input's. What has no entry must be in `FIXED`, with the reason.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

ACCOUNT = "123456789012"
_numbers = count(1)


@dataclass(frozen=True)
class Sample:
    inputs: Mapping[str, Any]
    update: Mapping[str, Any] = field(default_factory=dict)
    replace: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    """Properties that have no other value here, with the reason."""
    along: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What must change together with a property that replaces."""


def policy(*resources: str, service: str | None = None, action: str = "s3:GetObject") -> str:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": [action]}
    if resources:
        # One resource as plain text: moto's check of log delivery understands nothing else.
        statement["Resource"] = resources[0] if len(resources) == 1 else list(resources)
    if service:
        statement["Principal"] = {"Service": service}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def key_policy(description: str) -> str:
    statement = {
        "Sid": description,
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class World:
    """Makes what a sample stands on."""

    def __init__(self, engine: Any, client: Any, image: str) -> None:
        self.engine = engine
        self.client = client
        self.image = image

    def make(self, token: str, **inputs: Any) -> Any:
        return self.engine.create(token, f"base{next(_numbers)}", inputs)

    def bucket(self, **inputs: Any) -> str:
        return self.make("aws:s3/bucket:Bucket", **inputs).id

    def key(self) -> Any:
        return self.make("aws:kms/key:Key").state["arn"]

    def role(self) -> Any:
        trust = policy(service="sagemaker.amazonaws.com", action="sts:AssumeRole")
        return self.make("aws:iam/role:Role", assumeRolePolicy=trust)

    def managed(self) -> str:
        return self.make("aws:iam/policy:Policy", policy=policy("*")).id

    def vpc(self) -> str:
        return self.make("aws:ec2/vpc:Vpc", cidrBlock="10.0.0.0/16").id

    def subnet(self, vpc: str) -> str:
        block = f"10.0.{next(_numbers) % 200}.0/24"
        return self.make("aws:ec2/subnet:Subnet", vpcId=vpc, cidrBlock=block).id

    def group(self, vpc: str) -> str:
        return self.make("aws:ec2/securityGroup:SecurityGroup", vpcId=vpc).id

    def table(self, vpc: str) -> str:
        return self.make("aws:ec2/routeTable:RouteTable", vpcId=vpc).id

    def topic(self) -> str:
        return self.make("aws:sns/topic:Topic").id

    def repository(self) -> str:
        return self.make("aws:ecr/repository:Repository").id

    def function_role(self) -> str:
        trust = policy(service="lambda.amazonaws.com", action="sts:AssumeRole")
        return str(self.make("aws:iam/role:Role", assumeRolePolicy=trust).state["arn"])

    def tag(self, repository: str) -> str:
        """A tag of the one image in a repository."""
        name = repository.partition("/")[2]
        images = self.client("ecr").describe_images(repositoryName=name)["imageDetails"]
        return str(images[0]["imageTags"][0])

    def function(self) -> Any:
        inputs = {"packageType": "Image", "imageUri": self.image, "role": self.function_role()}
        return self.make("aws:lambda/function:Function", **inputs)

    def rule(self, **inputs: Any) -> str:
        pattern = json.dumps({"source": ["mine"]})
        return str(
            self.make("aws:cloudwatch/eventRule:EventRule", eventPattern=pattern, **inputs).state["name"]
        )

    def bus(self) -> str:
        name = f"bus-{next(_numbers)}"
        self.client("events").create_event_bus(Name=name)
        return name

    def endpoint(self, number: int) -> str:
        """An endpoint's variant, as a scalable target names it."""
        return f"endpoint/scaled-{number}/variant/AllTraffic"


def bucket(world: World) -> Sample:
    return Sample(
        {"bucket": f"sample-{next(_numbers)}", "objectLockEnabled": False, "tags": {"a": "b"}},
        update={"tags": {"a": "c", "d": "e"}},
        replace={"bucket": f"other-{next(_numbers)}", "objectLockEnabled": True},
        fixed={"bucketPrefix": "excludes bucket; test_a_bucket_prefix"},
    )


def bucket_setting(
    world: World,
    update: Mapping[str, Any],
    *,
    locked: bool = False,
    fixed: Mapping[str, str] | None = None,
    **inputs: Any,
) -> Sample:
    options = {"objectLockEnabled": True} if locked else {}
    name, other = world.bucket(**options), world.bucket(**options)
    return Sample({"bucket": name, **inputs}, update, {"bucket": other}, fixed or {})


def bucket_versioning(world: World) -> Sample:
    return bucket_setting(
        world,
        {"versioningConfiguration": {"status": "Suspended"}},
        versioningConfiguration={"status": "Enabled"},
    )


def bucket_encryption(world: World) -> Sample:
    def rules(key: str, bucket_key: bool) -> list[Any]:
        default = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": key}
        return [{"applyServerSideEncryptionByDefault": default, "bucketKeyEnabled": bucket_key}]

    return bucket_setting(world, {"rules": rules(world.key(), False)}, rules=rules(world.key(), True))


def bucket_public_access_block(world: World) -> Sample:
    names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    return bucket_setting(world, dict.fromkeys(names, False), **dict.fromkeys(names, True))


def bucket_policy(world: World) -> Sample:
    name = world.bucket()
    document = policy(f"arn:aws:s3:::{name}/*", service="logging.s3.amazonaws.com", action="s3:PutObject")
    other = policy(f"arn:aws:s3:::{name}/x/*", service="logging.s3.amazonaws.com", action="s3:PutObject")
    elsewhere = world.bucket()
    moved = policy(f"arn:aws:s3:::{elsewhere}/*", service="logging.s3.amazonaws.com", action="s3:PutObject")
    return Sample(
        {"bucket": name, "policy": document},
        {"policy": other},
        {"bucket": elsewhere},
        along={"bucket": {"policy": moved}},
    )


def bucket_ownership(world: World) -> Sample:
    return bucket_setting(
        world,
        {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
        rule={"objectOwnership": "BucketOwnerEnforced"},
    )


def bucket_logging(world: World) -> Sample:
    def target() -> str:
        """A bucket that the log delivery service may write to."""
        name = world.bucket()
        document = policy(f"arn:aws:s3:::{name}/*", service="logging.s3.amazonaws.com", action="s3:PutObject")
        world.make("aws:s3/bucketPolicy:BucketPolicy", bucket=name, policy=document)
        return name

    return bucket_setting(
        world,
        {"targetBucket": target(), "targetPrefix": "other/"},
        fixed={"targetObjectKeyFormat": "moto does not keep it"},
        targetBucket=target(),
        targetPrefix="logs/",
    )


def bucket_lock(world: World) -> Sample:
    return bucket_setting(
        world,
        {"rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 2}}},
        locked=True,
        fixed={"objectLockEnabled": "has one value"},
        rule={"defaultRetention": {"mode": "GOVERNANCE", "days": 1}},
        objectLockEnabled="Enabled",
    )


def bucket_notification(world: World) -> Sample:
    return bucket_setting(world, {"eventbridge": False}, eventbridge=True)


def bucket_lifecycle(world: World) -> Sample:
    def rules(days: int) -> list[Any]:
        return [
            {
                "id": "old",
                "status": "Enabled",
                "filter": {"prefix": "raw/"},
                "expiration": {"days": days},
                "transitions": [{"days": 30, "storageClass": "STANDARD_IA"}],
                "noncurrentVersionExpiration": {"noncurrentDays": 7},
                "abortIncompleteMultipartUpload": {"daysAfterInitiation": 3},
            },
            {
                "id": "tagged",
                "status": "Disabled",
                "filter": {"and": {"prefix": "x/", "tags": {"a": "b", "c": "d"}}},
                "noncurrentVersionTransitions": [{"noncurrentDays": 30, "storageClass": "GLACIER"}],
            },
        ]

    return bucket_setting(world, {"rules": rules(400)}, rules=rules(365))


def key(world: World) -> Sample:
    mac = {"keyUsage": "GENERATE_VERIFY_MAC", "customerMasterKeySpec": "HMAC_256"}
    return Sample(
        {
            "description": "a key",
            "enableKeyRotation": True,
            "policy": key_policy("one"),
            "tags": {"a": "b"},
            "deletionWindowInDays": 7,
        },
        {
            "description": "another",
            "enableKeyRotation": False,
            "policy": key_policy("two"),
            "isEnabled": False,
            "tags": {},
        },
        {"multiRegion": True, **mac},
        # KMS takes these two together only, and rotates symmetric keys alone.
        along={name: {**mac, "enableKeyRotation": False} for name in mac},
    )


def alias(world: World) -> Sample:
    number = next(_numbers)
    return Sample(
        {"name": f"alias/sample-{number}", "targetKeyId": world.key()},
        {"targetKeyId": world.key()},
        {"name": f"alias/other-{number}"},
    )


def role(world: World) -> Sample:
    return Sample(
        {
            "path": "/sluice/",
            "assumeRolePolicy": policy(service="sagemaker.amazonaws.com", action="sts:AssumeRole"),
            "description": "a role",
            "maxSessionDuration": 7200,
            "permissionsBoundary": world.managed(),
            "tags": {"a": "b"},
        },
        {
            "assumeRolePolicy": policy(service="lambda.amazonaws.com", action="sts:AssumeRole"),
            "description": "another",
            "maxSessionDuration": 3600,
            "permissionsBoundary": world.managed(),
            "tags": {"c": "d"},
        },
        {"name": f"other-{next(_numbers)}", "path": "/other/"},
    )


def role_policy(world: World) -> Sample:
    return Sample(
        {"role": world.role().id, "policy": policy("*")},
        {"policy": policy("arn:aws:s3:::x/*")},
        {"role": world.role().id, "name": f"other-{next(_numbers)}"},
    )


def managed_policy(world: World) -> Sample:
    return Sample(
        {"policy": policy("*"), "path": "/sluice/", "description": "a policy", "tags": {"a": "b"}},
        {"policy": policy("arn:aws:s3:::x/*"), "tags": {"a": "c"}},
        {"name": f"other-{next(_numbers)}", "path": "/other/", "description": "another"},
    )


def role_policy_attachment(world: World) -> Sample:
    return Sample(
        {"role": world.role().id, "policyArn": world.managed()},
        replace={"role": world.role().id, "policyArn": world.managed()},
    )


def vpc(world: World) -> Sample:
    return Sample(
        {
            "cidrBlock": "10.1.0.0/16",
            "enableDnsSupport": True,
            "enableDnsHostnames": True,
            "tags": {"a": "b"},
        },
        {"enableDnsSupport": False, "enableDnsHostnames": False, "tags": {"a": "c"}},
        {"cidrBlock": "10.2.0.0/16", "instanceTenancy": "dedicated"},
    )


def subnet(world: World) -> Sample:
    return Sample(
        {
            "vpcId": world.vpc(),
            "cidrBlock": "10.0.1.0/24",
            "availabilityZone": "us-east-1a",
            "mapPublicIpOnLaunch": False,
            "tags": {"a": "b"},
        },
        {"mapPublicIpOnLaunch": True, "tags": {"a": "c"}},
        {"vpcId": world.vpc(), "cidrBlock": "10.0.2.0/24", "availabilityZone": "us-east-1b"},
        fixed={"availabilityZoneId": "excludes availabilityZone"},
    )


def gateway(world: World, network: str) -> str:
    """An internet gateway: the platform has none, but a route must lead somewhere."""
    api = world.client("ec2")
    id = api.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    api.attach_internet_gateway(InternetGatewayId=id, VpcId=network)
    return id


def route_table(world: World) -> Sample:
    network = world.vpc()
    out = gateway(world, network)
    return Sample(
        {"vpcId": network, "routes": [{"cidrBlock": "0.0.0.0/0", "gatewayId": out}], "tags": {"a": "b"}},
        {"routes": [{"cidrBlock": "8.8.8.8/32", "gatewayId": out}], "tags": {"a": "c"}},
        fixed={"vpcId": "the route's gateway belongs to it; the declaration alone is tested"},
    )


def route_table_association(world: World) -> Sample:
    network = world.vpc()
    return Sample(
        {"subnetId": world.subnet(network), "routeTableId": world.table(network)},
        {"routeTableId": world.table(network)},
        {"subnetId": world.subnet(network)},
    )


def vpc_endpoint(world: World) -> Sample:
    network = world.vpc()
    return Sample(
        {
            "vpcId": network,
            "serviceName": "com.amazonaws.us-east-1.sagemaker.api",
            "vpcEndpointType": "Interface",
            "policy": endpoint_policy("sagemaker:*"),
            "privateDnsEnabled": True,
            "subnetIds": [world.subnet(network), world.subnet(network)],
            "securityGroupIds": [world.group(network)],
            "tags": {"a": "b"},
        },
        {
            "policy": endpoint_policy("sagemaker:InvokeEndpoint"),
            "subnetIds": [world.subnet(network)],
            "securityGroupIds": [world.group(network)],
            "tags": {"a": "c"},
        },
        {"serviceName": "com.amazonaws.us-east-1.sts"},
        fixed={
            "vpcId": "the subnets belong to it",
            "vpcEndpointType": "subnets and groups are of an interface alone",
            "routeTableIds": "of a gateway; test_a_gateway_endpoint",
            "ipAddressType": "one value here",
            "privateDnsEnabled": "moto's ModifyVpcEndpoint does not keep it",
        },
    )


def flow_log(world: World) -> Sample:
    def group() -> str:
        return world.make("aws:cloudwatch/logGroup:LogGroup").state["arn"]

    network = world.vpc()
    return Sample(
        {
            "vpcId": network,
            "trafficType": "ALL",
            "logDestinationType": "cloud-watch-logs",
            "logDestination": group(),
            "iamRoleArn": world.role().state["arn"],
            "maxAggregationInterval": 600,
            "tags": {"a": "b"},
        },
        {"tags": {"a": "c"}},
        {
            "vpcId": world.vpc(),
            "trafficType": "REJECT",
            "logDestination": group(),
            "iamRoleArn": world.role().state["arn"],
            "maxAggregationInterval": 60,
        },
        fixed={
            "subnetId": "excludes vpcId",
            "logDestinationType": "the other kind goes to a bucket, and needs other properties",
        },
    )


def endpoint_policy(action: str) -> str:
    statement = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def security_group(world: World) -> Sample:
    def rule(port: int) -> dict[str, Any]:
        return {
            "protocol": "tcp",
            "fromPort": port,
            "toPort": port,
            "cidrBlocks": ["10.0.0.0/16"],
            "description": "x",
        }

    return Sample(
        {
            "vpcId": world.vpc(),
            "description": "a group",
            "ingress": [rule(443)],
            "egress": [rule(443)],
            "tags": {"a": "b"},
        },
        {"ingress": [rule(80), rule(443)], "egress": [rule(80)], "tags": {"a": "c"}},
        {"name": f"other-{next(_numbers)}", "description": "another", "vpcId": world.vpc()},
    )


def security_group_rule(world: World) -> Sample:
    network = world.vpc()
    return Sample(
        {
            "securityGroupId": world.group(network),
            "ipProtocol": "tcp",
            "fromPort": 443,
            "toPort": 443,
            "cidrIpv4": "10.0.0.0/16",
            "description": "a rule",
            "tags": {"a": "b"},
        },
        {
            "ipProtocol": "udp",
            "fromPort": 80,
            "toPort": 8080,
            "cidrIpv4": "10.1.0.0/16",
            "description": "other",
            "tags": {},
        },
        {"securityGroupId": world.group(network)},
        fixed={
            "cidrIpv6": "excludes cidrIpv4",
            "prefixListId": "excludes cidrIpv4",
            "referencedSecurityGroupId": "excludes cidrIpv4; test_a_rule_for_another_group",
        },
    )


def repository(world: World) -> Sample:
    return Sample(
        {
            "imageTagMutability": "IMMUTABLE",
            "imageScanningConfiguration": {"scanOnPush": True},
            "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": world.key()}],
            "tags": {"a": "b"},
        },
        {
            "imageTagMutability": "MUTABLE",
            "imageScanningConfiguration": {"scanOnPush": False},
            "tags": {"a": "c"},
        },
        {
            "name": f"other-{next(_numbers)}",
            "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": world.key()}],
        },
    )


def lifecycle_policy(world: World) -> Sample:
    def document(number: int) -> str:
        selection = {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": number}
        return json.dumps(
            {"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]}
        )

    return Sample(
        {"repository": world.repository(), "policy": document(5)},
        {"policy": document(6)},
        {"repository": world.repository()},
    )


def topic(world: World) -> Sample:
    name = f"sample-{next(_numbers)}"

    def document(action: str) -> str:
        arn = f"arn:aws:sns:us-east-1:{ACCOUNT}:{name}"
        return policy(arn, service="cloudwatch.amazonaws.com", action=action)

    def delivery(retries: int) -> str:
        return json.dumps({"http": {"defaultHealthyRetryPolicy": {"numRetries": retries}}})

    return Sample(
        {
            "name": name,
            "displayName": "sample",
            "kmsMasterKeyId": world.key(),
            "policy": document("sns:Publish"),
            "deliveryPolicy": delivery(3),
            "tags": {"a": "b"},
        },
        {
            "displayName": "other",
            "kmsMasterKeyId": world.key(),
            "policy": document("sns:Subscribe"),
            "deliveryPolicy": delivery(4),
            "tags": {"a": "c"},
        },
        {"name": f"other-{next(_numbers)}"},
    )


def topic_policy(world: World) -> Sample:
    arn = world.topic()
    return Sample(
        {"arn": arn, "policy": policy(arn, service="cloudwatch.amazonaws.com", action="sns:Publish")},
        {"policy": policy(arn, service="events.amazonaws.com", action="sns:Publish")},
        {"arn": world.topic()},
    )


def metric_alarm(world: World) -> Sample:
    return Sample(
        {
            "comparisonOperator": "GreaterThanThreshold",
            "evaluationPeriods": 2,
            "datapointsToAlarm": 1,
            "metricName": "ModelLatency",
            "namespace": "AWS/SageMaker",
            "period": 60,
            "extendedStatistic": "p99",
            "threshold": 0.5,
            "alarmDescription": "too slow",
            "alarmActions": [world.topic()],
            "okActions": [world.topic()],
            "insufficientDataActions": [world.topic()],
            "dimensions": {"EndpointName": "x", "VariantName": "AllTraffic"},
            "treatMissingData": "notBreaching",
            "evaluateLowSampleCountPercentiles": "ignore",
            "unit": "Microseconds",
            "tags": {"a": "b"},
        },
        {
            "comparisonOperator": "LessThanThreshold",
            "evaluationPeriods": 3,
            "datapointsToAlarm": 2,
            "metricName": "OverheadLatency",
            "namespace": "Sluice/Release",
            "period": 120,
            "extendedStatistic": "p90",
            "threshold": 2,
            "alarmDescription": "other",
            "alarmActions": [world.topic()],
            "okActions": [world.topic()],
            "insufficientDataActions": [],
            "dimensions": {"EndpointName": "y"},
            "treatMissingData": "breaching",
            "evaluateLowSampleCountPercentiles": "evaluate",
            "unit": "Seconds",
            "actionsEnabled": False,
            "tags": {"a": "c"},
        },
        {"name": f"other-{next(_numbers)}"},
        fixed={
            "statistic": "excludes extendedStatistic; test_an_alarm_on_metric_queries",
            "metricQueries": "excludes metricName; test_an_alarm_on_metric_queries",
            "thresholdMetricId": "excludes threshold",
        },
    )


def dashboard(world: World) -> Sample:
    def body(text: str) -> str:
        properties = {"markdown": text}
        widget = {"type": "text", "x": 0, "y": 0, "width": 6, "height": 6, "properties": properties}
        return json.dumps({"widgets": [widget]})

    return Sample(
        {"dashboardName": f"sample-{next(_numbers)}", "dashboardBody": body("hello")},
        {"dashboardBody": body("bye")},
        {"dashboardName": f"other-{next(_numbers)}"},
    )


def log_group(world: World) -> Sample:
    return Sample(
        {"retentionInDays": 30, "kmsKeyId": world.key(), "tags": {"a": "b"}},
        {"retentionInDays": 0, "tags": {"a": "c"}},
        {"name": f"other-{next(_numbers)}"},
        fixed={
            "kmsKeyId": "the emulator has no AssociateKmsKey",
            "logGroupClass": "moto keeps no class; AWS alone can show it",
        },
    )


def model(world: World) -> Sample:
    network = world.vpc()

    def container(tag: str) -> dict[str, Any]:
        return {"image": world.image, "environment": {"SLUICE_WORKLOAD": tag}}

    network_config = {"subnets": [world.subnet(network)], "securityGroupIds": [world.group(network)]}
    return Sample(
        {
            "executionRoleArn": world.role().state["arn"],
            "primaryContainer": container("a"),
            "enableNetworkIsolation": True,
            "vpcConfig": network_config,
            "tags": {"a": "b"},
        },
        {"tags": {"a": "c"}},
        {
            "name": f"other-{next(_numbers)}",
            "executionRoleArn": world.role().state["arn"],
            "primaryContainer": container("b"),
            "enableNetworkIsolation": False,
            "vpcConfig": {**network_config, "subnets": [world.subnet(network)]},
        },
        fixed={
            "containers": "excludes primaryContainer",
            "inferenceExecutionConfig": "of several containers alone",
        },
    )


def model_package_group(world: World) -> Sample:
    return Sample(
        {
            "modelPackageGroupName": f"sample-{next(_numbers)}",
            "modelPackageGroupDescription": "a group",
            "tags": {"a": "b"},
        },
        {"tags": {"a": "c"}},
        {"modelPackageGroupName": f"other-{next(_numbers)}", "modelPackageGroupDescription": "another"},
    )


def pipeline(world: World) -> Sample:
    def definition(text: str) -> str:
        step = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": text}}
        return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": [step]})

    number = next(_numbers)
    return Sample(
        {
            "pipelineName": f"sample-{number}",
            "pipelineDisplayName": f"sample-{number}",
            "pipelineDescription": "a pipeline",
            "pipelineDefinition": definition("one"),
            "roleArn": world.role().state["arn"],
            "parallelismConfiguration": {"maxParallelExecutionSteps": 2},
            "tags": {"a": "b"},
        },
        {
            "pipelineDisplayName": f"other-{number}",
            "pipelineDescription": "another",
            "pipelineDefinition": definition("two"),
            "roleArn": world.role().state["arn"],
            "parallelismConfiguration": {"maxParallelExecutionSteps": 3},
            "tags": {"a": "c"},
        },
        {"pipelineName": f"other-{number}"},
    )


def where(resource: str) -> dict[str, Any]:
    return {
        "resourceId": resource,
        "scalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "serviceNamespace": "sagemaker",
    }


_ONE_KIND = "a variant has one kind of scaling here"
_ONE_PLACE = {"scalableDimension": _ONE_KIND, "serviceNamespace": _ONE_KIND}


def scaling_target(world: World) -> Sample:
    suspended = {"dynamicScalingInSuspended": True}
    return Sample(
        {
            **where(world.endpoint(1)),
            "minCapacity": 2,
            "maxCapacity": 4,
            "suspendedState": {"dynamicScalingInSuspended": False},
            "tags": {"a": "b"},
        },
        {"minCapacity": 3, "maxCapacity": 5, "suspendedState": suspended, "tags": {"a": "c"}},
        {"resourceId": world.endpoint(2)},
        fixed={**_ONE_PLACE, "roleArn": "SageMaker uses its service-linked role"},
    )


def _target(world: World, number: int) -> str:
    """A target on an endpoint other than the one whose target comes and goes."""
    inputs = where(world.endpoint(number))
    return world.make("aws:appautoscaling/target:Target", **inputs, minCapacity=1, maxCapacity=2).id


def scaling_policy(world: World) -> Sample:
    def tracking(target: float) -> dict[str, Any]:
        metric = {"predefinedMetricType": "SageMakerVariantConcurrentRequestsPerModelHighResolution"}
        return {
            "targetValue": target,
            "predefinedMetricSpecification": metric,
            "scaleInCooldown": 300,
            "scaleOutCooldown": 10,
            "disableScaleIn": False,
        }

    return Sample(
        {
            **where(_target(world, 3)),
            "policyType": "TargetTrackingScaling",
            "targetTrackingScalingPolicyConfiguration": tracking(5),
        },
        {"targetTrackingScalingPolicyConfiguration": tracking(7.5)},
        {"resourceId": _target(world, 4), "name": f"other-{next(_numbers)}"},
        fixed={
            **_ONE_PLACE,
            "policyType": "goes with the configuration; test_a_step_scaling_policy",
            "stepScalingPolicyConfiguration": "test_a_step_scaling_policy",
        },
    )


def scheduled_action(world: World) -> Sample:
    return Sample(
        {
            **where(_target(world, 3)),
            "schedule": "cron(0 6 * * ? *)",
            "scalableTargetAction": {"minCapacity": 2, "maxCapacity": 4},
            "startTime": "2030-01-01T00:00:00Z",
            "endTime": "2031-01-01T00:00:00Z",
            "timezone": "Europe/Berlin",
        },
        {
            "schedule": "cron(0 7 * * ? *)",
            "scalableTargetAction": {"minCapacity": 3, "maxCapacity": 4},
            "startTime": "2030-02-01T00:00:00Z",
            "endTime": "2031-02-01T00:00:00Z",
            "timezone": "UTC",
        },
        {"resourceId": _target(world, 4), "name": f"other-{next(_numbers)}"},
        fixed=_ONE_PLACE,
    )


def function(world: World) -> Sample:
    network = world.vpc()

    def settings(word: str) -> dict[str, Any]:
        return {
            "environment": {"variables": {"WORD": word}},
            "imageConfig": {
                "entryPoints": ["python"],
                "commands": [word],
                "workingDirectory": "/opt/program",
            },
            "kmsKeyArn": world.key(),
            "role": world.function_role(),
            "vpcConfig": {
                "subnetIds": [world.subnet(network)],
                "securityGroupIds": [world.group(network)],
            },
        }

    number = next(_numbers)
    tag = world.image.partition("@")[0]
    return Sample(
        {
            "name": f"sample-{number}",
            "packageType": "Image",
            "imageUri": world.image,
            "description": "one",
            "timeout": 30,
            "memorySize": 256,
            "reservedConcurrentExecutions": 1,
            **settings("one"),
            "tags": {"a": "b"},
        },
        {
            "imageUri": f"{tag}:{world.tag(tag)}",
            "description": "two",
            "timeout": 40,
            "memorySize": 512,
            "reservedConcurrentExecutions": 2,
            **settings("two"),
            "tags": {"a": "c"},
        },
        {"name": f"other-{number}"},
        fixed={"packageType": "a function here is an image"},
    )


def permission(world: World) -> Sample:
    number = next(_numbers)
    name, other = world.function().id, world.function().id
    rules = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/"
    return Sample(
        {
            "statementId": f"sample-{number}",
            "function": name,
            "action": "lambda:InvokeFunction",
            "principal": "events.amazonaws.com",
            "sourceArn": f"{rules}one",
            "sourceAccount": ACCOUNT,
        },
        replace={
            "statementId": f"other-{number}",
            "function": other,
            "action": "lambda:GetFunction",
            "principal": "scheduler.amazonaws.com",
            "sourceArn": f"{rules}two",
            "sourceAccount": "210987654321",
        },
    )


def event_rule(world: World) -> Sample:
    number = next(_numbers)
    return Sample(
        {
            "name": f"sample-{number}",
            "description": "one",
            "eventPattern": json.dumps({"source": ["one"]}),
            "scheduleExpression": "rate(5 minutes)",
            "state": "ENABLED",
            "tags": {"a": "b"},
        },
        {
            "description": "two",
            "eventPattern": json.dumps({"source": ["two"]}),
            "scheduleExpression": "cron(0 6 * * ? *)",
            "state": "DISABLED",
            "tags": {"a": "c"},
        },
        {"name": f"other-{number}", "eventBusName": world.bus()},
        along={"eventBusName": {"scheduleExpression": None}},
    )


def event_target(world: World) -> Sample:
    number, bus = next(_numbers), world.bus()

    def settings(word: str, attempts: int) -> dict[str, Any]:
        return {
            "arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{word}",
            "roleArn": f"arn:aws:iam::{ACCOUNT}:role/{word}",
            "input": json.dumps({"word": word}),
            "deadLetterConfig": {"arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{word}"},
            "retryPolicy": {"maximumEventAgeInSeconds": 60 * attempts, "maximumRetryAttempts": attempts},
        }

    return Sample(
        {"rule": world.rule(), "targetId": f"sample-{number}", **settings("one", 1)},
        settings("two", 2),
        {"rule": world.rule(), "targetId": f"other-{number}", "eventBusName": bus},
        along={"eventBusName": {"rule": world.rule(eventBusName=bus)}},
    )


SAMPLES: Mapping[str, Callable[[World], Sample]] = {
    "aws:s3/bucket:Bucket": bucket,
    "aws:s3/bucketVersioning:BucketVersioning": bucket_versioning,
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": bucket_encryption,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": bucket_public_access_block,
    "aws:s3/bucketPolicy:BucketPolicy": bucket_policy,
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": bucket_ownership,
    "aws:s3/bucketLogging:BucketLogging": bucket_logging,
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": bucket_lock,
    "aws:s3/bucketNotification:BucketNotification": bucket_notification,
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": bucket_lifecycle,
    "aws:kms/key:Key": key,
    "aws:kms/alias:Alias": alias,
    "aws:iam/role:Role": role,
    "aws:iam/rolePolicy:RolePolicy": role_policy,
    "aws:iam/policy:Policy": managed_policy,
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": role_policy_attachment,
    "aws:ec2/vpc:Vpc": vpc,
    "aws:ec2/subnet:Subnet": subnet,
    "aws:ec2/routeTable:RouteTable": route_table,
    "aws:ec2/routeTableAssociation:RouteTableAssociation": route_table_association,
    "aws:ec2/vpcEndpoint:VpcEndpoint": vpc_endpoint,
    "aws:ec2/flowLog:FlowLog": flow_log,
    "aws:ec2/securityGroup:SecurityGroup": security_group,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": security_group_rule,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": security_group_rule,
    "aws:ecr/repository:Repository": repository,
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": lifecycle_policy,
    "aws:sns/topic:Topic": topic,
    "aws:sns/topicPolicy:TopicPolicy": topic_policy,
    "aws:cloudwatch/metricAlarm:MetricAlarm": metric_alarm,
    "aws:cloudwatch/dashboard:Dashboard": dashboard,
    "aws:cloudwatch/logGroup:LogGroup": log_group,
    "aws:sagemaker/model:Model": model,
    "aws:sagemaker/modelPackageGroup:ModelPackageGroup": model_package_group,
    "aws:sagemaker/pipeline:Pipeline": pipeline,
    "aws:appautoscaling/target:Target": scaling_target,
    "aws:appautoscaling/policy:Policy": scaling_policy,
    "aws:appautoscaling/scheduledAction:ScheduledAction": scheduled_action,
    "aws:lambda/function:Function": function,
    "aws:lambda/permission:Permission": permission,
    "aws:cloudwatch/eventRule:EventRule": event_rule,
    "aws:cloudwatch/eventTarget:EventTarget": event_target,
}
