"""What the table cannot say: properties that exclude others, deletion, defaults, previews, configuration."""

import json
import os
import subprocess

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, status_pb2

from emulator.provider.fields import Field, changes, reconciled, unmapped
from emulator.provider.install import install
from emulator.provider.policy import same_policy
from emulator.provider.provider import AwsProvider, environment
from sluice.provider import UNKNOWN, Context
from sluice.provider.values import decode, encode
from tests.emulator.provider.conftest import DEFAULT_TAGS, urn
from tests.emulator.provider.samples import World, policy

BUCKET = "aws:s3/bucket:Bucket"


@pytest.fixture(scope="module")
def world(engine, emulator):
    return World(engine, emulator.client, "no image")


def test_an_automatic_name_is_kept_and_a_given_one_replaces(engine):
    made = engine.create(BUCKET, "My-Data", {})
    assert made.id.startswith("my-data-")
    assert len(made.id) == len("my-data-1234567")
    assert engine.diff(made, {}) == {}
    assert engine.diff(made, {"bucket": "given-name"}) == {"bucket": "UPDATE_REPLACE"}
    engine.delete(made)


def test_a_bucket_prefix_makes_a_unique_name(engine):
    one = engine.create(BUCKET, "prefixed", {"bucketPrefix": "logs-"})
    other = engine.create(BUCKET, "prefixed", {"bucketPrefix": "logs-"})
    assert one.id != other.id
    assert one.id.startswith("logs-")
    assert engine.diff(engine.read(one), {"bucketPrefix": "logs-"}) == {}
    assert "UPDATE_REPLACE" in engine.diff(one, {"bucketPrefix": "other-"}).values()
    engine.delete(one)
    engine.delete(other)


def test_a_full_bucket_is_not_deleted_unless_forced(engine, emulator):
    s3 = emulator.client("s3")
    made = engine.create(BUCKET, "full", {})
    s3.put_bucket_versioning(Bucket=made.id, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket=made.id, Key="a", Body=body)
    s3.delete_object(Bucket=made.id, Key="a")
    with pytest.raises(grpc.RpcError, match=r"BucketNotEmpty: .* \(DeleteBucket\)"):
        engine.delete(made)
    forced = engine.update(made, {"forceDestroy": True})
    assert forced.state["forceDestroy"] is True
    engine.delete(forced)
    assert engine.read(forced) is None


def test_deprecated_inline_settings_of_a_bucket_are_refused(engine):
    answer = engine.check(BUCKET, "inline", {"versioning": {"enabled": True}, "acl": "private"})
    assert {item.property for item in answer.failures} == {"versioning", "acl"}


def test_a_nested_unmapped_property_is_named_by_its_path(engine):
    token = "aws:cloudwatch/metricAlarm:MetricAlarm"
    query = {"id": "a", "metric": {"metricName": "m", "period": 10, "stat": "Sum", "strange": 1}}
    inputs = {"comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 1, "metricQueries": [query]}
    answer = engine.check(token, "nested", inputs)
    assert [item.property for item in answer.failures] == ["metricQueries[0].metric.strange"]


def test_botocore_judges_every_call(engine):
    with pytest.raises(grpc.RpcError, match="Invalid type for parameter EvaluationPeriods"):
        engine.create(
            "aws:cloudwatch/metricAlarm:MetricAlarm",
            "wrong",
            {"comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": "two"},
        )


def test_an_alarm_on_metric_queries(engine):
    token = "aws:cloudwatch/metricAlarm:MetricAlarm"
    metric = {"metricName": "Invocations", "namespace": "AWS/SageMaker", "period": 60, "stat": "Sum"}
    inputs = {
        "comparisonOperator": "GreaterThanThreshold",
        "evaluationPeriods": 1,
        "threshold": 1,
        "metricQueries": [
            {"id": "rate", "expression": "a / 60", "label": "rate", "returnData": True},
            {"id": "a", "metric": {**metric, "dimensions": {"EndpointName": "x", "VariantName": "y"}}},
        ],
    }
    made = engine.create(token, "math", inputs)
    found = engine.read(made)
    assert found.inputs == made.inputs
    assert engine.diff(found, {**inputs, "metricQueries": inputs["metricQueries"][::-1]}) == {}
    other = json.loads(json.dumps(inputs))
    other["metricQueries"][1]["metric"]["stat"] = "Average"
    assert engine.diff(found, other) == {"metricQueries[1].metric.stat": "UPDATE"}
    engine.delete(made)


def test_an_alarm_on_a_statistic(engine):
    inputs = {
        "comparisonOperator": "GreaterThanThreshold",
        "evaluationPeriods": 1,
        "threshold": 0,
        "metricName": "m",
        "namespace": "n",
        "period": 10,
        "statistic": "Sum",
    }
    made = engine.create("aws:cloudwatch/metricAlarm:MetricAlarm", "plain", inputs)
    assert engine.diff(engine.read(made), inputs) == {}
    assert engine.diff(made, {**inputs, "statistic": "Average"}) == {"statistic": "UPDATE"}
    engine.delete(made)


def test_a_gateway_endpoint(engine, world):
    network = world.vpc()
    tables = [world.table(network), world.table(network)]
    inputs = {"vpcId": network, "serviceName": "com.amazonaws.us-east-1.s3", "routeTableIds": tables}
    made = engine.create("aws:ec2/vpcEndpoint:VpcEndpoint", "gateway", inputs)
    found = engine.read(made)
    assert engine.diff(found, {**inputs, "routeTableIds": tables[::-1]}) == {}
    assert found.state["prefixListId"].startswith("pl-")
    fewer = engine.update(made, {**inputs, "routeTableIds": tables[:1]})
    assert engine.read(fewer).inputs["routeTableIds"] == tables[:1]
    # The route that the endpoint adds is none of the table's own.
    table = engine.imported("aws:ec2/routeTable:RouteTable", "t", tables[0])
    assert table.state["routes"] == []
    engine.delete(fewer)


def test_a_rule_for_another_group(engine, world):
    network = world.vpc()
    one, other = world.group(network), world.group(network)
    inputs = {"securityGroupId": one, "ipProtocol": "-1", "referencedSecurityGroupId": other}
    made = engine.create("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "rule", inputs)
    assert engine.diff(engine.read(made), inputs) == {}
    answer = engine.check(made.token, "two", {**inputs, "cidrIpv4": "10.0.0.0/8"})
    assert "exactly one of" in answer.failures[0].reason
    engine.delete(made)


def test_a_new_security_group_lets_nothing_out(engine, world, emulator):
    id = world.group(world.vpc())
    group = emulator.client("ec2").describe_security_groups(GroupIds=[id])["SecurityGroups"][0]
    assert group["IpPermissionsEgress"] == []


def test_a_role_deletes_its_inline_policies_and_managed_ones_only_by_force(engine, world, emulator):
    iam = emulator.client("iam")
    role = world.role()
    iam.put_role_policy(RoleName=role.id, PolicyName="extra", PolicyDocument=policy("*"))
    iam.attach_role_policy(RoleName=role.id, PolicyArn=world.managed())
    with pytest.raises(grpc.RpcError, match="DeleteConflict"):
        engine.delete(role)
    forced = engine.update(
        role, {"assumeRolePolicy": role.inputs["assumeRolePolicy"], "forceDetachPolicies": True}
    )
    engine.delete(forced)
    assert engine.read(role) is None


def test_a_policy_keeps_five_versions_through_many_changes(engine, world):
    token = "aws:iam/policy:Policy"
    made = engine.create(token, "versions", {"policy": policy("*")})
    for number in range(7):
        made = engine.update(made, {"policy": policy(f"arn:aws:s3:::b{number}/*")})
    assert engine.diff(engine.read(made), {"policy": policy("arn:aws:s3:::b6/*")}) == {}
    engine.delete(made)
    assert engine.read(made) is None


def test_a_key_waits_for_its_deletion_as_long_as_it_says(engine, emulator):
    made = engine.create("aws:kms/key:Key", "short", {"deletionWindowInDays": 7})
    engine.delete(made)
    key = emulator.client("kms").describe_key(KeyId=made.id)["KeyMetadata"]
    assert key["KeyState"] == "PendingDeletion"
    assert key["PendingDeletionWindowInDays" if "PendingDeletionWindowInDays" in key else "DeletionDate"]


def test_an_alias_sees_one_key_in_its_arn_and_its_id(engine, world):
    arn = world.key()
    made = engine.create("aws:kms/alias:Alias", "one-key", {"targetKeyId": arn})
    assert made.id.startswith("alias/one-key-")
    assert engine.diff(made, {"targetKeyId": arn.rpartition("/")[2]}) == {}
    assert engine.check(made.token, "bad", {"name": "x", "targetKeyId": arn}).failures[0].property == "name"
    engine.delete(made)


def test_default_tags_are_applied_and_their_change_shows(engine, emulator):
    made = engine.create(BUCKET, "tagged", {"tags": {"common": "own"}})
    tags = emulator.client("s3").get_bucket_tagging(Bucket=made.id)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {**DEFAULT_TAGS, "common": "own"}
    emulator.client("s3").put_bucket_tagging(Bucket=made.id, Tagging={"TagSet": [{"Key": "x", "Value": "y"}]})
    drifted = engine.read(made)
    assert drifted.inputs["tags"] == {"x": "y"}
    back = engine.update(drifted, {"tags": {"common": "own"}})
    assert back.state["tagsAll"] == {**DEFAULT_TAGS, "common": "own"}
    engine.delete(back)


def test_a_lost_default_tag_shows(engine, emulator):
    made = engine.create(BUCKET, "lost", {})
    emulator.client("s3").delete_bucket_tagging(Bucket=made.id)
    assert engine.diff(engine.read(made), {}) == {"tagsAll": "UPDATE"}
    engine.delete(made)


def test_a_preview_knows_what_it_can(engine):
    shown = engine.preview(BUCKET, "preview", {"tags": {"a": "b"}})
    assert shown["arn"] is UNKNOWN
    assert shown["bucket"].startswith("preview-")
    assert shown["tagsAll"] == {**DEFAULT_TAGS, "a": "b"}
    assert shown["forceDestroy"] is False


def test_unknown_inputs_pass_the_check_and_show_in_the_diff(engine, world):
    token = "aws:iam/rolePolicy:RolePolicy"
    inputs = {"role": UNKNOWN, "policy": UNKNOWN}
    assert engine.preview(token, "unknown", inputs)["policy"] is UNKNOWN
    made = engine.create(token, "known", {"role": world.role().id, "policy": policy("*")})
    assert engine.diff(made, inputs) == {"role": "UPDATE_REPLACE", "policy": "UPDATE"}
    group = {"ipProtocol": "tcp", "securityGroupId": UNKNOWN, "referencedSecurityGroupId": UNKNOWN}
    assert not engine.check("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "r", group).failures
    engine.delete(made)


def test_secrets_stay_secret_through_a_creation(engine):
    token = "aws:cloudwatch/dashboard:Dashboard"
    inputs = {"dashboardName": "secret", "dashboardBody": '{"widgets": []}'}
    request = provider_pb2.CreateRequest(urn=urn(token, "s"), properties=encode(inputs, {("dashboardBody",)}))
    state, secrets = decode(engine.stub.Create(request).properties)
    assert state["dashboardBody"] == inputs["dashboardBody"]
    assert ("dashboardBody",) in secrets


def test_a_creation_that_fails_half_way_is_in_the_state(engine):
    """CreateVpc goes through, ModifyVpcAttribute does not."""
    token = "aws:ec2/vpc:Vpc"
    with pytest.raises(grpc.RpcError, match="Invalid type for parameter EnableDnsHostnames") as caught:
        engine.create(token, "half", {"cidrBlock": "10.9.0.0/16", "enableDnsHostnames": "perhaps"})
    metadata = dict(caught.value.trailing_metadata())
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status_pb2.Status.FromString(metadata["grpc-status-details-bin"]).details[0].Unpack(detail)
    half = engine.imported(token, "half", detail.id)
    assert half.state["cidrBlock"] == "10.9.0.0/16"
    mended = engine.update(half, {"cidrBlock": "10.9.0.0/16", "enableDnsHostnames": True})
    assert mended.state["enableDnsHostnames"] is True
    engine.delete(mended)


def test_the_invokes(engine, emulator):
    identity = engine.invoke("aws:index/getCallerIdentity:getCallerIdentity")
    assert identity["accountId"] == "123456789012"
    assert engine.invoke("aws:index/getRegion:getRegion")["region"] == "us-east-1"
    assert engine.invoke("aws:index/getPartition:getPartition")["dnsSuffix"] == "amazonaws.com"
    zones = engine.invoke("aws:index/getAvailabilityZones:getAvailabilityZones", state="available")
    assert zones["names"][:3] == ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert len(zones["zoneIds"]) == len(zones["names"])
    with pytest.raises(grpc.RpcError, match="does not map the argument 'strange'"):
        engine.invoke("aws:index/getRegion:getRegion", strange=1)


def test_the_configuration_is_checked():
    provider, context = AwsProvider(), Context()
    good = {"region": "us-east-1", "defaultTags": {"tags": {}}, "endpoints": [], "version": "7.51.1"}
    assert provider.check_config(context, good) == []
    failures = provider.check_config(context, {"assumeRoles": [], "defaultTags": {"tag": {}}})
    assert [item.property for item in failures] == ["assumeRoles", "defaultTags"]


def test_the_configuration_becomes_the_environment_of_boto3():
    config = {"region": "eu-central-1", "endpoints": [{"s3": "http://x:1", "appautoscaling": "http://x:2"}]}
    assert environment(config) == {
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL_S3": "http://x:1",
        "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING": "http://x:2",
    }


def test_the_installed_plugin_serves(tmp_path):
    path = install(tmp_path / "bin")
    assert install(tmp_path / "bin") == path
    plugin = subprocess.Popen(
        [path], stdout=subprocess.PIPE, env={**os.environ, "HOME": str(tmp_path)}, cwd=tmp_path
    )
    try:
        assert plugin.stdout.readline().strip().isdigit()
    finally:
        plugin.terminate()
        assert plugin.wait(timeout=180) == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"Action": "a"}, {"Action": ["a"]}, True),
        ({"Action": ["a", "b"]}, {"Action": ["b", "a"]}, True),
        ({"Action": "a"}, {"Action": "b"}, False),
        ({"Condition": {"Bool": {"x": True}}}, {"Condition": {"Bool": {"x": "true"}}}, True),
        ({"Principal": {"AWS": ["p"]}}, {"Principal": {"AWS": "p"}}, True),
        ({"Principal": {"AWS": "p"}}, {"Principal": {"Service": "p"}}, False),
    ],
)
def test_policies_are_compared_as_iam_reads_them(one, other, same):
    texts = [json.dumps({"Version": "2012-10-17", "Statement": [item]}) for item in (one, other)]
    assert same_policy(*texts) is same
    assert same_policy(texts[0], texts[0].replace("2012", "2008")) is False
    assert same_policy("no json", "no json")


FIELDS = {
    "plain": Field(),
    "size": Field(default=5),
    "chosen": Field(computed=True),
    "members": Field(unordered=True, fields={"a": Field(), "b": Field(default=1)}),
}


@pytest.mark.parametrize(
    ("old", "live", "expected"),
    [
        ({}, {"size": 5, "chosen": "x"}, {}),
        ({}, {"size": 6, "plain": "p"}, {"size": 6, "plain": "p"}),
        ({"chosen": "x"}, {"chosen": "y"}, {"chosen": "y"}),
        ({"plain": "p"}, {}, {}),
        ({"size": 5}, {"size": 5}, {"size": 5}),
        ({"members": [{"a": 1}, {"a": 2}]}, {"members": [{"a": 2, "b": 1}, {"a": 1, "b": 1}]}, None),
        (
            {"members": [{"a": 1}]},
            {"members": [{"a": 1, "b": 1}, {"a": 3, "b": 2}]},
            {"members": [{"a": 1}, {"a": 3, "b": 2}]},
        ),
    ],
)
def test_inputs_are_read_back_in_the_programs_words(old, live, expected):
    assert reconciled(FIELDS, old, live) == (old if expected is None else expected)


def test_absence_is_the_default_and_no_opinion_where_aws_chooses():
    assert changes(FIELDS, {"size": 5}, {}) == ()
    assert changes(FIELDS, {"chosen": "x"}, {}) == ()
    assert [change.path for change in changes(FIELDS, {}, {"chosen": "x"})] == [("chosen",)]
    assert list(unmapped(FIELDS, {"members": [{"c": 1}], "x": None})) == [("members", 0, "c")]
