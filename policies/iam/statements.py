"""The one builder of IAM statements. It refuses what least privilege refuses, while the program builds."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from sluice.errors import SluiceError

Conditions = Mapping[str, Mapping[str, str | Sequence[str]]]

TAKES_NO_ARN = frozenset(
    {
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetMetricData",
        "cloudwatch:PutMetricData",
        "ec2:DescribeDhcpOptions",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcEndpoints",
        "ec2:DescribeVpcs",
        "ecr:GetAuthorizationToken",
        "sagemaker:ListModelPackages",
    }
)
"""Actions that may be granted on `*`: the Service Authorization Reference gives them no resource type."""


class Statement(TypedDict):
    """One statement of a policy document."""

    Sid: str
    Effect: str
    Action: list[str]
    Resource: NotRequired[list[str]]
    Principal: NotRequired[Any]
    Condition: NotRequired[dict[str, Any]]


def allow(
    sid: str, actions: Iterable[str], resources: Iterable[str], conditions: Conditions | None = None
) -> Statement:
    """A statement that grants `actions` on `resources`.

    Raises:
        SluiceError: for an action that ends in `:*` or is `*`, and for the resource `*` with an action that can
            name its resources.
    """
    statement = _statement(sid, "Allow", actions, resources, conditions)
    for action in statement["Action"]:
        service, _, verb = action.partition(":")
        if not verb or verb == "*" or service == "*":
            raise SluiceError(
                f"statement {sid} grants {action}: a whole service is never granted",
                "Name the actions.",
            )
        if "*" in statement.get("Resource", []) and action not in TAKES_NO_ARN:
            raise SluiceError(
                f"statement {sid} grants {action} on every resource, and it takes an ARN",
                "Name the resources.",
            )
    return statement


def deny(
    sid: str, actions: Iterable[str], resources: Iterable[str], conditions: Conditions | None = None
) -> Statement:
    """A statement that forbids; wildcards are welcome here."""
    return _statement(sid, "Deny", actions, resources, conditions)


def with_principal(statement: Statement, principal: Any) -> Statement:
    """The statement as it stands in a resource's policy."""
    return {**statement, "Principal": principal}


def document(*statements: Statement) -> str:
    """A policy document in JSON, the same bytes for the same statements.

    Raises:
        SluiceError: if two statements share a Sid.
    """
    sids = [statement["Sid"] for statement in statements]
    if twice := sorted({sid for sid in sids if sids.count(sid) > 1}):
        raise SluiceError(
            f"a policy document has two statements named {', '.join(twice)}", "Give each its own Sid."
        )
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, sort_keys=True)


def service_trust(service: str, account_id: str, region: str | None = None) -> str:
    """A trust policy for an AWS service, on behalf of this account alone (the confused-deputy rule that AWS
    documents for SageMaker: `aws:SourceAccount` always, `aws:SourceArn` where the service sends it)."""
    conditions: dict[str, dict[str, str]] = {"StringEquals": {"aws:SourceAccount": account_id}}
    if region is not None:
        name = service.split(".")[0]
        conditions["ArnLike"] = {"aws:SourceArn": f"arn:aws:{name}:{region}:{account_id}:*"}
    trust: Statement = {
        "Sid": "ServiceOfThisAccount",
        "Effect": "Allow",
        "Action": ["sts:AssumeRole"],
        "Principal": {"Service": service},
        "Condition": conditions,
    }
    return document(trust)


def _statement(
    sid: str, effect: str, actions: Iterable[str], resources: Iterable[str], conditions: Conditions | None
) -> Statement:
    statement: Statement = {
        "Sid": sid,
        "Effect": effect,
        "Action": sorted(set(actions)),
        "Resource": sorted(set(resources)),
    }
    if conditions:
        statement["Condition"] = {operator: dict(keys) for operator, keys in conditions.items()}
    return statement
