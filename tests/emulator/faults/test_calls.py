"""Calls that are throttled do nothing and say so as their service does; lost answers are of calls that were done."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.emulator.faults.conftest import InProcess
from tests.emulator.faults.running import Running

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    answer = error.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


@pytest.mark.parametrize(
    ("service", "action", "call", "status", "code"),
    [
        ("sagemaker", "ListModels", lambda c: c.list_models, 400, "ThrottlingException"),
        ("iam", "ListRoles", lambda c: c.list_roles, 400, "Throttling"),
        ("ec2", "DescribeVpcs", lambda c: c.describe_vpcs, 503, "RequestLimitExceeded"),
        ("lambda", "ListFunctions", lambda c: c.list_functions, 429, "TooManyRequestsException"),
        ("s3", "ListBuckets", lambda c: c.list_buckets, 503, "SlowDown"),
        ("cloudwatch", "ListMetrics", lambda c: c.list_metrics, 400, "ThrottlingException"),
        ("ssm", "DescribeParameters", lambda c: c.describe_parameters, 400, "ThrottlingException"),
    ],
)
def test_each_service_throttles_in_its_own_words(
    emulator: Any, running: Running, service: str, action: str, call: Any, status: int, code: str
) -> None:
    client = emulator.client(service)
    fault = running.inject("api", throttle=1, service=service, action=action)
    assert refused(call(client)) == (status, code)
    assert running.end(fault)["struck"] == 1
    call(client)()


def test_a_throttled_call_has_done_nothing_and_others_pass(emulator: Any, running: Running) -> None:
    iam = emulator.client("iam")
    fault = running.inject("api", throttle=0.5, service="iam", action="CreateRole")
    iam.create_role(RoleName="first", AssumeRolePolicyDocument=TRUST)
    assert refused(iam.create_role, RoleName="second", AssumeRolePolicyDocument=TRUST) == (400, "Throttling")
    iam.create_role(RoleName="third", AssumeRolePolicyDocument=TRUST)
    assert {"first", "third"} == {role["RoleName"] for role in iam.list_roles()["Roles"]} - {
        "patient",
        "lost",
    }
    ended = running.end(fault)
    assert (ended["seen"], ended["struck"]) == (3, 1)


def test_s3_is_known_by_its_actions(here: InProcess) -> None:
    s3 = here.client("s3")
    s3.create_bucket(Bucket="bucket")
    here.inject("api", throttle=1, service="s3", action="PutObject")
    assert refused(s3.put_object, Bucket="bucket", Key="k", Body=b"x") == (503, "SlowDown")
    assert s3.list_objects_v2(Bucket="bucket")["KeyCount"] == 0
    here.world.context.faults.end_all()
    s3.put_object(Bucket="bucket", Key="k", Body=b"x")
    assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == b"x"


def test_without_a_service_every_call_is_meant(here: InProcess) -> None:
    here.inject("api", throttle=1)
    assert refused(here.client("sqs").list_queues)[0] == 400
    assert refused(here.client("iam").list_roles) == (400, "Throttling")


def test_an_answer_that_is_lost_is_of_a_call_that_was_done(emulator: Any, running: Running) -> None:
    iam, s3 = emulator.client("iam"), emulator.client("s3")
    running.inject("api", lose=1, service="iam", action="CreateRole")
    running.inject("api", lose=1, service="s3", action="CreateBucket")
    with pytest.raises(ConnectionClosedError):
        iam.create_role(RoleName="lost", AssumeRolePolicyDocument=TRUST)
    with pytest.raises(ConnectionClosedError):
        s3.create_bucket(Bucket="lost")
    running.end_all()
    assert iam.get_role(RoleName="lost")["Role"]["RoleName"] == "lost"
    s3.head_bucket(Bucket="lost")


def test_a_client_that_repeats_gets_through(emulator: Any, running: Running) -> None:
    patient = emulator.client("iam", retries={"mode": "standard", "total_max_attempts": 3})
    fault = running.inject("api", throttle=0.5, service="iam", action="GetRole")
    running.inject("api", lose=1, service="iam", action="TagRole")
    patient.create_role(RoleName="patient", AssumeRolePolicyDocument=TRUST)
    for _ in range(4):
        patient.get_role(RoleName="patient")
    ended = running.end(fault)
    assert (ended["seen"], ended["struck"]) == (7, 3)


def test_the_emulator_itself_is_not_throttled(emulator: Any, running: Running, world: Any) -> None:
    """Fleets, captures and alarms work on while every call from outside is refused."""
    running.inject("api", throttle=1)
    assert refused(emulator.client("sts").get_caller_identity)[1] == "Throttling"
    running.end_all()
    world.config("calls-1")
    fault = running.inject("api", throttle=1, service="s3")
    world.endpoint("calls", "calls-1", Tags=[])
    world.invoke("calls")
    world.delete("calls")
    assert running.end(fault)["seen"] == 0
    assert len(world.captured("calls", "AllTraffic")) == 1
