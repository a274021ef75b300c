"""A provider of the tests, served over gRPC in this process."""

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2_grpc

from sluice.errors import SluiceError
from sluice.provider import (
    UNKNOWN,
    Checked,
    Created,
    Failure,
    PartialFailure,
    Property,
    Provider,
    Read,
    Resource,
    Secret,
    start,
)


class Thing(Resource):
    """Every kind of property, and every kind of trouble on demand (`trouble`)."""

    token = "test:index:Thing"
    properties = {
        "name": Property(replace=True),
        "members": Property(unordered=True),
        "nested": Property(fields={"fixed": Property(replace=True)}),
    }
    outputs = frozenset({"arn", "count"})
    unstable = frozenset({"count"})

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.together = threading.Barrier(4)

    def check(self, context, old_inputs, inputs):
        self.seen.append(inputs)
        name = inputs.get("name")
        if name is not UNKNOWN and name and len(name) > 10:
            return Checked(inputs, [Failure("name", "is longer than 10")])
        return Checked({"name": context.autoname(), **inputs})

    def create(self, context, inputs):
        self.seen.append(inputs)
        trouble = inputs.get("trouble")
        if trouble == "partial":
            raise PartialFailure("half", {"arn": "arn:half"}, ["it does not start"])
        if trouble == "clean":
            raise SluiceError("the thing is forbidden", "Ask first.")
        if trouble == "bug":
            raise KeyError("oops")
        if trouble == "meet":
            self.together.wait(timeout=20)
        return Created("id-1", {"arn": f"arn:{inputs['name']}", "count": 1, "key": Secret("hidden")})

    def read(self, context, id, state, inputs):
        return None if id == "gone" else Read(id, {**state, "arn": "arn:read"}, inputs)

    def update(self, context, id, state, old_inputs, inputs):
        self.seen.append((state, old_inputs, inputs))
        return {"count": state["count"] + 1}

    def delete(self, context, id, state, old_inputs):
        self.seen.append(id)


@pytest.fixture
def thing() -> Thing:
    return Thing()


@pytest.fixture
def stub(thing: Thing, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path))
    functions = {"test:index/double:double": lambda context, arguments: {"twice": 2 * arguments["n"]}}
    server, port, _ = start(Provider("test", "1.0.0", [thing], functions))
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield provider_pb2_grpc.ResourceProviderStub(channel)
    server.stop(grace=0).wait()
