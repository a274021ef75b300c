"""Functions in a running emulator."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.emulator import tiny_image
from tests.emulator.conftest import Emulator

RUNTIME = """
import json, os, sys, time, urllib.request

BASE = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"
print("cold start", flush=True)
if os.environ.get("WAY") == "init":
    sys.exit(7)
count = 0
while True:
    with urllib.request.urlopen(f"{BASE}/invocation/next") as answer:
        event, headers = json.load(answer), answer.headers
    count += 1
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if event.get("exit"):
        os._exit(event["exit"])
    where, body = "response", {
        "event": event, "count": count, "pid": os.getpid(), "greeting": os.environ.get("GREETING"),
        "key": os.environ["AWS_ACCESS_KEY_ID"], "endpoint": os.environ["AWS_ENDPOINT_URL"],
        "function": os.environ["AWS_LAMBDA_FUNCTION_NAME"], "arguments": sys.argv[1:],
        "left": int(headers["Lambda-Runtime-Deadline-Ms"]) / 1000 - time.time(),
        "arn": headers["Lambda-Runtime-Invoked-Function-Arn"],
    }
    print("handled", json.dumps(event), flush=True)
    if event.get("fail"):
        where, body = "error", {"errorType": "ValueError", "errorMessage": event["fail"]}
    identity = headers["Lambda-Runtime-Aws-Request-Id"]
    urllib.request.urlopen(
        urllib.request.Request(f"{BASE}/invocation/{identity}/{where}", json.dumps(body).encode(), method="POST")
    ).close()
"""


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class World:
    """An emulator with an image whose process tells what it was given."""

    def __init__(self, emulator: Emulator, folder: Any) -> None:
        self.emulator = emulator
        self.client = emulator.client("lambda", read_timeout=180)
        self.iam = emulator.client("iam")
        self.image = tiny_image.push(emulator, folder, {"function.py": RUNTIME}, ("python", "function.py"))
        self.role = self.iam.create_role(
            RoleName="functions", AssumeRolePolicyDocument=trust("lambda.amazonaws.com")
        )["Role"]["Arn"]

    def create(self, name: str, **more: Any) -> Mapping[str, Any]:
        """A function that is active."""
        asked = {
            "FunctionName": name,
            "PackageType": "Image",
            "Code": {"ImageUri": self.image},
            "Role": self.role,
            "Timeout": 20,
            **more,
        }
        with contextlib.suppress(self.client.exceptions.ResourceConflictException):
            self.client.create_function(**asked)
        return self.active(name)

    def active(self, name: str) -> Mapping[str, Any]:
        self.client.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        found: Mapping[str, Any] = self.client.get_function(FunctionName=name)
        return found

    def invoke(self, name: str, event: Any, **more: Any) -> Any:
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event).encode(), **more)
        return answer, json.loads(answer["Payload"].read())

    def log(self, name: str) -> list[str]:
        logs = self.emulator.client("logs")
        group = f"/aws/lambda/{name}"
        try:
            streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]


@pytest.fixture(scope="module")
def world(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield World(emulator, tmp_path_factory.mktemp("image"))
