"""The expressions of a pipeline definition: `Get`, `Std:Join` and `Std:JsonGet`. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

FUNCTIONS = ("Get", "Std:Join", "Std:JsonGet")
EXECUTION_VARIABLES = (
    "StartDateTime",
    "CurrentDateTime",
    "PipelineName",
    "PipelineArn",
    "PipelineExecutionId",
    "PipelineExecutionArn",
)

_TOKEN = re.compile(
    r"""\.?(?P<name>[A-Za-z0-9_:/-]+)|\[(?P<index>\d+)\]|\[(?P<quote>['"])(?P<key>.*?)(?P=quote)\]"""
)
_KEYS = ("OutputName", "InputName", "ChannelName", "Name", "Key")
"""What names the elements of SageMaker's lists, so that `Outputs['train']` finds one."""


class ExpressionError(ValueError):
    """An expression that is malformed, or has no value."""


@dataclass(frozen=True)
class Scope:
    """What expressions can refer to.

    Attributes:
        steps: what Describe answered for each step that succeeded.
        property_file: the JSON value of a step's property file.
        document: the JSON value of an object in S3.
    """

    parameters: Mapping[str, Any]
    execution: Mapping[str, Any]
    steps: Mapping[str, Any] = field(default_factory=dict)
    property_file: Callable[[str, str], Any] | None = None
    document: Callable[[str], Any] | None = None


def function(value: Any) -> str | None:
    """The function that a JSON value calls; None if it is plain."""
    if isinstance(value, dict) and len(value) == 1:
        name: str = next(iter(value))
        return name if name in FUNCTIONS else None
    return None


def path(text: str) -> list[str | int]:
    """The parts of `a.b[0]['c']`.

    Raises:
        ExpressionError: if it is no such path.
    """
    parts: list[str | int] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(f"{text!r} is no path")
        if match["index"] is not None:
            parts.append(int(match["index"]))
        else:
            parts.append(match["name"] if match["name"] is not None else match["key"])
        at = match.end()
    if not parts:
        raise ExpressionError("an empty path")
    return parts


def walk(value: Any, parts: list[str | int], whole: str) -> Any:
    """What lies at `parts` in a JSON value; elements of lists are found by index or by their name.

    Raises:
        ExpressionError: if there is nothing; `whole` names the path in the message.
    """
    for part in parts:
        if isinstance(value, list):
            value = _element(value, part, whole)
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            raise ExpressionError(f"{whole!r} has no value: there is no {part!r}")
    return value


def _element(values: list[Any], part: str | int, whole: str) -> Any:
    if isinstance(part, int) and part < len(values):
        return values[part]
    for value in values:
        if isinstance(value, Mapping) and any(value.get(key) == part for key in _KEYS):
            return value
    raise ExpressionError(f"{whole!r} has no value: there is no {part!r}")


def references(value: Any) -> Iterator[list[str | int]]:
    """The path of every `Get` in a JSON value.

    Raises:
        ExpressionError: if one is malformed.
    """
    if function(value) == "Get":
        if not isinstance(value["Get"], str):
            raise ExpressionError("Get takes the path of a value")
        yield path(value["Get"])
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolve(value: Any, scope: Scope) -> Any:
    """The JSON value with every expression replaced by what it means.

    Raises:
        ExpressionError: if one is malformed or has no value.
    """
    called = function(value)
    if called == "Get":
        return _get(value["Get"], scope)
    if called == "Std:Join":
        return _join(value["Std:Join"], scope)
    if called == "Std:JsonGet":
        return _json_get(value["Std:JsonGet"], scope)
    if isinstance(value, Mapping):
        return {key: resolve(inner, scope) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolve(inner, scope) for inner in value]
    return value


def _get(text: str, scope: Scope) -> Any:
    root, *rest = path(text)
    if root == "Parameters":
        return walk(scope.parameters, rest, text)
    if root == "Execution":
        return walk(scope.execution, rest, text)
    if root == "Steps" and rest:
        return walk(scope.steps, rest, text)
    raise ExpressionError(f"{text!r} begins with neither Parameters, Steps nor Execution")


def _join(arguments: Any, scope: Scope) -> str:
    try:
        separator, values = arguments.get("On", ""), arguments["Values"]
    except (AttributeError, KeyError):
        raise ExpressionError("Std:Join takes On and Values") from None
    return str(separator).join(_text(resolve(value, scope)) for value in values)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list):
        raise ExpressionError("Std:Join joins single values, no structures")
    return str(value)


def property_file(reference: Any) -> tuple[str, str]:
    """The step and the property file of `{"Get": "Steps.<step>.PropertyFiles.<file>"}`.

    Raises:
        ExpressionError: if it is anything else.
    """
    if function(reference) == "Get":
        parts = path(reference["Get"])
        if len(parts) == 4 and parts[0] == "Steps" and parts[2] == "PropertyFiles":
            return str(parts[1]), str(parts[3])
    raise ExpressionError('PropertyFile takes {"Get": "Steps.<step>.PropertyFiles.<file>"}')


def _json_get(arguments: Any, scope: Scope) -> Any:
    if not isinstance(arguments, Mapping) or "Path" not in arguments:
        raise ExpressionError("Std:JsonGet takes PropertyFile or S3Uri, and Path")
    whole = str(resolve(arguments["Path"], scope))
    if "PropertyFile" in arguments and scope.property_file is not None:
        document = scope.property_file(*property_file(arguments["PropertyFile"]))
    elif "S3Uri" in arguments and scope.document is not None:
        document = scope.document(str(resolve(arguments["S3Uri"], scope)))
    else:
        raise ExpressionError("Std:JsonGet takes PropertyFile or S3Uri, and Path")
    return walk(document, path(whole), whole)
