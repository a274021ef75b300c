"""Expressions and conditions, without AWS."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.sagemaker.pipelines.conditions import outcome
from emulator.sagemaker.pipelines.expressions import (
    ExpressionError,
    Scope,
    function,
    path,
    references,
    resolve,
    walk,
)

NAMES = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789_-", min_size=1, max_size=8)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
SCOPE = Scope(
    parameters={"Floor": 0.8, "Name": "flights", "Flag": True},
    execution={"PipelineExecutionId": "abc"},
    steps={
        "Prep": {
            "ProcessingOutputConfig": {
                "Outputs": [
                    {"OutputName": "train", "S3Output": {"S3Uri": "s3://b/train"}},
                    {"OutputName": "test", "S3Output": {"S3Uri": "s3://b/test"}},
                ]
            }
        }
    },
    property_file=lambda step, file: {"auc": {"value": 0.9}, "from": [step, file]},
    document=lambda uri: {"uri": uri, "n": 3},
)


@given(JSON.filter(lambda value: function(value) is None))
def test_plain_values_resolve_to_themselves(value: Any) -> None:
    assert resolve(value, SCOPE) == value
    assert list(references(value)) == []


@given(st.lists(NAMES | st.integers(0, 99), min_size=1, max_size=6).filter(lambda p: isinstance(p[0], str)))
def test_a_path_is_read_as_it_is_written(parts: list[str | int]) -> None:
    text = str(parts[0]) + "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" if index % 2 else f"['{part}']"
        for index, part in enumerate(parts[1:])
    )
    assert path(text) == parts


@given(st.dictionaries(NAMES, JSON, min_size=1, max_size=4), st.data())
def test_what_lies_at_a_path_is_found(document: dict[str, Any], data: st.DataObject) -> None:
    value: Any = document
    parts: list[str | int] = []
    while isinstance(value, dict | list) and value:
        key = data.draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
        parts.append(key)
        value = value[key]
    assert walk(document, parts, "it") == value


@given(st.lists(st.text(max_size=5) | st.integers(), max_size=5), st.text(max_size=2))
def test_join_is_the_join_of_python(values: list[Any], separator: str) -> None:
    joined = resolve({"Std:Join": {"On": separator, "Values": values}}, SCOPE)
    assert joined == separator.join(str(value) for value in values)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ({"Get": "Parameters.Floor"}, 0.8),
        ({"Get": "Execution.PipelineExecutionId"}, "abc"),
        ({"Get": "Steps.Prep.ProcessingOutputConfig.Outputs['test'].S3Output.S3Uri"}, "s3://b/test"),
        ({"Get": "Steps.Prep.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri"}, "s3://b/train"),
        (
            {"Std:Join": {"On": "-", "Values": [{"Get": "Parameters.Name"}, {"Get": "Parameters.Flag"}, 1]}},
            "flights-true-1",
        ),
        (
            {
                "Std:JsonGet": {
                    "PropertyFile": {"Get": "Steps.Eval.PropertyFiles.Report"},
                    "Path": "auc.value",
                }
            },
            0.9,
        ),
        (
            {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Eval.PropertyFiles.Report"}, "Path": "from[1]"}},
            "Report",
        ),
        (
            {
                "Std:JsonGet": {
                    "S3Uri": {"Std:Join": {"On": "/", "Values": ["s3://b", "x.json"]}},
                    "Path": "uri",
                }
            },
            "s3://b/x.json",
        ),
        ([{"a": {"Get": "Parameters.Name"}}], [{"a": "flights"}]),
    ],
)
def test_expressions_mean_what_they_say(expression: Any, value: Any) -> None:
    assert resolve(expression, SCOPE) == value


@pytest.mark.parametrize(
    "expression",
    [
        {"Get": "Parameters.None"},
        {"Get": "Somewhere.Else"},
        {"Get": "Steps.Prep.ProcessingOutputConfig.Outputs['none'].S3Output"},
        {"Get": "Parameters."},
        {"Std:Join": {"On": "/"}},
        {"Std:Join": {"On": "/", "Values": [["a"]]}},
        {"Std:JsonGet": {"Path": "a"}},
        {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Eval"}, "Path": "a"}},
        {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Eval.PropertyFiles.R"}, "Path": "auc.none"}},
    ],
)
def test_what_has_no_value_is_an_error(expression: Any) -> None:
    with pytest.raises(ExpressionError):
        resolve(expression, SCOPE)


def compare(kind: str, left: Any, right: Any) -> bool:
    return outcome([{"Type": kind, "LeftValue": left, "RightValue": right}], SCOPE)


NUMBERS = st.integers(-100, 100) | st.floats(-100, 100)


@given(NUMBERS, NUMBERS)
def test_the_order_of_numbers_is_total(left: float, right: float) -> None:
    assert compare("GreaterThan", left, right) == (left > right)
    assert compare("GreaterThanOrEqualTo", left, right) == (left >= right)
    assert compare("LessThan", left, right) == (not compare("GreaterThanOrEqualTo", left, right))
    assert compare("LessThanOrEqualTo", left, right) == (not compare("GreaterThan", left, right))
    assert compare("Equals", left, right) == (left == right)


@given(st.lists(st.booleans(), min_size=1, max_size=4))
def test_conditions_of_a_step_are_and_or_is_or_and_not_is_not(truths: list[bool]) -> None:
    conditions = [{"Type": "Equals", "LeftValue": truth, "RightValue": True} for truth in truths]
    assert outcome(conditions, SCOPE) == all(truths)
    assert outcome([{"Type": "Or", "Conditions": conditions}], SCOPE) == any(truths)
    assert outcome([{"Type": "Not", "Expression": conditions[0]}], SCOPE) == (not truths[0])


@given(st.lists(st.integers(0, 9), max_size=4), st.integers(0, 9))
def test_in_is_in(values: list[int], value: int) -> None:
    assert outcome([{"Type": "In", "QueryValue": value, "Values": values}], SCOPE) == (value in values)


@pytest.mark.parametrize(("left", "right"), [(True, 1), ("1", 1), (None, 0), ("true", True)])
def test_values_of_different_types_are_not_equal(left: Any, right: Any) -> None:
    assert not compare("Equals", left, right)


@pytest.mark.parametrize(("left", "right"), [("1", 1), (True, 0), (None, 1), ([1], [0])])
def test_what_has_no_order_is_not_compared(left: Any, right: Any) -> None:
    with pytest.raises(ExpressionError, match="cannot compare"):
        compare("GreaterThan", left, right)


def test_a_broken_condition_fails_the_step_also_after_a_false_one() -> None:
    false = {"Type": "Equals", "LeftValue": 1, "RightValue": 2}
    broken = {"Type": "Equals", "LeftValue": {"Get": "Parameters.None"}, "RightValue": 2}
    with pytest.raises(ExpressionError):
        outcome([false, broken], SCOPE)
