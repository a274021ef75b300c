import os
import select
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, status_pb2

from sluice.paths import ROOT
from sluice.provider import UNKNOWN, EngineLog
from sluice.provider.values import decode, encode

URN = "urn:pulumi:local::project::test:index:Thing::my-thing"
SHAPES = {
    "string": "text-of-it",
    "number": 1.5,
    "bool": True,
    "list": ["one", "two"],
    "map": {"key": "value"},
    "nested": {"deep": [{"er": "bottom"}]},
}
PATHS = [
    ("string",),
    ("number",),
    ("bool",),
    ("list", 1),
    ("map", "key"),
    ("nested", "deep", 0, "er"),
    ("list",),
]


def put(value, path, new):
    """A copy of `value` with `new` at `path`."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(copy[path[0]], path[1:], new)
    return copy


def create(stub, values, secrets=(), preview=False):
    return stub.Create(
        provider_pb2.CreateRequest(urn=URN, properties=encode(values, secrets), preview=preview)
    )


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_reaches_the_resource_as_unknown_and_comes_back_unknown(stub, thing, path):
    inputs = put({"name": "a", **SHAPES}, path, UNKNOWN)
    checked = stub.Check(provider_pb2.CheckRequest(urn=URN, news=encode(inputs)))
    assert thing.seen == [inputs]
    assert decode(checked.inputs)[0] == inputs
    previewed, _ = decode(create(stub, inputs, preview=True).properties)
    assert previewed == {**inputs, "arn": UNKNOWN, "count": UNKNOWN}


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_never_reaches_a_real_creation(stub, thing, path):
    with pytest.raises(grpc.RpcError, match=f"{path[0]} must be known"):
        create(stub, put({"name": "a", **SHAPES}, path, UNKNOWN))
    assert thing.seen == []


@pytest.mark.parametrize("path", PATHS)
def test_a_secret_is_plain_inside_and_secret_outside(stub, thing, path):
    inputs = {"name": "a", **SHAPES}
    checked = stub.Check(provider_pb2.CheckRequest(urn=URN, news=encode(inputs, {path})))
    assert decode(checked.inputs) == (inputs, {path})
    outputs, secrets = decode(create(stub, inputs, {path}).properties)
    assert thing.seen == [inputs, inputs]
    assert outputs == {**inputs, "arn": "arn:a", "count": 1, "key": "hidden"}
    assert secrets - {(*path, 0), (*path, 1)} == {path, ("key",)}


@pytest.mark.parametrize("path", PATHS)
def test_a_secret_unknown_stays_both(stub, path):
    inputs = put({"name": "a", **SHAPES}, path, UNKNOWN)
    answer, secrets = decode(create(stub, inputs, {path}, preview=True).properties)
    assert answer == {**inputs, "arn": UNKNOWN, "count": UNKNOWN}
    assert secrets == {path}


def test_an_output_that_repeats_a_secret_is_secret(stub):
    _, secrets = decode(create(stub, {"name": "password"}, {("name",)}).properties)
    assert secrets == {("name",), ("arn",), ("key",)}


def test_read_keeps_the_secrets_of_the_state(stub):
    state, inputs = encode({"name": "a", "key": "k"}, {("key",)}), encode({"name": "a"}, {("name",)})
    answer = stub.Read(provider_pb2.ReadRequest(id="1", urn=URN, properties=state, inputs=inputs))
    assert decode(answer.properties) == ({"name": "a", "key": "k", "arn": "arn:read"}, {("name",), ("key",)})
    assert decode(answer.inputs) == ({"name": "a"}, {("name",)})


def test_what_is_gone_reads_as_nothing(stub):
    answer = stub.Read(provider_pb2.ReadRequest(id="gone", urn=URN))
    assert (answer.id, answer.HasField("properties")) == ("", False)


def diff(stub, old, new):
    request = provider_pb2.DiffRequest(
        id="1", urn=URN, olds=encode(old), old_inputs=encode(old), news=encode(new)
    )
    return stub.Diff(request)


def test_the_detailed_diff_names_each_path(stub):
    answer = diff(stub, {"a": {"b": 1}, "c": 1, "name": "x"}, {"a": {"b": 2}, "d": [1], "name": "x"})
    names = {
        path: provider_pb2.PropertyDiff.Kind.Name(item.kind) for path, item in answer.detailedDiff.items()
    }
    assert names == {"a.b": "UPDATE", "c": "DELETE", "d": "ADD"}
    assert answer.hasDetailedDiff
    assert all(item.inputDiff for item in answer.detailedDiff.values())
    assert set(answer.diffs) == {"a", "c", "d"}
    assert not answer.replaces
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME


@pytest.mark.parametrize(
    ("old", "new", "path", "kind"),
    [
        ({"name": "x"}, {"name": "y"}, "name", "UPDATE_REPLACE"),
        ({"name": "x"}, {"name": UNKNOWN}, "name", "UPDATE_REPLACE"),
        ({}, {"name": "y"}, "name", "ADD_REPLACE"),
        ({"nested": {"fixed": 1}}, {"nested": {}}, "nested.fixed", "DELETE_REPLACE"),
    ],
)
def test_a_declared_property_replaces(stub, old, new, path, kind):
    answer = diff(stub, old, new)
    assert provider_pb2.PropertyDiff.Kind.Name(answer.detailedDiff[path].kind) == kind
    assert list(answer.replaces) == [path.partition(".")[0]]


def test_no_difference_is_no_change(stub):
    answer = diff(stub, {"a": 1, "members": [1, 2]}, {"a": 1, "members": [2, 1]})
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE
    assert not answer.detailedDiff


def update(stub, preview):
    old = {"name": "a", "size": 1}
    request = provider_pb2.UpdateRequest(
        id="1",
        urn=URN,
        olds=encode({**old, "arn": "arn:a", "count": 1}),
        old_inputs=encode(old),
        news=encode({"name": "a", "size": 2}, {("size",)}),
        preview=preview,
    )
    return decode(stub.Update(request).properties)


def test_an_update_gets_state_old_and_new_inputs(stub, thing):
    assert update(stub, False) == ({"name": "a", "size": 2, "count": 2}, {("size",)})
    state, old, new = thing.seen[0]
    assert (state["arn"], old, new) == ("arn:a", {"name": "a", "size": 1}, {"name": "a", "size": 2})


def test_a_previewed_update_keeps_what_is_stable(stub, thing):
    assert update(stub, True) == ({"name": "a", "size": 2, "arn": "arn:a", "count": UNKNOWN}, {("size",)})
    assert thing.seen == []


def test_a_failed_check_names_the_property(stub):
    answer = stub.Check(provider_pb2.CheckRequest(urn=URN, news=encode({"name": "x" * 11})))
    assert [(item.property, item.reason) for item in answer.failures] == [("name", "is longer than 10")]


def test_a_partial_creation_reaches_the_state(stub):
    with pytest.raises(grpc.RpcError) as caught:
        create(stub, {"name": "a", "trouble": "partial", "word": "hush"}, {("word",)})
    assert caught.value.details() == "it does not start"
    metadata = dict(caught.value.trailing_metadata())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    assert (detail.id, list(detail.reasons)) == ("half", ["it does not start"])
    properties, secrets = decode(detail.properties)
    assert properties == {"name": "a", "trouble": "partial", "word": "hush", "arn": "arn:half"}
    assert secrets == {("word",)}
    assert decode(detail.inputs)[0] == {"name": "a", "trouble": "partial", "word": "hush"}


def test_a_known_problem_is_its_text_alone(stub):
    with pytest.raises(grpc.RpcError) as caught:
        create(stub, {"name": "a", "trouble": "clean"})
    assert caught.value.details() == "the thing is forbidden. Ask first."


def test_a_bug_is_short_and_its_traceback_is_in_the_log(stub, tmp_path):
    with pytest.raises(grpc.RpcError) as caught:
        create(stub, {"name": "a", "trouble": "bug"})
    log = tmp_path / "logs" / "provider-test.log"
    assert "my-thing: KeyError: 'oops'" in caught.value.details()
    assert str(log) in caught.value.details()
    assert "Traceback" not in caught.value.details()
    assert "Traceback" in log.read_text()


def test_an_unknown_type_and_function_are_named(stub):
    other = URN.replace("Thing", "Other")
    with pytest.raises(grpc.RpcError, match="does not map the type test:index:Other"):
        stub.Check(provider_pb2.CheckRequest(urn=other, news=encode({})))
    with pytest.raises(grpc.RpcError, match="has no function test:index/nothing:nothing"):
        stub.Invoke(provider_pb2.InvokeRequest(tok="test:index/nothing:nothing"))


def test_an_invoke_answers(stub):
    answer = stub.Invoke(provider_pb2.InvokeRequest(tok="test:index/double:double", args=encode({"n": 4})))
    assert decode(getattr(answer, "return"))[0] == {"twice": 8}


def test_calls_run_side_by_side(stub):
    """Each of the four creations waits until all four are inside."""
    with ThreadPoolExecutor(4) as pool:
        made = [pool.submit(create, stub, {"name": f"n{i}", "trouble": "meet"}) for i in range(4)]
        assert [future.result(timeout=30).id for future in made] == ["id-1"] * 4


def test_automatic_names_follow_the_seed_and_the_wish_of_the_stack(stub):
    def name(**extra):
        answer = stub.Check(provider_pb2.CheckRequest(urn=URN, news=encode({}), **extra))
        return decode(answer.inputs)[0]["name"]

    options = provider_pb2.CheckRequest.AutonamingOptions
    assert name(randomSeed=b"1") == name(randomSeed=b"1") != name(randomSeed=b"2")
    assert len(name()) == len("my-thing-1234567")
    assert name(autonaming=options(proposed_name="wish", mode=options.ENFORCE)) == "wish"
    with pytest.raises(grpc.RpcError, match="automatic names are disabled"):
        name(autonaming=options(mode=options.DISABLE))


def test_handshake_configure_and_cancel(stub):
    shake = stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address="127.0.0.1:1"))
    assert shake.accept_secrets
    assert shake.accept_outputs
    answer = stub.Configure(provider_pb2.ConfigureRequest(args=encode({"tags": '{"a": "b"}'}, {("tags",)})))
    assert answer.supportsPreview
    assert answer.acceptResources
    assert stub.GetPluginInfo(empty_pb2.Empty()).version == "1.0.0"
    stub.Cancel(empty_pb2.Empty())


def test_config_diff_reads_json_in_strings(stub):
    def changed(old, new):
        request = provider_pb2.DiffRequest(old_inputs=encode(old), news=encode(new))
        return list(stub.DiffConfig(request).detailedDiff)

    assert changed({"tags": '{"a":"b"}'}, {"tags": '{ "a": "b" }'}) == []
    assert changed({"tags": '{"a":"b"}'}, {"tags": '{"a":"c"}'}) == ["tags.a"]


def test_messages_reach_the_engine():
    received = []

    class Engine(engine_pb2_grpc.EngineServicer):
        def Log(self, request, context):
            received.append((request.severity, request.message, request.urn, request.ephemeral))
            return empty_pb2.Empty()

    server = grpc.server(ThreadPoolExecutor(1))
    engine_pb2_grpc.add_EngineServicer_to_server(Engine(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    log = EngineLog.connect(f"127.0.0.1:{port}").at(URN)
    log.info("waiting", ephemeral=True)
    log.warning("slow")
    server.stop(grace=0).wait()
    log.info("nobody listens, and that is no error")
    assert received == [(engine_pb2.INFO, "waiting", URN, True), (engine_pb2.WARNING, "slow", URN, False)]


PLUGIN = "from sluice.provider import Provider, serve; serve(Provider('test', '1.0.0'))"


def test_the_plugin_prints_its_port_first_and_ends_quietly():
    plugin = subprocess.Popen(
        [sys.executable, "-c", PLUGIN], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, text=True
    )
    port = int(plugin.stdout.readline())
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        grpc.channel_ready_future(channel).result(timeout=20)
    plugin.send_signal(signal.SIGINT)
    rest, errors = plugin.communicate(timeout=20)
    assert (plugin.returncode, rest, errors) == (0, "", "")


def test_the_plugin_ends_when_its_engine_is_killed():
    """The pipe's end shows that the plugin, a grandchild, is gone."""
    script = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {PLUGIN!r}]).wait()"
    engine = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT)
    out = engine.stdout.fileno()
    first = os.read(out, 100)
    assert first.strip().isdigit()
    engine.kill()
    engine.wait()
    ready, _, _ = select.select([out], [], [], 30)
    assert ready
    assert os.read(out, 100) == b""
