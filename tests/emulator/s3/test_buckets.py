"""S3 refuses what AWS refuses."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.inprocess import World

BUCKET = "a-bucket"
WHERE = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]


def made(world: World) -> Any:
    client = world.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


def deny(action: str, **condition: Any) -> dict[str, Any]:
    return {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": action,
        "Resource": WHERE,
        "Condition": condition,
    }


def put(client: Any, *statements: dict[str, Any]) -> None:
    client.put_bucket_policy(
        Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements})
    )


def code(error: Any) -> str:
    return str(error.value.response["Error"]["Code"])


def test_the_policies_of_a_careful_platform_let_careful_calls_pass(world: World) -> None:
    client = made(world)
    key = world.client("kms").create_key()["KeyMetadata"]["Arn"]
    ec2 = world.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    service = "com.amazonaws.us-east-1.s3"
    endpoint = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service)["VpcEndpoint"]["VpcEndpointId"]
    encryption, key_id = "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id"
    put(
        client,
        deny("s3:*", Bool={"aws:SecureTransport": "false"}),
        deny("s3:*", NumericLessThan={"s3:TlsVersion": "1.2"}),
        deny("s3:*", StringNotEquals={"aws:SourceVpce": endpoint}),
        deny("s3:PutObject", StringNotEquals={encryption: "aws:kms"}, Null={encryption: "false"}),
        deny("s3:PutObject", StringNotEquals={key_id: key}, Null={key_id: "false"}),
    )
    client.put_object(Bucket=BUCKET, Key="plain", Body=b"x")
    client.put_object(Bucket=BUCKET, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    assert client.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"x"
    other = world.client("kms").create_key()["KeyMetadata"]["Arn"]
    for wrong in (
        {"ServerSideEncryption": "AES256"},
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": other},
    ):
        with pytest.raises(ClientError, match="explicit deny") as error:
            client.put_object(Bucket=BUCKET, Key="k", Body=b"x", **wrong)
        assert code(error) == "AccessDenied"


def test_a_call_from_elsewhere_is_denied_and_root_can_mend_it(world: World) -> None:
    client = made(world)
    client.put_object(Bucket=BUCKET, Key="k", Body=b"x")
    put(client, deny("s3:*", StringNotEquals={"aws:SourceVpce": "vpce-elsewhere"}))
    with pytest.raises(ClientError) as error:
        client.get_object(Bucket=BUCKET, Key="k")
    assert code(error) == "AccessDenied"
    with pytest.raises(ClientError):
        client.list_objects_v2(Bucket=BUCKET)
    assert (
        client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "k"}]})["Errors"][0]["Code"]
        == "AccessDenied"
    )
    client.delete_bucket_policy(Bucket=BUCKET)
    assert client.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"x"


def test_a_denied_role_is_denied_and_others_are_not(world: World) -> None:
    import boto3

    client = made(world)
    client.put_object(Bucket=BUCKET, Key="k", Body=b"x")
    role = world.client("iam").create_role(RoleName="jobs", Path="/sluice/", AssumeRolePolicyDocument="{}")[
        "Role"
    ]["Arn"]
    got = world.client("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    as_role = boto3.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id=got["AccessKeyId"],
        aws_secret_access_key=got["SecretAccessKey"],
        aws_session_token=got["SessionToken"],
    )
    put(client, deny("s3:GetObject", ArnEquals={"aws:PrincipalArn": role}))
    with pytest.raises(ClientError, match="assumed-role/jobs/session"):
        as_role.get_object(Bucket=BUCKET, Key="k")
    assert client.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"x"
    put(client, {"Effect": "Deny", "Principal": {"AWS": role}, "Action": "s3:*", "Resource": WHERE})
    with pytest.raises(ClientError, match="explicit deny"):
        as_role.list_objects_v2(Bucket=BUCKET)
    assert client.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1


def test_public_policies_are_blocked(world: World) -> None:
    client = made(world)
    allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": WHERE[1]}
    put(client, allow)
    block = {
        "BlockPublicPolicy": True,
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    client.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=block)
    with pytest.raises(ClientError, match="BlockPublicPolicy") as error:
        put(client, allow)
    assert code(error) == "AccessDenied"
    put(client, {**allow, "Principal": {"AWS": "arn:aws:iam::123456789012:root"}})


@pytest.mark.parametrize("resource", ["arn:aws:s3:::other/*", "arn:aws:s3:::a-bucket-too"])
def test_a_policy_about_another_bucket_is_refused(world: World, resource: str) -> None:
    client = made(world)
    with pytest.raises(ClientError, match="invalid resource") as error:
        put(client, {**deny("s3:*"), "Resource": resource})
    assert code(error) == "MalformedPolicy"


def test_default_encryption_is_the_buckets_key(world: World) -> None:
    client, kms = made(world), world.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/data", TargetKeyId=key)
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/data"}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]}
    client.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration=rules)
    client.put_object(Bucket=BUCKET, Key="k", Body=b"x")
    upload = client.create_multipart_upload(Bucket=BUCKET, Key="parts")["UploadId"]
    part = client.upload_part(Bucket=BUCKET, Key="parts", PartNumber=1, UploadId=upload, Body=b"x")["ETag"]
    client.complete_multipart_upload(
        Bucket=BUCKET,
        Key="parts",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]},
    )
    for name in ("k", "parts"):
        head = client.head_object(Bucket=BUCKET, Key=name)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
    client.put_object(Bucket=BUCKET, Key="k", Body=b"x", ServerSideEncryption="AES256")
    assert "SSEKMSKeyId" not in client.head_object(Bucket=BUCKET, Key="k")
    kms.disable_key(KeyId=key)
    with pytest.raises(ClientError, match="is disabled"):
        client.put_object(Bucket=BUCKET, Key="k", Body=b"x")
    with pytest.raises(ClientError, match="does not exist"):
        client.put_object(
            Bucket=BUCKET, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId="nothing"
        )


def test_retention_gets_only_longer(world: World) -> None:
    client = world.client("s3")
    client.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    default = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 2}}
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": default}
    client.put_object_lock_configuration(Bucket=BUCKET, ObjectLockConfiguration=configuration)
    version = client.put_object(Bucket=BUCKET, Key="k", Body=b"x")["VersionId"]
    first = client.get_object_retention(Bucket=BUCKET, Key="k")["Retention"]
    assert first["Mode"] == "COMPLIANCE" and first["RetainUntilDate"] > datetime.now(UTC) + timedelta(days=1)
    shorter = {"Mode": "COMPLIANCE", "RetainUntilDate": first["RetainUntilDate"] - timedelta(days=1)}
    weaker = {"Mode": "GOVERNANCE", "RetainUntilDate": first["RetainUntilDate"] + timedelta(days=1)}
    for wrong in (shorter, weaker):
        with pytest.raises(ClientError) as error:
            client.put_object_retention(Bucket=BUCKET, Key="k", Retention=wrong)
        assert code(error) == "AccessDenied"
    longer = {"Mode": "COMPLIANCE", "RetainUntilDate": first["RetainUntilDate"] + timedelta(days=1)}
    client.put_object_retention(Bucket=BUCKET, Key="k", Retention=longer)
    assert (
        client.get_object_retention(Bucket=BUCKET, Key="k")["Retention"]["RetainUntilDate"]
        > first["RetainUntilDate"]
    )
    with pytest.raises(ClientError):
        client.delete_object(Bucket=BUCKET, Key="k", VersionId=version)


def test_an_object_without_retention_says_so(world: World) -> None:
    client = world.client("s3")
    client.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    client.put_object(Bucket=BUCKET, Key="k", Body=b"x")
    with pytest.raises(ClientError) as error:
        client.get_object_retention(Bucket=BUCKET, Key="k")
    assert code(error) == "NoSuchObjectLockConfiguration"
