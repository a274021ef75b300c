"""The provider `aws`, served over gRPC in this process, against an emulator of its own."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from emulator.provider.provider import AwsProvider
from sluice.provider import start
from sluice.provider.values import decode, encode

DEFAULT_TAGS = {"sluice:environment": "test", "common": "yes"}


@dataclass(frozen=True)
class Made:
    """A resource as the engine keeps it."""

    token: str
    name: str
    id: str
    inputs: Mapping[str, Any]
    state: Mapping[str, Any]


class Engine:
    """The engine's side of the protocol, as far as one resource at a time goes."""

    def __init__(self, stub: Any, account: str) -> None:
        self.stub = stub
        self.account = account

    def check(
        self, token: str, name: str, inputs: Mapping[str, Any], old: Mapping[str, Any] | None = None
    ) -> Any:
        request = provider_pb2.CheckRequest(
            urn=urn(token, name),
            news=encode(inputs),
            olds=encode(old or {}),
            randomSeed=f"{token}{name}".encode(),
        )
        return self.stub.Check(request)

    def checked(self, token: str, name: str, inputs: Mapping[str, Any], old: Any = None) -> dict[str, Any]:
        answer = self.check(token, name, inputs, old)
        assert not answer.failures, answer.failures
        return decode(answer.inputs)[0]

    def create(self, token: str, name: str, inputs: Mapping[str, Any]) -> Made:
        checked = self.checked(token, name, inputs)
        request = provider_pb2.CreateRequest(urn=urn(token, name), properties=encode(checked))
        answer = self.stub.Create(request)
        return Made(token, name, answer.id, checked, decode(answer.properties)[0])

    def preview(self, token: str, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        checked = self.checked(token, name, inputs)
        request = provider_pb2.CreateRequest(urn=urn(token, name), properties=encode(checked), preview=True)
        return decode(self.stub.Create(request).properties)[0]

    def diff(self, made: Made, inputs: Mapping[str, Any]) -> dict[str, str]:
        """Path to kind of change."""
        request = provider_pb2.DiffRequest(
            id=made.id,
            urn=urn(made.token, made.name),
            olds=encode(made.state),
            old_inputs=encode(made.inputs),
            news=encode(self.checked(made.token, made.name, inputs, made.inputs)),
        )
        answer = self.stub.Diff(request)
        kinds = provider_pb2.PropertyDiff.Kind
        return {path: kinds.Name(item.kind) for path, item in answer.detailedDiff.items()}

    def update(self, made: Made, inputs: Mapping[str, Any]) -> Made:
        checked = self.checked(made.token, made.name, inputs, made.inputs)
        request = provider_pb2.UpdateRequest(
            id=made.id,
            urn=urn(made.token, made.name),
            olds=encode(made.state),
            old_inputs=encode(made.inputs),
            news=encode(checked),
        )
        state, _ = decode(self.stub.Update(request).properties)
        return Made(made.token, made.name, made.id, checked, state)

    def read(self, made: Made) -> Made | None:
        """The resource as a refresh finds it."""
        request = provider_pb2.ReadRequest(
            id=made.id,
            urn=urn(made.token, made.name),
            properties=encode(made.state),
            inputs=encode(made.inputs),
        )
        answer = self.stub.Read(request)
        if not answer.id:
            return None
        return Made(made.token, made.name, answer.id, decode(answer.inputs)[0], decode(answer.properties)[0])

    def imported(self, token: str, name: str, id: str) -> Made | None:
        return self.read(Made(token, name, id, {}, {}))

    def delete(self, made: Made) -> None:
        request = provider_pb2.DeleteRequest(
            id=made.id,
            urn=urn(made.token, made.name),
            properties=encode(made.state),
            old_inputs=encode(made.inputs),
        )
        self.stub.Delete(request)

    def invoke(self, token: str, **arguments: Any) -> dict[str, Any]:
        answer = self.stub.Invoke(provider_pb2.InvokeRequest(tok=token, args=encode(arguments)))
        return decode(getattr(answer, "return"))[0]


def urn(token: str, name: str) -> str:
    return f"urn:pulumi:local::project::{token}::{name}"


@pytest.fixture(scope="module")
def engine(emulator: Any) -> Iterator[Engine]:
    server, port, _ = start(AwsProvider())
    with pytest.MonkeyPatch.context() as patch, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for name in ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
            # setenv first, so that what configure writes is undone in the end.
            patch.setenv(name, "")
        patch.setenv("AWS_ENDPOINT_URL", emulator.endpoint_url)
        patch.setenv("SLUICE_LOCAL", str(emulator.local))
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        config = {
            "region": "us-east-1",
            "accessKey": "test",
            "secretKey": "test",
            "skipCredentialsValidation": "true",
            "defaultTags": json.dumps({"tags": DEFAULT_TAGS}),
        }
        answer = stub.CheckConfig(
            provider_pb2.CheckRequest(urn=urn("pulumi:providers:aws", "p"), news=encode(config))
        )
        assert not answer.failures
        stub.Configure(provider_pb2.ConfigureRequest(args=encode(config)))
        yield Engine(stub, "123456789012")
    server.stop(grace=0).wait()
