"""What CreatePipeline takes and refuses, and the order of steps, without AWS."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.sagemaker.pipelines import graph, policy
from emulator.sagemaker.pipelines.definition import DefinitionError, parse, values
from emulator.sagemaker.pipelines.expressions import ExpressionError
from emulator.sagemaker.pipelines.graph import Progress, Step, order, ready, skipped


def step(name: str, *needs: str, branch: tuple[str, bool] | None = None, kind: str = "Fail") -> Step:
    return Step(name, kind, {}, frozenset(needs) | ({branch[0]} if branch else set()), branch)


@st.composite
def acyclic(draw: st.DrawFn) -> list[Step]:
    count = draw(st.integers(1, 8))
    steps = [
        step(f"s{i}", *(f"s{j}" for j in draw(st.sets(st.integers(0, i - 1)) if i else st.just(set()))))
        for i in range(count)
    ]
    return draw(st.permutations(steps))


@given(acyclic())
def test_every_step_comes_after_what_it_needs(steps: list[Step]) -> None:
    position = {name: at for at, name in enumerate(order(steps))}
    assert set(position) == {s.name for s in steps}
    assert all(position[needed] < position[s.name] for s in steps for needed in s.needs)


@given(acyclic(), st.data())
def test_a_circle_is_found(steps: list[Step], data: st.DataObject) -> None:
    first, last = order(steps)[0], data.draw(st.sampled_from(order(steps)))
    needs_last = [Step(s.name, s.type, {}, s.needs | {last}) if s.name == first else s for s in steps]
    needs_first = [
        Step(s.name, s.type, {}, s.needs | {first}) if s.name == last and first != last else s
        for s in needs_last
    ]
    with pytest.raises(ExpressionError, match="depend on each other"):
        order(needs_first)


@given(acyclic())
def test_running_what_is_ready_runs_all(steps: list[Step]) -> None:
    done: set[str] = set()
    while len(done) < len(steps):
        now = ready(steps, Progress(frozenset(done)), frozenset(done))
        assert now
        done |= {s.name for s in now}


def test_a_branch_that_is_not_taken_takes_its_followers_with_it() -> None:
    steps = [
        step("Gate", kind="Condition"),
        step("Yes", branch=("Gate", True)),
        step("No", branch=("Gate", False)),
        step("AfterYes", "Yes"),
        step("AfterNo", "No"),
    ]
    assert skipped(steps, Progress()) == frozenset()
    assert skipped(steps, Progress(outcomes={"Gate": True})) == {"No", "AfterNo"}
    assert skipped(steps, Progress(outcomes={"Gate": False})) == {"Yes", "AfterYes"}


def processing(name: str, **more: Any) -> dict[str, Any]:
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {"ImageUri": {"Get": "Parameters.Image"}},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            "RoleArn": "arn:aws:iam::123456789012:role/r",
        },
        **more,
    }


def text(*steps: dict[str, Any], **more: Any) -> str:
    parameters = [
        {"Name": "Image", "Type": "String", "DefaultValue": "i"},
        {"Name": "Count", "Type": "Integer", "EnumValues": [1, 2], "DefaultValue": 1},
        {"Name": "Floor", "Type": "Float"},
        {"Name": "Fast", "Type": "Boolean", "DefaultValue": False},
    ]
    return json.dumps({"Version": "2020-12-01", "Parameters": parameters, "Steps": list(steps), **more})


def test_implicit_and_explicit_needs_are_found() -> None:
    uses = {**processing("B"), "DependsOn": ["C"]}
    uses["Arguments"] = {**uses["Arguments"], "Environment": {"A": {"Get": "Steps.A.ProcessingJobName"}}}
    parsed = parse(text(processing("A"), processing("C"), uses))
    assert parsed.steps[2].needs == {"A", "C"}


def condition(*inner: dict[str, Any]) -> dict[str, Any]:
    check = {"Type": "Equals", "LeftValue": {"Get": "Parameters.Floor"}, "RightValue": 1}
    return {"Name": "Gate", "Type": "Condition", "Arguments": {"Conditions": [check], "IfSteps": list(inner)}}


def changed(**arguments: Any) -> dict[str, Any]:
    base = processing("A")
    return {**base, "Arguments": {**base["Arguments"], **arguments}}


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        ("not json", "Invalid JSON"),
        ("[]", "Expecting start of Json Object"),
        (text(), "at least one step"),
        (text(processing("A"), Version="2019-01-01"), "Version must be"),
        (text(processing("A"), Colour="red"), "Unknown member 'Colour'"),
        (text(processing("A"), processing("A")), "Duplicate step name 'A'"),
        (text(processing("Gate"), condition()), "Duplicate step name 'Gate'"),
        (text(condition(processing("A")), processing("A")), "Duplicate step name 'A'"),
        (text({**processing("A"), "Type": "Dance"}), "unknown type 'Dance'"),
        (text({**processing("A"), "Type": "EMR"}), "does not run steps of type 'EMR'"),
        (text(processing("A b")), "step name"),
        (text({**processing("A"), "DependsOn": ["Nobody"]}), "'Nobody', which does not exist"),
        (
            text({**processing("A"), "DependsOn": ["B"]}, {**processing("B"), "DependsOn": ["A"]}),
            "depend on each other",
        ),
        (text(changed(RoleArn={"Get": "Parameters.None"})), "'Parameters.None' cannot be resolved"),
        (text(changed(RoleArn={"Get": "Steps.Nobody.X"})), "'Steps.Nobody.X' cannot be resolved"),
        (text(changed(RoleArn={"Get": "Execution.Mood"})), "'Execution.Mood' cannot be resolved"),
        (text(changed(Colour="red")), "Unknown Argument member 'Colour'"),
        (text(changed(Tags={"a": 1})), "Expecting start of Json Array"),
        (text(changed(NetworkConfig="none")), "Expecting start of Json Object"),
        (text(changed(AppSpecification={})), "Missing required Argument member 'ImageUri'"),
        (text({"Name": "F", "Type": "Fail", "Arguments": {}}), "no ErrorMessage"),
        (text({"Name": "C", "Type": "Condition", "Arguments": {"Conditions": []}}), "no Conditions"),
        (
            text({"Name": "C", "Type": "Condition", "Arguments": {"Conditions": [{"Type": "Odd"}]}}),
            "unknown type 'Odd'",
        ),
        (
            text(
                {
                    "Name": "R",
                    "Type": "RegisterModel",
                    "Arguments": {"CustomerMetadataProperties": {"a": "b"}},
                }
            ),
            "Unknown Argument member 'CustomerMetadataProperties'",
        ),
        (text(processing("A"), Parameters=[{"Name": "P", "Type": "Colour"}]), "unknown type 'Colour'"),
        (
            text(processing("A"), Parameters=[{"Name": "P", "Type": "Integer", "DefaultValue": "x"}]),
            "not of type",
        ),
    ],
)
def test_what_createpipeline_refuses(definition: str, problem: str) -> None:
    with pytest.raises(DefinitionError) as error:
        parse(definition)
    assert problem in str(error.value)


def test_a_property_file_must_be_declared() -> None:
    get = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.A.PropertyFiles.Report"}, "Path": "x"}}
    gate = condition()
    gate["Arguments"]["Conditions"][0]["LeftValue"] = get
    declared = {"PropertyFileName": "Report", "OutputName": "out", "FilePath": "r.json"}
    assert parse(text({**processing("A"), "PropertyFiles": [declared]}, gate)).steps[1].needs == {"A"}
    with pytest.raises(DefinitionError, match="does not declare"):
        parse(text(processing("A"), gate))


def given_values(**pairs: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in pairs.items()]


def test_parameters_are_converted() -> None:
    parsed = parse(text(processing("A")))
    assert values(parsed, given_values(Count="2", Floor="0.5", Fast="true")) == {
        "Image": "i",
        "Count": 2,
        "Floor": 0.5,
        "Fast": True,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"Floor": "x"},
        {"Floor": "1", "Count": "3"},
        {"Floor": "1", "Fast": "maybe"},
        {"Floor": "1", "No": "1"},
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(DefinitionError):
        values(parse(text(processing("A"))), given_values(**wrong))


def test_the_steps_of_branches_need_their_condition() -> None:
    parsed = parse(text(condition(processing("A"))))
    assert [(s.name, s.branch, s.needs) for s in parsed.steps] == [
        ("Gate", None, frozenset()),
        ("A", ("Gate", True), frozenset({"Gate"})),
    ]
    assert graph.order(parsed.steps) == ["Gate", "A"]


@pytest.mark.parametrize(
    ("iso", "length"),
    [("P30D", timedelta(days=30)), ("PT1H30M", timedelta(minutes=90)), ("P1W", timedelta(7))],
)
def test_durations(iso: str, length: timedelta) -> None:
    assert policy.duration(iso) == length


@pytest.mark.parametrize("wrong", ["", "P", "PT", "30d", "P1Y"])
def test_what_is_no_duration(wrong: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        policy.duration(wrong)


@given(st.integers(1, 5), st.integers(1, 5))
def test_a_retry_waits_longer_each_time_and_ends(attempts: int, interval: int) -> None:
    kinds = ["SageMaker.JOB_INTERNAL_ERROR"]
    rule = {"ExceptionType": kinds, "IntervalSeconds": interval, "BackoffRate": 2.0, "MaxAttempts": attempts}
    waits = [policy.retry_after([rule], kinds[0], n, 0) for n in range(1, attempts + 2)]
    assert waits == [*(interval * 2.0**n for n in range(attempts)), None]
    assert policy.retry_after([rule], "SageMaker.OTHER", 1, 0) is None
