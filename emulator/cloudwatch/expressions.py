"""Metric math (CloudWatch User Guide, "Using math expressions"): the common part of it. Pure.

Values are scalars (float), series (epoch second -> float) and lists of series. A point that is missing in one of two
series is missing in the result, as CloudWatch does.
"""

import itertools
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

SeriesValue = dict[int, float]
Value = float | SeriesValue | list[SeriesValue]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[A-Za-z_]\w*)|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<op>==|!=|<=|>=|&&|\|\||[-+*/^<>(),\[\]]))"
)
_BINARY: dict[str, tuple[int, Callable[[float, float], float]]] = {
    "OR": (1, lambda a, b: float(bool(a) or bool(b))),
    "||": (1, lambda a, b: float(bool(a) or bool(b))),
    "AND": (2, lambda a, b: float(bool(a) and bool(b))),
    "&&": (2, lambda a, b: float(bool(a) and bool(b))),
    "==": (3, lambda a, b: float(a == b)),
    "!=": (3, lambda a, b: float(a != b)),
    "<": (4, lambda a, b: float(a < b)),
    "<=": (4, lambda a, b: float(a <= b)),
    ">": (4, lambda a, b: float(a > b)),
    ">=": (4, lambda a, b: float(a >= b)),
    "+": (5, operator.add),
    "-": (5, operator.sub),
    "*": (6, operator.mul),
    "/": (6, lambda a, b: a / b if b else math.nan),
    "^": (8, lambda a, b: float(a**b)),
}
_UNARY_BINDING = 7


class ExpressionError(ValueError):
    """The expression is wrong, or uses a part of metric math that is not done here. Its text says which."""


@dataclass(frozen=True)
class Scope:
    """What an expression sees: the values of other queries, those that are metrics (for METRICS()), the period and
    the starts of the periods asked for, in order."""

    values: Mapping[str, Value]
    metrics: Sequence[str]
    period: int
    times: Sequence[int]


def evaluate(text: str, scope: Scope) -> Value:
    """The value of an expression.

    Raises:
        ExpressionError: if it cannot be read, names what is not there, or needs an unknown function.
    """
    return _Reader(tokens(text), scope).whole()


def names(text: str) -> list[str]:
    """The ids that an expression refers to: names that are no function and no word of the language."""
    found = tokens(text)
    return [
        token
        for position, (kind, token) in enumerate(found)
        if kind == "name"
        and token.upper() not in ("AND", "OR")
        and found[position + 1 : position + 2] != [("op", "(")]
    ]


def tokens(text: str) -> list[tuple[str, str]]:
    """Pairs of kind (number, name, text, op) and token."""
    found, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(f"Error in expression: unexpected character at position {position}")
        kind = match.lastgroup or ""
        found.append((kind, match.group(kind)))
        position = match.end()
    return found


class _Reader:
    """A precedence-climbing parser that computes as it reads."""

    def __init__(self, found: list[tuple[str, str]], scope: Scope) -> None:
        self.tokens, self.scope, self.position = found, scope, 0

    def whole(self) -> Value:
        value = self.expression(0)
        if self.position < len(self.tokens):
            raise ExpressionError(f"Error in expression: unexpected '{self.tokens[self.position][1]}'")
        return value

    def peek(self) -> str:
        return self.tokens[self.position][1] if self.position < len(self.tokens) else ""

    def take(self, wanted: str | None = None) -> tuple[str, str]:
        if self.position >= len(self.tokens):
            raise ExpressionError("Error in expression: it ends too early")
        token = self.tokens[self.position]
        if wanted is not None and token[1] != wanted:
            raise ExpressionError(f"Error in expression: expected '{wanted}' and found '{token[1]}'")
        self.position += 1
        return token

    def expression(self, binding: int) -> Value:
        left = self.operand()
        while True:
            symbol = self.peek().upper()
            if symbol not in _BINARY or _BINARY[symbol][0] <= binding:
                return left
            self.take()
            power, function = _BINARY[symbol]
            left = _combine(function, left, self.expression(power))

    def operand(self) -> Value:
        kind, token = self.take()
        if kind == "number":
            return float(token)
        if token == "-":
            return _combine(operator.mul, -1.0, self.expression(_UNARY_BINDING))
        if token == "(":
            value = self.expression(0)
            self.take(")")
            return value
        if token == "[":
            return _flatten(self.arguments("]"))
        if kind == "name" and self.peek() == "(":
            self.take()
            return self.call(token.upper())
        if kind == "name":
            if token not in self.scope.values:
                raise ExpressionError(f"Error in expression: '{token}' is not the Id of a query")
            return self.scope.values[token]
        raise ExpressionError(f"Error in expression: unexpected '{token}'")

    def arguments(self, closing: str) -> list[Value]:
        found: list[Value] = []
        while self.peek() != closing:
            found.append(self.expression(0))
            if self.peek() == ",":
                self.take()
            elif self.peek() != closing:
                raise ExpressionError(f"Error in expression: expected '{closing}' and found '{self.peek()}'")
        self.take(closing)
        return found

    def call(self, function: str) -> Value:
        if function == "METRICS":
            wanted = self.take()[1].strip("\"'") if self.peek() != ")" else ""
            self.take(")")
            chosen = [name for name in self.scope.metrics if wanted in name]
            return _flatten([self.scope.values[name] for name in chosen])
        if function == "FILL":
            return self.fill()
        return _call(function, self.arguments(")"), self.scope)

    def fill(self) -> Value:
        value = self.expression(0)
        self.take(",")
        if self.peek().upper() in ("REPEAT", "LINEAR"):
            how: str | float = self.take()[1].upper()
        else:
            scalar = self.expression(0)
            if not isinstance(scalar, float):
                raise ExpressionError("Error in expression: FILL takes a number, REPEAT or LINEAR")
            how = scalar
        self.take(")")
        return _each(lambda series: _filled(series, how, self.scope.times), value)


def _flatten(values: Sequence[Value]) -> list[SeriesValue]:
    found: list[SeriesValue] = []
    for value in values:
        if isinstance(value, list):
            found += value
        elif isinstance(value, dict):
            found.append(value)
        else:
            raise ExpressionError("Error in expression: a list holds series, not numbers")
    return found


def _clean(series: Mapping[int, float]) -> SeriesValue:
    return {time: value for time, value in series.items() if math.isfinite(value)}


def _each(function: Callable[[SeriesValue], Value], value: Value) -> Value:
    if isinstance(value, list):
        return [result for each in value if isinstance(result := function(each), dict)]
    if isinstance(value, dict):
        return function(value)
    raise ExpressionError("Error in expression: this function takes a series, not a number")


def _combine(function: Callable[[float, float], float], left: Value, right: Value) -> Value:
    if isinstance(left, float) and isinstance(right, float):
        return function(left, right)
    if isinstance(left, list) and isinstance(right, list):
        raise ExpressionError("Error in expression: an operator cannot join two lists of series")
    if isinstance(left, list):
        return [_pair(function, each, right) for each in left if not isinstance(right, list)]
    if isinstance(right, list):
        return [_pair(function, left, each) for each in right]
    return _pair(function, left, right)


def _pair(
    function: Callable[[float, float], float], left: float | SeriesValue, right: float | SeriesValue
) -> SeriesValue:
    if isinstance(left, dict) and isinstance(right, dict):
        return _clean(
            {time: function(left[time], right[time]) for time in sorted(left.keys() & right.keys())}
        )
    if isinstance(left, dict):
        assert isinstance(right, float)
        return _clean({time: function(value, right) for time, value in left.items()})
    assert isinstance(right, dict)
    return _clean({time: function(left, value) for time, value in right.items()})


def _filled(series: SeriesValue, how: str | float, times: Sequence[int]) -> SeriesValue:
    if isinstance(how, float):
        return {time: series.get(time, how) for time in times}
    known = sorted(series)
    filled: SeriesValue = {}
    for time in times:
        before = [each for each in known if each <= time]
        after = [each for each in known if each >= time]
        if time in series:
            filled[time] = series[time]
        elif how == "REPEAT" and before:
            filled[time] = series[before[-1]]
        elif how == "LINEAR" and before and after:
            share = (time - before[-1]) / (after[0] - before[-1])
            filled[time] = series[before[-1]] + share * (series[after[0]] - series[before[-1]])
    return filled


_REDUCERS: dict[str, Callable[[Sequence[float]], float]] = {
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MAX": max,
    "MIN": min,
}


def _reduce(function: str, arguments: list[Value]) -> Value:
    """SUM, AVG, MAX, MIN: of a list, a series point by point; of one series, a number."""
    reducer = _REDUCERS[function]
    if len(arguments) == 1 and isinstance(arguments[0], dict):
        return reducer(list(arguments[0].values())) if arguments[0] else {}
    if all(isinstance(argument, float) for argument in arguments):
        return reducer([argument for argument in arguments if isinstance(argument, float)])
    numbers = [argument for argument in arguments if isinstance(argument, float)]
    series = _flatten([argument for argument in arguments if not isinstance(argument, float)])
    times = sorted({time for each in series for time in each})
    return {time: reducer([each[time] for each in series if time in each] + numbers) for time in times}


def _if(arguments: list[Value]) -> Value:
    if len(arguments) not in (2, 3) or any(isinstance(argument, list) for argument in arguments):
        raise ExpressionError("Error in expression: IF takes a condition, a value and another value")
    condition, then = arguments[0], arguments[1]
    other = arguments[2] if len(arguments) == 3 else {}
    if isinstance(condition, float):
        return then if condition else other
    assert isinstance(condition, dict)
    chosen: SeriesValue = {}
    for time, holds in condition.items():
        branch = then if holds else other
        if isinstance(branch, float):
            chosen[time] = branch
        elif isinstance(branch, dict) and time in branch:
            chosen[time] = branch[time]
    return chosen


def _change(series: SeriesValue, per_second: bool) -> SeriesValue:
    times = sorted(series)
    return {
        after: (series[after] - series[before]) / ((after - before) if per_second else 1)
        for before, after in itertools.pairwise(times)
    }


def _running_sum(series: SeriesValue) -> SeriesValue:
    total, found = 0.0, {}
    for time in sorted(series):
        total += series[time]
        found[time] = total
    return found


_MAPS: dict[str, Callable[[float], float]] = {
    "ABS": abs,
    "CEIL": lambda value: float(math.ceil(value)),
    "FLOOR": lambda value: float(math.floor(value)),
    "LOG": lambda value: math.log(value) if value > 0 else math.nan,
    "LOG10": lambda value: math.log10(value) if value > 0 else math.nan,
}


def _call(function: str, arguments: list[Value], scope: Scope) -> Value:
    if not arguments:
        raise ExpressionError(f"Error in expression: {function} needs an argument")
    if function in _REDUCERS:
        return _reduce(function, arguments)
    if function == "IF":
        return _if(arguments)
    if function == "PERIOD":
        return float(scope.period)
    if function in _MAPS:
        change = _MAPS[function]
        if isinstance(arguments[0], float):
            return change(arguments[0])
        return _each(
            lambda series: _clean({time: change(value) for time, value in series.items()}), arguments[0]
        )
    if function in ("RATE", "DIFF"):
        return _each(lambda series: _change(series, function == "RATE"), arguments[0])
    if function == "RUNNING_SUM":
        return _each(_running_sum, arguments[0])
    if function == "TIME_SERIES":
        number = arguments[0]
        if not isinstance(number, float):
            raise ExpressionError("Error in expression: TIME_SERIES takes a number")
        return dict.fromkeys(scope.times, number)
    if function == "DATAPOINT_COUNT":
        return _each(lambda series: float(len(series)), arguments[0])
    raise ExpressionError(f"Error in expression: the function {function} is not supported")
