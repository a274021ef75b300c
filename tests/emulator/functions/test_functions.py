"""Lambda functions really run: answers, errors, timeouts, concurrency, rules, logs; and Lambda's own refusals."""

import base64
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.functions.conftest import World, trust
from tests.emulator.tiny_image import until


@pytest.fixture
def quick(world: World) -> Iterator[None]:
    """Retries come at once."""
    setting(world, function_retry_seconds=0.2)
    yield
    setting(world, function_retry_seconds=60.0)


def setting(world: World, **values: Any) -> None:
    request = urllib.request.Request(
        f"{world.emulator.endpoint_url}/_sluice/settings", data=json.dumps(values).encode(), method="PUT"
    )
    urllib.request.urlopen(request).close()


def refused(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_it_answers_in_its_environment_and_stays_warm(world: World) -> None:
    made = world.create("hello", Environment={"Variables": {"GREETING": "hi"}}, Tags={"a": "b"})
    answer, said = world.invoke("hello", {"x": 1}, LogType="Tail")
    assert answer["StatusCode"] == 200
    assert "FunctionError" not in answer
    assert said["event"] == {"x": 1}
    assert (said["greeting"], said["function"], said["count"]) == ("hi", "hello", 1)
    assert said["endpoint"] == world.emulator.endpoint_url
    assert said["key"] != "test", "the role's own credentials"
    assert 15 < said["left"] <= 20
    assert said["arn"] == made["Configuration"]["FunctionArn"]
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert 'handled {"x": 1}' in tail
    assert "REPORT RequestId" in tail
    _, again = world.invoke(made["Configuration"]["FunctionArn"], {})
    assert (again["pid"], again["count"]) == (said["pid"], 2)
    lines = until(lambda: found if len(found := world.log("hello")) >= 9 else None)
    assert [line.split()[0] for line in lines].count("START") == 2
    assert lines.count("cold start") == 1
    assert made["Tags"] == {"a": "b"}
    assert made["Code"]["ResolvedImageUri"] == world.image
    metrics = world.emulator.client("cloudwatch").list_metrics(Namespace="AWS/Lambda")["Metrics"]
    assert {metric["MetricName"] for metric in metrics} >= {"Invocations", "Errors", "Duration"}


def test_an_error_of_the_handler_is_the_answer(world: World) -> None:
    world.create("hello")
    answer, said = world.invoke("hello", {"fail": "no such thing"})
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    assert said == {"errorType": "ValueError", "errorMessage": "no such thing"}


def test_a_process_that_exits_is_an_error_and_the_next_one_is_new(world: World) -> None:
    world.create("hello")
    _, before = world.invoke("hello", {})
    answer, said = world.invoke("hello", {"exit": 3})
    assert answer["FunctionError"] == "Unhandled"
    assert said["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in said["errorMessage"]
    _, after = world.invoke("hello", {})
    assert after["pid"] != before["pid"]
    assert after["count"] == 1


def test_a_process_that_dies_at_its_start_says_so(world: World) -> None:
    world.create("stillborn", Environment={"Variables": {"WAY": "init"}})
    answer, said = world.invoke("stillborn", {})
    assert answer["FunctionError"] == "Unhandled"
    assert "exit status 7" in said["errorMessage"]


def test_what_takes_too_long_is_ended(world: World) -> None:
    world.create("slow", Timeout=1)
    answer, said = world.invoke("slow", {"sleep": 30})
    assert answer["FunctionError"] == "Unhandled"
    assert said["errorType"] == "Sandbox.Timedout"
    assert "timed out after 1.00 seconds" in said["errorMessage"]
    _, said = world.invoke("slow", {})
    assert said["count"] == 1


def test_reserved_concurrency_throttles_and_zero_turns_it_off(world: World, quick: None) -> None:
    world.create("alone")
    world.client.put_function_concurrency(FunctionName="alone", ReservedConcurrentExecutions=1)
    assert world.client.get_function(FunctionName="alone")["Concurrency"] == {
        "ReservedConcurrentExecutions": 1
    }
    world.client.invoke(FunctionName="alone", InvocationType="Event", Payload=b'{"sleep": 3}')
    code, _ = until(lambda: _try(world, "alone"))
    assert code == "TooManyRequestsException"
    until(lambda: _try(world, "alone") is None)
    world.client.put_function_concurrency(FunctionName="alone", ReservedConcurrentExecutions=0)
    assert refused(world.client.invoke, FunctionName="alone")[0] == "TooManyRequestsException"
    world.client.delete_function_concurrency(FunctionName="alone")
    assert world.invoke("alone", {})[1]["event"] == {}


def _try(world: World, name: str) -> tuple[str, str] | None:
    try:
        world.client.invoke(FunctionName=name, Payload=b"{}")
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return None


def test_an_event_is_taken_at_once_and_tried_three_times(world: World, quick: None) -> None:
    world.create("events")
    answer = world.client.invoke(FunctionName="events", InvocationType="Event", Payload=b'{"fail": "again"}')
    assert answer["StatusCode"] == 202
    handled = 'handled {"fail": "again"}'
    until(lambda: world.log("events").count(handled) == 3)


def test_a_rule_of_a_rate_fires_it_if_its_policy_lets_it(world: World, quick: None) -> None:
    made = world.create("watch")
    events = world.emulator.client("events")
    arn = events.put_rule(Name="often", ScheduleExpression="rate(1 minute)")["RuleArn"]
    target = {"Id": "f", "Arn": made["Configuration"]["FunctionArn"], "Input": '{"by": "rule"}'}
    events.put_targets(Rule="often", Targets=[target])
    own = events.put_rule(Name="own", EventPattern=json.dumps({"source": ["mine"]}))["RuleArn"]
    events.put_targets(Rule="own", Targets=[{**target, "Input": '{"by": "event"}'}])

    def send() -> None:
        events.put_events(Entries=[{"Source": "mine", "DetailType": "t", "Detail": "{}"}])

    send()
    for sid, source in (("often", arn), ("own", own)):
        world.client.add_permission(
            FunctionName="watch",
            StatementId=sid,
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=source,
        )
    policy = json.loads(world.client.get_policy(FunctionName="watch")["Policy"])
    assert [each["Sid"] for each in policy["Statement"]] == ["often", "own"]
    send()
    until(lambda: 'handled {"by": "event"}' in world.log("watch"))
    until(lambda: 'handled {"by": "rule"}' in world.log("watch"))
    # The first event was not let in, and one schedule fires once.
    assert world.log("watch").count('handled {"by": "event"}') == 1
    assert world.log("watch").count('handled {"by": "rule"}') == 1
    world.client.remove_permission(FunctionName="watch", StatementId="often")
    world.client.remove_permission(FunctionName="watch", StatementId="own")
    assert refused(world.client.get_policy, FunctionName="watch")[0] == "ResourceNotFoundException"


def test_an_update_runs_new_processes(world: World) -> None:
    world.create("changed", Environment={"Variables": {"GREETING": "old"}})
    _, old = world.invoke("changed", {})
    answer = world.client.update_function_configuration(
        FunctionName="changed",
        Environment={"Variables": {"GREETING": "new"}},
        Timeout=30,
        ImageConfig={"EntryPoint": ["python", "function.py"], "Command": ["more"]},
    )
    assert answer["LastUpdateStatus"] == "InProgress"
    world.client.get_waiter("function_updated_v2").wait(
        FunctionName="changed", WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    _, new = world.invoke("changed", {})
    assert (new["greeting"], new["arguments"], new["count"]) == ("new", ["more"], 1)
    assert new["pid"] != old["pid"]
    stale = refused(
        world.client.update_function_code,
        FunctionName="changed",
        ImageUri=world.image,
        RevisionId="00000000-0000-0000-0000-000000000000",
    )
    assert stale[0] == "PreconditionFailedException"


def test_it_is_gone_with_its_processes(world: World) -> None:
    world.create("gone")
    world.invoke("gone", {})
    world.client.delete_function(FunctionName="gone")
    code, message = refused(world.client.get_function, FunctionName="gone")
    assert code == "ResourceNotFoundException"
    assert message == "Function not found: arn:aws:lambda:us-east-1:123456789012:function:gone"
    assert refused(world.client.delete_function, FunctionName="gone")[0] == "ResourceNotFoundException"
    assert "gone" not in [
        each["FunctionName"] for each in world.client.list_functions(MaxItems=50)["Functions"]
    ]


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown image": (
        {
            "Code": {
                "ImageUri": f"123456789012.dkr.ecr.us-east-1.amazonaws.com/tiny@sha256:{'0' * 64}",
            }
        },
        "InvalidParameterValueException",
        "does not exist. Provide a valid source image.",
    ),
    "timeout": ({"Timeout": 901}, "ValidationException", "less than or equal to 900"),
    "memory": ({"MemorySize": 20000}, "ValidationException", "less than or equal to 10240"),
    "no such role": (
        {"Role": "arn:aws:iam::123456789012:role/nobody"},
        "InvalidParameterValueException",
        "cannot be assumed by Lambda",
    ),
    "reserved variable": (
        {"Environment": {"Variables": {"AWS_REGION": "x", "B_C": "y"}}},
        "InvalidParameterValueException",
        "Reserved keys used in this request: AWS_REGION",
    ),
    "too much environment": (
        {"Environment": {"Variables": {"BIG": "x" * 5000}}},
        "InvalidParameterValueException",
        "exceeded the 4KB limit",
    ),
    "a handler": (
        {"Handler": "a.b"},
        "InvalidParameterValueException",
        "when PackageType is Image",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_it_refuses_what_lambda_refuses(world: World, case: str) -> None:
    change, code, message = WRONG[case]
    asked = {
        "FunctionName": "refused",
        "PackageType": "Image",
        "Code": {"ImageUri": world.image},
        "Role": world.role,
    }
    got, said = refused(world.client.create_function, **{**asked, **change})
    assert got == code
    assert message in said


def test_it_refuses_a_role_of_another_service_and_a_name_that_is_taken(world: World) -> None:
    other = world.iam.create_role(
        RoleName="other", AssumeRolePolicyDocument=trust("sagemaker.amazonaws.com")
    )["Role"]["Arn"]
    asked = {"PackageType": "Image", "Code": {"ImageUri": world.image}}
    got = refused(world.client.create_function, FunctionName="r", Role=other, **asked)
    assert got[0] == "InvalidParameterValueException"
    world.create("taken")
    got = refused(world.client.create_function, FunctionName="taken", Role=world.role, **asked)
    assert got == ("ResourceConflictException", "Function already exist: taken")


def test_it_refuses_what_it_would_only_pretend(world: World) -> None:
    zipped = {"Code": {"ZipFile": b"x"}, "Runtime": "python3.12", "Handler": "a.b"}
    assert (
        "does not do" in refused(world.client.create_function, FunctionName="z", Role=world.role, **zipped)[1]
    )
    world.create("hello")
    assert "does not do" in refused(world.client.publish_version, FunctionName="hello")[1]


def test_it_refuses_bodies_that_lambda_does_not_take(world: World) -> None:
    world.create("hello")
    assert refused(world.client.invoke, FunctionName="hello", Payload=b"no json")[0] == (
        "InvalidRequestContentException"
    )
    big = b'"' + b"x" * (1024**2) + b'"'
    got = refused(world.client.invoke, FunctionName="hello", Payload=big, InvocationType="Event")
    assert got[0] == "RequestTooLargeException"
    wanted = {"FunctionName": "hello", "ReservedConcurrentExecutions": 901}
    assert refused(world.client.put_function_concurrency, **wanted)[0] == "InvalidParameterValueException"
