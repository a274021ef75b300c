"""A pipeline definition, read and checked as CreatePipeline checks it. Pure."""

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session

from emulator.sagemaker.pipelines import conditions, graph
from emulator.sagemaker.pipelines.expressions import (
    EXECUTION_VARIABLES,
    ExpressionError,
    function,
    references,
)

VERSION = "2020-12-01"
OPERATIONS = {
    "Processing": ("CreateProcessingJob", ("ProcessingJobName",)),
    "Training": ("CreateTrainingJob", ("TrainingJobName",)),
    "Model": ("CreateModel", ("ModelName",)),
    "RegisterModel": ("CreateModelPackage", ()),
}
"""The SageMaker action of each step type, and its parameters that the pipeline fills in itself."""
REFUSED = {"RegisterModel": ("ModelPackageName", "CustomerMetadataProperties")}
"""Members that CreatePipeline refuses although the action takes them (sagemaker-python-sdk, #3472 and #2972)."""
TYPES = (*OPERATIONS, "Condition", "Fail")
ELSEWHERE = (
    "Transform",
    "Tuning",
    "Callback",
    "Lambda",
    "EMR",
    "EMRServerless",
    "AutoML",
    "QualityCheck",
    "ClarifyCheck",
    "EndpointConfig",
    "Endpoint",
    "InferenceComponent",
    "Lineage",
)
"""Step types of AWS that this emulator does not run, and says so at CreatePipeline rather than pretend."""

_STEP_NAME = re.compile(r"^[A-Za-z0-9\-_]{1,64}$")
_KINDS = {"String": str, "Integer": int, "Float": (int, float), "Boolean": bool}


class DefinitionError(ValueError):
    """The message of the ValidationException."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of the pipeline."""

    name: str
    type: str
    default: Any = None
    choices: tuple[Any, ...] | None = None


@dataclass(frozen=True)
class Definition:
    """A checked definition."""

    parameters: Mapping[str, Parameter]
    steps: tuple[graph.Step, ...]


def parse(text: str) -> Definition:
    """The definition in `text`.

    Raises:
        DefinitionError: as CreatePipeline refuses.
    """
    try:
        value: Any = json.loads(text)
    except ValueError:
        raise DefinitionError("Unable to parse pipeline definition. Invalid JSON.") from None
    if not isinstance(value, dict):
        raise _unparsable("Expecting start of Json Object.")
    if value.get("Version") != VERSION:
        raise _unparsable(f"Version must be '{VERSION}', not '{value.get('Version')}'")
    for member in value:
        if member not in ("Version", "Metadata", "Parameters", "PipelineExperimentConfig", "Steps"):
            raise _unparsable(f"Unknown member '{member}'")
    parameters = _parameters(value.get("Parameters") or [])
    raw = value.get("Steps")
    if not isinstance(raw, list) or not raw:
        raise _unparsable("Steps must hold at least one step")
    _check_shapes(raw)
    try:
        steps = tuple(graph.flatten(raw))
        _check_references(steps, parameters)
        for inner in references(value.get("PipelineExperimentConfig") or {}):
            _check_reference(inner, {}, parameters)
        graph.order(steps)
    except ExpressionError as error:
        raise _unparsable(str(error)) from None
    return Definition(parameters, steps)


def _unparsable(problem: str) -> DefinitionError:
    return DefinitionError(f"Unable to parse pipeline definition. {problem}")


def _parameters(raw: Any) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    if not isinstance(raw, list):
        raise _unparsable("Expecting start of Json Array.")
    for entry in raw:
        if not isinstance(entry, dict) or not isinstance(entry.get("Name"), str):
            raise _unparsable("A parameter must have a Name")
        name, kind = entry["Name"], entry.get("Type")
        if kind not in _KINDS:
            raise _unparsable(f"Parameter '{name}' has the unknown type '{kind}'")
        if name in found:
            raise _unparsable(f"Duplicate parameter name '{name}'")
        default = entry.get("DefaultValue")
        if default is not None and not _is(default, kind):
            raise _unparsable(f"The default value of parameter '{name}' is not of type {kind}")
        choices = entry.get("EnumValues")
        found[name] = Parameter(name, kind, default, tuple(choices) if choices else None)
    return found


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "Boolean"
    return isinstance(value, _KINDS[kind])  # type: ignore[arg-type]


def values(definition: Definition, given: list[Mapping[str, str]]) -> dict[str, Any]:
    """The value of every parameter of an execution.

    Args:
        given: StartPipelineExecution's PipelineParameters: all values are texts.

    Raises:
        DefinitionError: for an unknown parameter, a wrong type, a missing value.
    """
    found: dict[str, Any] = {}
    for entry in given:
        parameter = definition.parameters.get(entry["Name"])
        if parameter is None:
            raise DefinitionError(f"Unknown parameter [{entry['Name']}]: the pipeline does not declare it.")
        if entry["Name"] in found:
            raise DefinitionError(f"Duplicate parameter [{entry['Name']}].")
        found[parameter.name] = _converted(parameter, entry["Value"])
    for parameter in definition.parameters.values():
        if parameter.name not in found:
            if parameter.default is None:
                raise DefinitionError(
                    f"Parameter [{parameter.name}] has no default and must be given a value."
                )
            found[parameter.name] = parameter.default
    return found


def _converted(parameter: Parameter, text: str) -> Any:
    try:
        value: Any = text
        if parameter.type == "Integer":
            value = int(text)
        elif parameter.type == "Float":
            value = float(text)
        elif parameter.type == "Boolean":
            value = {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        raise DefinitionError(
            f"Parameter [{parameter.name}] is of type {parameter.type}, which '{text}' is not."
        ) from None
    if parameter.choices is not None and value not in parameter.choices:
        allowed = ", ".join(str(choice) for choice in parameter.choices)
        raise DefinitionError(f"Parameter [{parameter.name}] must be one of {allowed}, not '{text}'.")
    return value


def _check_shapes(raw: Any, seen: set[str] | None = None) -> None:
    seen = set() if seen is None else seen
    if not isinstance(raw, list):
        raise _unparsable("Expecting start of Json Array.")
    for step in raw:
        if not isinstance(step, dict):
            raise _unparsable("Expecting start of Json Object.")
        name, kind = step.get("Name"), step.get("Type")
        if not isinstance(name, str) or not _STEP_NAME.match(name):
            raise _unparsable(f"The step name '{name}' must match {_STEP_NAME.pattern}")
        if name in seen:
            raise _unparsable(f"Duplicate step name '{name}'")
        seen.add(name)
        if kind in ELSEWHERE:
            raise _unparsable(f"Step '{name}': this emulator does not run steps of type '{kind}'")
        if kind not in TYPES:
            raise _unparsable(f"Step '{name}' has the unknown type '{kind}'")
        arguments = step.get("Arguments")
        if not isinstance(arguments, dict):
            raise _unparsable(f"Step '{name}' has no Arguments. Expecting start of Json Object.")
        if kind == "Condition":
            _check_condition(name, arguments, seen)
        elif kind == "Fail" and "ErrorMessage" not in arguments:
            raise _unparsable(f"Step '{name}' has no ErrorMessage")
        elif kind in OPERATIONS:
            operation, filled = OPERATIONS[kind]
            members = {k: v for k, v in arguments.items() if k not in filled}
            for refused in REFUSED.get(kind, ()):
                if refused in members:
                    raise _unparsable(f"Unknown Argument member '{refused}'")
            _check_members(members, _model().operation_model(operation).input_shape, filled)


def _check_condition(name: str, arguments: Mapping[str, Any], seen: set[str]) -> None:
    listed = arguments.get("Conditions")
    if not isinstance(listed, list) or not listed:
        raise _unparsable(f"Step '{name}' has no Conditions")
    for condition in listed:
        _check_condition_type(name, condition)
    for branch in ("IfSteps", "ElseSteps"):
        _check_shapes(arguments.get(branch) or [], seen)


def _check_condition_type(name: str, condition: Any) -> None:
    kind = condition.get("Type") if isinstance(condition, dict) else None
    if kind not in conditions.TYPES:
        raise _unparsable(f"Step '{name}' has a condition of the unknown type '{kind}'")
    inner = (
        condition.get("Conditions", [])
        if kind == "Or"
        else [condition.get("Expression")]
        if kind == "Not"
        else []
    )
    for one in inner:
        _check_condition_type(name, one)


@functools.cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker")


def _check_members(value: Any, shape: Any, filled: tuple[str, ...] = ()) -> None:
    """Whether a value has the form of a parameter of SageMaker, wherever it is not an expression."""
    if function(value) is not None:
        return
    if shape.type_name == "structure":
        if not isinstance(value, dict):
            raise _unparsable("Expecting start of Json Object.")
        for member, inner in value.items():
            if member not in shape.members:
                raise _unparsable(f"Unknown Argument member '{member}'")
            _check_members(inner, shape.members[member])
        for required in shape.required_members:
            if required not in value and required not in filled:
                raise _unparsable(f"Missing required Argument member '{required}'")
    elif shape.type_name == "list":
        if not isinstance(value, list):
            raise _unparsable("Expecting start of Json Array.")
        for inner in value:
            _check_members(inner, shape.member)
    elif shape.type_name == "map" and not isinstance(value, dict):
        raise _unparsable("Expecting start of Json Object.")


def _check_references(steps: tuple[graph.Step, ...], parameters: Mapping[str, Parameter]) -> None:
    by_name = {step.name: step for step in steps}
    for step in steps:
        looked_at = step.arguments.get("Conditions", []) if step.type == "Condition" else step.arguments
        for reference in references(looked_at):
            _check_reference(reference, by_name, parameters)
        for needed in step.needs:
            if needed not in by_name:
                raise ExpressionError(
                    f"Step '{step.name}' depends on the step '{needed}', which does not exist"
                )


def _check_reference(
    parts: list[str | int], steps: Mapping[str, graph.Step], parameters: Mapping[str, Parameter]
) -> None:
    text = ".".join(str(part) for part in parts)
    root, first = parts[0], parts[1] if len(parts) > 1 else None
    if root == "Parameters" and first in parameters:
        return
    if root == "Execution" and first in EXECUTION_VARIABLES:
        return
    if root == "Steps" and first in steps and len(parts) > 2:
        if parts[2] == "PropertyFiles" and (
            len(parts) < 4 or parts[3] not in steps[str(first)].property_files
        ):
            raise ExpressionError(f"'{text}' names a property file that the step does not declare")
        return
    raise ExpressionError(f"'{text}' cannot be resolved")
