"""What Lambda refuses of a function's settings. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

from emulator.refusals import RefusalError

MAX_TIMEOUT = 900
MEMORY = (128, 10_240)
ENVIRONMENT_BYTES = 4096
UNRESERVED_MINIMUM = 100
ACCOUNT_CONCURRENCY = 1000
RESERVED = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    }
)
"""Lambda Developer Guide, "Defined runtime environment variables"."""
_VARIABLE = re.compile(r"^[a-zA-Z][a-zA-Z0-9_]+$")
_ROLE = re.compile(r"^arn:aws[a-z-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+$")
Params = Mapping[str, Any]


def wrong(message: str) -> RefusalError:
    """InvalidParameterValueException."""
    return RefusalError("InvalidParameterValueException", message)


def _out_of_range(name: str, value: Any, rule: str) -> RefusalError:
    return RefusalError(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {rule}",
    )


def settings(params: Params) -> None:
    """Refuse what neither CreateFunction nor UpdateFunctionConfiguration takes.

    Raises:
        RefusalError: ValidationException or InvalidParameterValueException.
    """
    timeout, memory, role = params.get("Timeout"), params.get("MemorySize"), params.get("Role")
    if timeout is not None and not 1 <= timeout <= MAX_TIMEOUT:
        side = f"less than or equal to {MAX_TIMEOUT}" if timeout > 1 else "greater than or equal to 1"
        raise _out_of_range("timeout", timeout, f"Member must have value {side}")
    if memory is not None and not MEMORY[0] <= memory <= MEMORY[1]:
        side = (
            f"greater than or equal to {MEMORY[0]}"
            if memory < MEMORY[0]
            else f"less than or equal to {MEMORY[1]}"
        )
        raise _out_of_range("memorySize", memory, f"Member must have value {side}")
    if role is not None and not _ROLE.match(role):
        raise _out_of_range("role", role, "Member must satisfy regular expression pattern of a role's ARN")
    _variables((params.get("Environment") or {}).get("Variables") or {})


def _variables(variables: Mapping[str, str]) -> None:
    bad = sorted(name for name in variables if not _VARIABLE.match(name) and name not in RESERVED)
    if bad:
        raise _out_of_range(
            "environment.variables",
            bad[0],
            "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: "
            "[a-zA-Z]([a-zA-Z0-9_])+]",
        )
    taken = sorted(RESERVED & variables.keys())
    if taken:
        raise wrong(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided contains reserved keys that are currently not supported for modification. Reserved keys used in "
            f"this request: {', '.join(taken)}"
        )
    size = len(json.dumps(dict(variables), separators=(",", ":")).encode())
    if size > ENVIRONMENT_BYTES:
        raise wrong(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            f"provided exceeded the {ENVIRONMENT_BYTES // 1024}KB limit. String measured: {size} bytes"
        )


def image(params: Params) -> str:
    """The image of a CreateFunction request.

    Raises:
        RefusalError: InvalidParameterValueException for what is no function of the package type Image.
        NotImplementedError: for a zip archive, which AWS takes and this emulator does not.
    """
    if params.get("PackageType", "Zip") != "Image":
        raise NotImplementedError("a function here is an image: PackageType Image with Code.ImageUri")
    if params.get("Runtime") or params.get("Handler"):
        raise wrong("Please don't provide Runtime or Handler or Layers when PackageType is Image.")
    uri = (params.get("Code") or {}).get("ImageUri")
    if not uri:
        raise wrong("Please provide ImageUri when updating a function with packageType Image.")
    return str(uri)


def reserved(wanted: int, others: int) -> None:
    """Refuse to reserve so much that less than 100 is left for functions without a reservation.

    Raises:
        RefusalError: InvalidParameterValueException.
    """
    if wanted < 0:
        raise _out_of_range(
            "reservedConcurrentExecutions", wanted, "Member must have value greater than or equal to 0"
        )
    if ACCOUNT_CONCURRENCY - others - wanted < UNRESERVED_MINIMUM:
        raise wrong(
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_MINIMUM}]."
        )


def assumable(trust: Mapping[str, Any]) -> bool:
    """Whether a role's trust policy lets Lambda take it."""
    statements = trust.get("Statement") or []
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal")
        services = principal.get("Service", []) if isinstance(principal, Mapping) else []
        services = [services] if isinstance(services, str) else services
        actions = statement.get("Action", [])
        actions = [actions] if isinstance(actions, str) else actions
        if (
            statement.get("Effect") == "Allow"
            and "lambda.amazonaws.com" in services
            and {"sts:AssumeRole", "sts:*", "*"} & set(actions)
        ):
            return True
    return False
