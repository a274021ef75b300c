import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice import naming
from sluice.errors import SluiceError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), json_values, max_size=4))
def test_a_hash_is_of_the_content_and_not_of_its_order(value: dict[str, object]) -> None:
    turned = dict(reversed(list(value.items())))
    assert naming.content_hash(value) == naming.content_hash(turned)
    assert json.loads(naming.canonical(value)) == value


def test_names_are_those_that_callers_know() -> None:
    assert naming.endpoint_name("flights", "local") == "flights-local"
    assert naming.pipeline_name("flights") == "flights-training"
    assert naming.model_package_group_name("flights") == "flights"


@pytest.mark.parametrize("parts", [("a" * 64,), ("flights_1",), ("-flights",), ("",)])
def test_a_name_that_sagemaker_refuses_is_refused_here(parts: tuple[str, ...]) -> None:
    with pytest.raises(SluiceError, match="not allowed"):
        naming.name(*parts)


def test_everything_carries_whose_it_is() -> None:
    tags = naming.tags("prod", "endpoints", "flights")
    assert tags["sluice:environment"] == "prod" and tags["sluice:workload"] == "flights"
    assert "sluice:workload" not in naming.tags("prod", "platform")
