"""The conditions of a Condition step. Pure."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from emulator.sagemaker.pipelines.expressions import ExpressionError, Scope, resolve

ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
TYPES = ("Equals", *ORDER, "In", "Not", "Or")


def outcome(conditions: list[Any], scope: Scope) -> bool:
    """Whether all conditions of a step hold.

    Raises:
        ExpressionError: if one is malformed or compares what cannot be compared.
    """
    # No short cut: a condition that cannot be evaluated fails the step whatever stands before it.
    results = [holds(condition, scope) for condition in conditions]
    return all(results)


def holds(condition: Any, scope: Scope) -> bool:
    """Whether one condition holds.

    Raises:
        ExpressionError: as `outcome`.
    """
    kind = str(condition.get("Type")) if isinstance(condition, Mapping) else "None"
    try:
        if kind == "Equals":
            return same(resolve(condition["LeftValue"], scope), resolve(condition["RightValue"], scope))
        if kind in ORDER:
            return _ordered(
                kind, resolve(condition["LeftValue"], scope), resolve(condition["RightValue"], scope)
            )
        if kind == "In":
            value = resolve(condition["QueryValue"], scope)
            choices = [resolve(choice, scope) for choice in condition["Values"]]
            return any(same(value, choice) for choice in choices)
        if kind == "Not":
            return not holds(condition["Expression"], scope)
        if kind == "Or":
            results = [holds(inner, scope) for inner in condition["Conditions"]]
            return any(results)
    except KeyError as missing:
        raise ExpressionError(f"the condition {kind} lacks {missing}") from None
    raise ExpressionError(f"the condition type {kind!r} is not one of {', '.join(TYPES)}")


def same(left: Any, right: Any) -> bool:
    """Equality of JSON values: `true` is not 1, and `"1"` is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return isinstance(left, bool) and isinstance(right, bool) and left == right
    return bool(left == right)


def _ordered(kind: str, left: Any, right: Any) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (left, right))
    texts = isinstance(left, str) and isinstance(right, str)
    if not numbers and not texts:
        raise ExpressionError(f"{kind} cannot compare {left!r} with {right!r}")
    return ORDER[kind](left, right)
