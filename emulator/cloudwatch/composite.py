"""The rule of a composite alarm: ALARM(x), OK(x), INSUFFICIENT_DATA(x), TRUE, FALSE, AND, OR, NOT. Pure."""

import re
from collections.abc import Mapping

from emulator.cloudwatch.errors import validation

_TOKEN = re.compile(
    r"\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"(?P<quoted>[^\"]+)\"|(?P<bare>[^\s()\"]+))\s*\)"
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<bracket>[()]))"
)


def alarms_in(rule: str) -> list[str]:
    """The names of the alarms that the rule reads.

    Raises:
        ServiceException: ValidationError if it cannot be read.
    """
    return [token[1] for token in _tokens(rule) if token[0] in ("ALARM", "OK", "INSUFFICIENT_DATA")]


def holds(rule: str, states: Mapping[str, str]) -> bool:
    """Whether the rule is true for these states; an alarm that is not there is in none.

    Raises:
        ServiceException: ValidationError if it cannot be read.
    """
    tokens = _tokens(rule)
    position = 0

    def peek() -> str:
        return tokens[position][0] if position < len(tokens) else ""

    def either() -> bool:
        nonlocal position
        value = both()
        while peek() == "OR":
            position += 1
            value = both() or value
        return value

    def both() -> bool:
        nonlocal position
        value = one()
        while peek() == "AND":
            position += 1
            value = one() and value
        return value

    def one() -> bool:
        nonlocal position
        kind = peek()
        if not kind:
            raise validation("AlarmRule must not end with an operator.")
        name = tokens[position][1]
        position += 1
        if kind == "NOT":
            return not one()
        if kind == "(":
            value = either()
            if peek() != ")":
                raise validation("AlarmRule has an open bracket.")
            position += 1
            return value
        if kind in ("TRUE", "FALSE"):
            return kind == "TRUE"
        if kind in ("ALARM", "OK", "INSUFFICIENT_DATA"):
            return states.get(name) == kind
        raise validation(f"AlarmRule cannot have {kind} there.")

    value = either()
    if position < len(tokens):
        raise validation(f"AlarmRule cannot have {tokens[position][0]} there.")
    return value


def _tokens(rule: str) -> list[tuple[str, str]]:
    found, position, rule = [], 0, rule.rstrip()
    while position < len(rule):
        match = _TOKEN.match(rule, position)
        if match is None:
            raise validation(f"Syntax error in AlarmRule at position {position}.")
        if match["state"]:
            name = match["quoted"] or match["bare"]
            found.append((match["state"], name.rsplit(":alarm:", 1)[-1]))
        else:
            found.append((match["word"] or match["bracket"], ""))
        position = match.end()
    if not found:
        raise validation("AlarmRule must not be empty.")
    return found
