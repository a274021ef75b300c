import math

import pytest
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from sluice.provider.values import (
    UNKNOWN,
    Archive,
    Asset,
    ResourceReference,
    Secret,
    contains_unknown,
    decode,
    echoes,
    encode,
    leaves,
)

SIGNATURE = "4dabf18193072939515e22adb298388d"

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
with_unknowns = st.recursive(
    plain | st.just(UNKNOWN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=5), with_unknowns, max_size=4))
def test_values_survive_the_wire(values):
    back, secrets = decode(encode(values))
    assert back == values
    assert secrets == frozenset()


@given(st.dictionaries(st.text(max_size=5), with_unknowns, min_size=1, max_size=4), st.data())
def test_a_secret_survives_the_wire_at_its_path(values, data):
    paths = [path for path, _ in leaves(values)] + [(key,) for key in values]
    chosen = frozenset(data.draw(st.sets(st.sampled_from(paths), min_size=1, max_size=3)))
    back, secrets = decode(encode(values, chosen))
    assert back == values
    assert secrets == chosen


def test_whole_numbers_are_ints_and_flags_stay_flags():
    back, _ = decode(encode({"a": 3.0, "b": 3.5, "c": True, "d": 0.0}))
    kinds = {key: (type(value), value) for key, value in back.items()}
    assert kinds == {"a": (int, 3), "b": (float, 3.5), "c": (bool, True), "d": (int, 0)}


def test_special_floats_survive():
    back, _ = decode(encode({"a": math.inf}))
    assert back == {"a": math.inf}


@pytest.mark.parametrize(
    "kind", ["1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", "04da6b54-80e4-46f7-96ec-b56ff0331ba9"]
)
def test_every_form_of_unknown_is_the_one_object(kind):
    struct = struct_pb2.Struct()
    struct.update({"a": kind, "b": {"c": [kind]}})
    back, _ = decode(struct)
    assert back["a"] is UNKNOWN
    assert back["b"]["c"][0] is UNKNOWN


def test_an_output_value_is_its_value_or_unknown_and_may_be_secret():
    struct = struct_pb2.Struct()
    output = {SIGNATURE: "d0e6a833031e9bbcd3f4e8bde6ca49a4"}
    struct.update(
        {"known": {**output, "value": 1}, "open": output, "both": {**output, "secret": True, "value": "x"}}
    )
    back, secrets = decode(struct)
    assert back == {"known": 1, "open": UNKNOWN, "both": "x"}
    assert secrets == {("both",)}


@pytest.mark.parametrize(
    "value",
    [
        Asset(hash="abc", text="hello"),
        Asset(path="a/b"),
        Archive(hash="abc", assets={"a": Asset(text="x")}),
        Archive(uri="https://example.com/a.zip"),
        ResourceReference("urn:pulumi:a", "id-1", "1.2.3"),
        ResourceReference("urn:pulumi:a", UNKNOWN),
        ResourceReference("urn:pulumi:a"),
    ],
)
def test_assets_and_references_survive_the_wire(value):
    back, _ = decode(encode({"a": [value]}))
    assert back == {"a": [value]}


def test_an_unknown_has_no_truth_and_is_found_at_any_depth():
    with pytest.raises(TypeError):
        bool(UNKNOWN)
    assert contains_unknown({"a": [{"b": UNKNOWN}]})
    assert not contains_unknown({"a": [{"b": None}]})


def test_a_secret_output_is_wrapped_and_hidden_when_printed():
    assert decode(encode({"a": Secret("s3cret")})) == ({"a": "s3cret"}, {("a",)})
    assert "s3cret" not in repr(Secret("s3cret"))


def test_a_secret_is_followed_by_path_and_by_text():
    inputs = {"password": "s3cret", "port": 5, "list": ["a", "topsecret"]}
    outputs = {**inputs, "url": "db://s3cret@host", "copy": "topsecret", "other": 5}
    found = echoes(outputs, inputs, {("password",), ("port",), ("list", 1)})
    assert found == {("password",), ("port",), ("list", 1), ("url",), ("copy",)}


def test_a_value_without_a_form_is_refused_by_name():
    with pytest.raises(TypeError, match=r"a\.b"):
        encode({"a": {"b": object()}})
