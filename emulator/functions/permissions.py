"""The resource policy of a function: who may invoke it. Pure."""

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from emulator.functions.state import Function
from emulator.refusals import RefusalError


def statement(function: Function, params: Mapping[str, Any]) -> dict[str, Any]:
    """The policy statement that an AddPermission request asks for."""
    principal = str(params["Principal"])
    conditions: dict[str, dict[str, str]] = {}
    if params.get("SourceArn"):
        conditions.setdefault("ArnLike", {})["AWS:SourceArn"] = params["SourceArn"]
    if params.get("SourceAccount"):
        conditions.setdefault("StringEquals", {})["AWS:SourceAccount"] = params["SourceAccount"]
    who: Any = {"Service": principal} if principal.endswith(".amazonaws.com") else {"AWS": _person(principal)}
    made = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else who,
        "Action": params["Action"],
        "Resource": function.arn,
    }
    return {**made, **({"Condition": conditions} if conditions else {})}


def _person(principal: str) -> str:
    return f"arn:aws:iam::{principal}:root" if principal.isdigit() else principal


def add(function: Function, params: Mapping[str, Any]) -> dict[str, Any]:
    """Add a statement.

    Raises:
        RefusalError: ResourceConflictException if the id is taken.
    """
    sid = str(params["StatementId"])
    if sid in function.statements:
        raise RefusalError(
            "ResourceConflictException",
            f"The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the "
            "existing statement.",
        )
    function.statements[sid] = statement(function, params)
    return function.statements[sid]


def remove(function: Function, sid: str) -> None:
    """Take a statement away.

    Raises:
        RefusalError: ResourceNotFoundException.
    """
    if function.statements.pop(sid, None) is None:
        raise RefusalError("ResourceNotFoundException", f"Statement {sid} is not found in resource policy.")


def policy(function: Function) -> str:
    """The policy document.

    Raises:
        RefusalError: ResourceNotFoundException if there is no statement.
    """
    if not function.statements:
        raise RefusalError("ResourceNotFoundException", "The resource you requested does not exist.")
    statements = list(function.statements.values())
    return json.dumps({"Version": "2012-10-17", "Id": "default", "Statement": statements})


def allows(function: Function, service: str, source_arn: str, source_account: str) -> bool:
    """Whether the AWS service may invoke the function on behalf of the source."""
    return any(_matches(each, service, source_arn, source_account) for each in function.statements.values())


def _matches(each: Mapping[str, Any], service: str, source_arn: str, source_account: str) -> bool:
    principal = each["Principal"]
    if principal != "*" and principal.get("Service") != service:
        return False
    if each["Action"] not in ("lambda:InvokeFunction", "lambda:*", "*"):
        return False
    conditions = each.get("Condition") or {}
    pattern = (conditions.get("ArnLike") or {}).get("AWS:SourceArn")
    account = (conditions.get("StringEquals") or {}).get("AWS:SourceAccount")
    return (pattern is None or fnmatchcase(source_arn, pattern)) and (
        account is None or account == source_account
    )
