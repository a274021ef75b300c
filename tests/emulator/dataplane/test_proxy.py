"""AWS clients reach the control process through the router as if it were AWS."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.emulator.conftest import Emulator


def test_health_and_ready_file(emulator: Emulator) -> None:
    ready = json.loads((emulator.root / "emulator.json").read_text())
    assert ready["pid"] == emulator.process.pid
    with urllib.request.urlopen(f"{emulator.endpoint_url}/_sluice/health") as answer:
        assert json.load(answer) == {"status": "ok", "boot_id": ready["boot_id"]}


def test_s3_bodies_pass_unchanged(emulator: Emulator) -> None:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="bodies")
    body = os.urandom(9_000_000)
    key = "a b/ü+%20=.bin"
    s3.put_object(Bucket="bodies", Key=key, Body=body, Metadata={"x": "1"})
    got = s3.get_object(Bucket="bodies", Key=key)
    assert hashlib.sha256(got["Body"].read()).digest() == hashlib.sha256(body).digest()
    head = s3.head_object(Bucket="bodies", Key=key)
    assert (head["ContentLength"], head["Metadata"]) == (9_000_000, {"x": "1"})
    s3.upload_fileobj(io.BytesIO(body), "bodies", "multipart")
    assert s3.head_object(Bucket="bodies", Key="multipart")["ContentLength"] == 9_000_000
    assert s3.get_object(Bucket="bodies", Key="multipart", Range="bytes=5-9")["Body"].read() == body[5:10]
    assert {row["Key"] for row in s3.list_objects_v2(Bucket="bodies")["Contents"]} == {key, "multipart"}


def test_compressed_bodies_stay_compressed(emulator: Emulator) -> None:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="compressed")
    body = gzip.compress(b"text" * 1000)
    s3.put_object(Bucket="compressed", Key="key", Body=body, ContentEncoding="gzip")
    got = s3.get_object(Bucket="compressed", Key="key")
    assert (got["Body"].read(), got["ContentEncoding"]) == (body, "gzip")
    cloudwatch = emulator.client("cloudwatch")
    now = time.time()
    data = [
        {
            "MetricName": "many",
            "Timestamp": now,
            "Value": 1.0,
            "Dimensions": [{"Name": "n", "Value": "x" * 200}],
        }
        for _ in range(200)
    ]
    cloudwatch.put_metric_data(
        Namespace="Compressed", MetricData=data
    )  # more than 10 KiB: boto3 compresses it
    points = cloudwatch.get_metric_statistics(
        Namespace="Compressed",
        MetricName="many",
        Dimensions=data[0]["Dimensions"],
        StartTime=now - 120,
        EndTime=now + 120,
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    assert sum(point["Sum"] for point in points) == 200


def test_s3_by_virtual_host(emulator: Emulator) -> None:
    emulator.client("s3").create_bucket(Bucket="hosted")
    request = urllib.request.Request(
        f"{emulator.endpoint_url}/key.txt",
        data=b"text",
        method="PUT",
        headers={"Host": "hosted.s3.amazonaws.com", "Content-Type": "text/plain"},
    )
    urllib.request.urlopen(request).close()
    assert emulator.client("s3").get_object(Bucket="hosted", Key="key.txt")["Body"].read() == b"text"


def test_errors_pass_and_what_is_missing_is_refused_at_once(emulator: Emulator) -> None:
    with pytest.raises(ClientError) as missing:
        emulator.client("s3").get_object(Bucket="bodies-not-there", Key="x")
    assert missing.value.response["Error"]["Code"] == "NoSuchBucket"
    with pytest.raises(ClientError) as unknown:
        emulator.client("sagemaker").create_inference_experiment(
            Name="x",
            Type="ShadowMode",
            RoleArn="arn:aws:iam::123456789012:role/role",
            EndpointName="e",
            ModelVariants=[
                {
                    "ModelName": "m",
                    "VariantName": "v",
                    "InfrastructureConfig": {
                        "InfrastructureType": "RealTimeInference",
                        "RealTimeInferenceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
                    },
                }
            ],
            ShadowModeConfig={
                "SourceModelVariantName": "v",
                "ShadowModelVariants": [{"ShadowModelVariantName": "w", "SamplingPercentage": 50}],
            },
        )
    assert unknown.value.response["Error"]["Code"] == "NotImplemented"


def test_the_command_line_works(emulator: Emulator) -> None:
    answer = subprocess.run(
        [str(Path(sys.executable).with_name("aws")), "sts", "get-caller-identity"],
        env={
            **os.environ,
            "AWS_ENDPOINT_URL": emulator.endpoint_url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        },
        capture_output=True,
        check=True,
    )
    assert json.loads(answer.stdout)["Account"] == "123456789012"


def test_settings_are_checked(emulator: Emulator) -> None:
    def put(values: object) -> int:
        request = urllib.request.Request(
            f"{emulator.endpoint_url}/_sluice/settings",
            data=json.dumps(values).encode(),
            method="PUT",
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    assert put({"provisioning_delay_seconds": 0.1}) == 200
    assert put({"provisioning_delay": 1}) == 400
    assert put({"provisioning_delay_seconds": "soon"}) == 400
