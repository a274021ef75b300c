"""The order of the programs."""

import pytest

from sluice.engine import programs
from sluice.errors import SluiceError


def test_each_program_comes_after_those_it_needs() -> None:
    order = [(item.kind, item.stack) for item in programs.in_order("local", "us-east-1", ["flights", "weld"])]
    assert order == [
        ("account", "local"),
        ("platform", "local"),
        ("pipelines", "local-flights"),
        ("endpoints", "local-flights"),
        ("pipelines", "local-weld"),
        ("endpoints", "local-weld"),
    ]


def test_stacks_in_aws_name_their_region() -> None:
    assert programs.stack_name("prod", "eu-central-1") == "prod-eu-central-1"
    assert programs.stack_name("prod", "eu-central-1", "weld") == "prod-eu-central-1-weld"


def test_every_program_is_in_the_checkout() -> None:
    for item in programs.in_order("local", "us-east-1", ["flights"]):
        text = (item.folder / "Pulumi.yaml").read_text(encoding="utf-8")
        assert f"name: {item.project}\n" in text


def test_one_kind_and_one_workload_can_be_chosen() -> None:
    everything = programs.in_order("local", "us-east-1", ["flights", "weld"])
    assert [item.stack for item in programs.chosen(everything, "endpoints")] == [
        "local-flights",
        "local-weld",
    ]
    assert [item.title for item in programs.chosen(everything, "endpoints", "weld")] == ["endpoints of weld"]
    assert len(programs.chosen(everything, None, "weld")) == 4
    with pytest.raises(SluiceError, match="no program 'networks'"):
        programs.chosen(everything, "networks")
    with pytest.raises(SluiceError, match="no workload 'nope'"):
        programs.chosen(everything, None, "nope")
    with pytest.raises(SluiceError, match="no workload to run"):
        programs.chosen(programs.in_order("local", "us-east-1", []), "endpoints")


def test_a_program_of_a_workload_needs_one() -> None:
    with pytest.raises(SluiceError, match="one stack per workload"):
        programs.program("endpoints", "local", "us-east-1")
