import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import definitions
from pipelines.bind import MARK, SENTINELS, bind
from sluice.errors import SluiceError

BINDINGS = {name: f"bound-{name}" for name in SENTINELS} | {
    "subnets": ["a", "b", "c"],
    "security-groups": ["g"],
}


def test_the_committed_definition_binds_without_a_rest():
    bound = bind(definitions.read("flights"), BINDINGS)
    assert MARK not in json.dumps(bound)
    validate = next(step for step in bound["Steps"] if step["Name"] == "Validate")["Arguments"]
    assert validate["NetworkConfig"]["VpcConfig"]["Subnets"] == ["a", "b", "c"]
    assert (
        validate["ProcessingInputs"][0]["S3Input"]["S3Uri"] == "s3://bound-data-bucket/flights/observations"
    )


def test_each_missing_binding_is_named_by_path():
    for name in SENTINELS:
        with pytest.raises(SluiceError, match=r"not bound: \$\.Steps"):
            bind(definitions.read("flights"), {k: v for k, v in BINDINGS.items() if k != name})


def test_an_unknown_binding_is_refused():
    with pytest.raises(SluiceError, match="rolle are unknown"):
        bind({}, {"rolle": "x"})


def test_a_sentinel_inside_a_text_is_an_error_not_a_replacement():
    with pytest.raises(SluiceError, match=r"\$\.a\[0\]"):
        bind({"a": [f"see {SENTINELS['isolated-role']}"]}, BINDINGS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=5), JSON))
def test_what_holds_no_sentinel_stays_as_it_is(value):
    assert bind(value, BINDINGS) == value


def isolated(steps):
    for step in steps:
        if step["Type"] == "Condition":
            yield from isolated(step["Arguments"]["IfSteps"])
        elif step["Type"] in ("Processing", "Training"):
            yield step


def test_only_the_two_connected_steps_have_a_network_and_that_role():
    for step in isolated(definitions.read("flights")["Steps"]):
        arguments = step["Arguments"]
        network = arguments.get("NetworkConfig", arguments)
        connected = step["Name"] in ("FetchChampion", "Register")
        assert network["EnableNetworkIsolation"] is not connected
        assert arguments["RoleArn"] == SENTINELS["connected-role" if connected else "isolated-role"]
        assert network["VpcConfig"]["Subnets"] == SENTINELS["subnets"]
        assert SENTINELS["artifacts-key"] in json.dumps(arguments)
