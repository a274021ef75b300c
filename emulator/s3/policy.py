"""Evaluation of resource policies with their conditions (IAM User Guide, "Policy evaluation logic"). Pure."""

import ipaddress
import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

Effect = Literal["Allow", "Deny", "Neutral"]


class MalformedPolicyError(ValueError):
    """The policy is not one that AWS would store. Its text is AWS's."""


@dataclass(frozen=True)
class Principal:
    """Who asks. `arn` is the user, or the session of a role; `role` the role's own ARN."""

    account: str
    arn: str
    role: str | None = None
    anonymous: bool = False

    @property
    def arns(self) -> tuple[str, ...]:
        return (self.arn,) if self.role is None else (self.arn, self.role)


@dataclass(frozen=True)
class Request:
    """What is asked. The names of context keys are in lower case; a key that is not there is absent for Null.

    A key may have several values where the emulator cannot tell which one AWS would see (the endpoint of the VPC):
    then equality holds if any is equal, and inequality if none is.
    """

    principal: Principal
    action: str
    resource: str
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)


def evaluate(policy: str, request: Request) -> Effect:
    """`Deny` if any statement denies, else `Allow` if any allows, else `Neutral`.

    Raises:
        MalformedPolicyError: if the policy cannot be read.
    """
    effects = {statement["Effect"] for statement in statements(policy) if applies(statement, request)}
    return "Deny" if "Deny" in effects else "Allow" if "Allow" in effects else "Neutral"


@lru_cache(maxsize=512)
def statements(policy: str) -> tuple[Mapping[str, Any], ...]:
    """The statements of a resource policy, checked.

    Raises:
        MalformedPolicyError: naming what is wrong, in AWS's words.
    """
    try:
        document = json.loads(policy)
    except ValueError:
        raise MalformedPolicyError("Policies must be valid JSON and the first byte must be '{'") from None
    found = _list(document.get("Statement")) if isinstance(document, dict) else []
    if not found:
        raise MalformedPolicyError("Missing required field Statement")
    for statement in found:
        if not isinstance(statement, dict):
            raise MalformedPolicyError("Statement must be an object")
        if statement.get("Effect") not in ("Allow", "Deny"):
            raise MalformedPolicyError(f"Invalid effect: {statement.get('Effect')}")
        for names in (("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")):
            if sum(name in statement for name in names) != 1:
                raise MalformedPolicyError(f"Missing required field {names[0]}")
        for name in statement.get("Condition") or {}:
            if _operator(name)[1] is None:
                raise MalformedPolicyError(f"Invalid Condition type : {name}")
    return tuple(found)


def applies(statement: Mapping[str, Any], request: Request) -> bool:
    """Whether the statement is about this request."""
    named = _names(statement.get("Principal", statement.get("NotPrincipal")), request.principal)
    acts = any(like(request.action.lower(), each.lower()) for each in _list(_either(statement, "Action")))
    lies = any(like(request.resource, each) for each in _list(_either(statement, "Resource")))
    return (
        named == ("Principal" in statement)
        and acts == ("Action" in statement)
        and lies == ("Resource" in statement)
        and all(
            _holds(operator, key, _list(values), request.context)
            for operator, keys in (statement.get("Condition") or {}).items()
            for key, values in keys.items()
        )
    )


def is_public(policy: str) -> bool:
    """Whether S3 calls the policy public: it allows a wildcard principal, and no condition pins who that is
    (S3 User Guide, "The meaning of public").

    Raises:
        MalformedPolicyError: if the policy cannot be read.
    """
    return any(
        statement["Effect"] == "Allow"
        and ("NotPrincipal" in statement or _is_wildcard(statement.get("Principal")))
        and not any(_pins(operator, keys) for operator, keys in (statement.get("Condition") or {}).items())
        for statement in statements(policy)
    )


_PINNING = frozenset(
    {
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:sourceip",
        "aws:sourcearn",
        "aws:sourceaccount",
        "aws:sourceowner",
        "aws:userid",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "s3:dataaccesspointarn",
        "s3:dataaccesspointaccount",
    }
)


def _pins(operator: str, keys: Mapping[str, Any]) -> bool:
    if "Not" in operator or operator.endswith("IfExists") or operator == "Null":
        return False
    return any(
        key.lower() in _PINNING and all("*" not in str(value) for value in _list(values))
        for key, values in keys.items()
    )


def _is_wildcard(principal: Any) -> bool:
    return principal == "*" or (isinstance(principal, dict) and "*" in _list(principal.get("AWS")))


def _names(principal: Any, who: Principal) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, dict):
        return False
    for name in _list(principal.get("AWS")):
        if name == "*":
            return True
        if who.anonymous:
            continue
        # An account's root stands for everyone in it.
        if name in (who.account, f"arn:aws:iam::{who.account}:root", *who.arns):
            return True
    return False


def like(value: str, pattern: str) -> bool:
    """Whether `value` matches a pattern with `*` and `?`; case counts."""
    return bool(_pattern(pattern).fullmatch(value))


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in text), re.DOTALL)


def _either(statement: Mapping[str, Any], name: str) -> Any:
    return statement.get(name, statement.get(f"Not{name}"))


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


Test = Callable[[str, str], bool]


def _moment(text: str) -> datetime:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return datetime.fromtimestamp(float(text), UTC)
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _number(test: Callable[[float, float], bool]) -> Test:
    return lambda value, wanted: test(float(value), float(wanted))


def _date(test: Callable[[datetime, datetime], bool]) -> Test:
    return lambda value, wanted: test(_moment(value), _moment(wanted))


def _arn_like(value: str, wanted: str) -> bool:
    """Part by part: a wildcard in one part of an ARN does not reach over a colon."""
    parts, patterns = value.split(":", 5), wanted.split(":", 5)
    return len(parts) == len(patterns) and all(map(like, parts, patterns))


_TESTS: Mapping[str, Test] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": like,
    "NumericEquals": _number(lambda a, b: a == b),
    "NumericLessThan": _number(lambda a, b: a < b),
    "NumericLessThanEquals": _number(lambda a, b: a <= b),
    "NumericGreaterThan": _number(lambda a, b: a > b),
    "NumericGreaterThanEquals": _number(lambda a, b: a >= b),
    "DateEquals": _date(lambda a, b: a == b),
    "DateLessThan": _date(lambda a, b: a < b),
    "DateLessThanEquals": _date(lambda a, b: a <= b),
    "DateGreaterThan": _date(lambda a, b: a > b),
    "DateGreaterThanEquals": _date(lambda a, b: a >= b),
    "Bool": lambda value, wanted: value.lower() == wanted.lower(),
    "BinaryEquals": lambda value, wanted: value == wanted,
    "IpAddress": lambda value, wanted: (
        ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
    ),
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Null": operator.eq,
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}


def _operator(name: str) -> tuple[str, Test | None, bool, bool]:
    """The set qualifier (or ""), the test, whether it is negated, and whether an absent key passes."""
    qualifier, _, rest = name.rpartition(":")
    if_exists = rest.endswith("IfExists")
    base = rest.removesuffix("IfExists")
    negated = base in _NEGATED
    test = _TESTS.get(_NEGATED.get(base, base))
    if qualifier not in ("", "ForAllValues", "ForAnyValue") or (base == "Null" and if_exists):
        test = None
    return qualifier, test, negated, if_exists


def _holds(name: str, key: str, wanted: Sequence[Any], context: Mapping[str, Sequence[str]]) -> bool:
    texts = [str(each).lower() if isinstance(each, bool) else str(each) for each in wanted]
    values = context.get(key.lower())
    if name == "Null":
        return any((values is None) == (text.lower() == "true") for text in texts)
    qualifier, test, negated, if_exists = _operator(name)
    if test is None:
        return False
    if values is None:
        # A negated test holds for what is not there; so do IfExists and "all of none".
        return if_exists or qualifier == "ForAllValues" or (negated and not qualifier)

    def matches(value: str) -> bool:
        try:
            return any(test(value, text) for text in texts)
        except ValueError:
            return False

    if qualifier == "ForAllValues":
        return all(matches(value) != negated for value in values)
    if qualifier == "ForAnyValue":
        return any(matches(value) != negated for value in values)
    return not any(map(matches, values)) if negated else any(map(matches, values))
