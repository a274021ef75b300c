"""The services in a running emulator: the threads tick, the data plane's route publishes, errors are clean."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.conftest import Emulator
from tests.emulator.tiny_image import until

DIMENSIONS = [{"Name": "EndpointName", "Value": "e"}]


def publish(emulator: Emulator, body: Any) -> int:
    request = urllib.request.Request(
        f"{emulator.endpoint_url}/_sluice/metrics",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=180) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_published_errors_raise_an_alarm_that_reaches_a_queue(emulator: Emulator) -> None:
    cloudwatch, sns, sqs = (emulator.client(name) for name in ("cloudwatch", "sns", "sqs"))
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:q")
    cloudwatch.put_metric_alarm(
        AlarmName="errors",
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=DIMENSIONS,
        Statistic="Sum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[topic],
    )
    datum = {"MetricName": "Invocation5XXErrors", "Dimensions": DIMENSIONS, "Values": [1.0], "Counts": [3.0]}
    body = {
        "namespace": "AWS/SageMaker",
        "data": [{**datum, "Timestamp": time.time(), "StorageResolution": 1}],
    }
    assert publish(emulator, body) == 200

    def raised() -> bool:
        found = cloudwatch.describe_alarms(AlarmNames=["errors"])["MetricAlarms"][0]
        return bool(found["StateValue"] == "ALARM")

    until(raised)
    (message,) = until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    assert json.loads(json.loads(message["Body"])["Message"])["NewStateValue"] == "ALARM"


@pytest.mark.parametrize("body", [{}, [], {"namespace": "N", "data": [{"MetricName": "m"}]}])
def test_wrong_data_is_a_400(emulator: Emulator, body: Any) -> None:
    assert publish(emulator, body) == 400


def test_nobody_publishes_for_aws(emulator: Emulator) -> None:
    with pytest.raises(ClientError) as error:
        emulator.client("cloudwatch").put_metric_data(
            Namespace="AWS/SageMaker", MetricData=[{"MetricName": "m", "Value": 1}]
        )
    assert error.value.response["Error"]["Code"] == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("cloudwatch", lambda client: client.describe_anomaly_detectors()),
        ("events", lambda client: client.list_endpoints()),
        ("ec2", lambda client: client.describe_verified_access_groups()),
        ("sns", lambda client: client.list_sms_sandbox_phone_numbers()),
        ("iam", lambda client: client.list_service_specific_credentials()),
        ("kms", lambda client: client.describe_custom_key_stores()),
        ("s3", lambda client: client.get_bucket_metrics_configuration(Bucket="none", Id="x")),
    ],
)
def test_what_is_not_there_is_a_clean_error_at_once(emulator: Emulator, service: str, call: Any) -> None:
    started = time.monotonic()
    client = emulator.client(service, retries={"total_max_attempts": 5, "mode": "standard"})
    with pytest.raises(ClientError) as error:
        call(client)
    assert "does not do" in str(error.value)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 501)
    assert error.value.response["ResponseMetadata"]["RetryAttempts"] == 0, time.monotonic() - started


def test_a_bucket_policy_decides_over_http(emulator: Emulator) -> None:
    client = emulator.client("s3")
    client.create_bucket(Bucket="a-bucket")
    client.put_object(Bucket="a-bucket", Key="k", Body=b"x")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::a-bucket", "arn:aws:s3:::a-bucket/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    client.put_bucket_policy(Bucket="a-bucket", Policy=json.dumps({"Statement": [statement]}))
    assert client.get_object(Bucket="a-bucket", Key="k")["Body"].read() == b"x"
    statement["Condition"] = {"Bool": {"aws:SecureTransport": "true"}}
    client.put_bucket_policy(Bucket="a-bucket", Policy=json.dumps({"Statement": [statement]}))
    with pytest.raises(ClientError, match="explicit deny"):
        client.get_object(Bucket="a-bucket", Key="k")
    client.delete_bucket_policy(Bucket="a-bucket")
