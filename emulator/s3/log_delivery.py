"""Whether S3 may deliver access logs to a bucket. moto's own check knows one resource as plain text only."""

from collections.abc import Mapping
from typing import Any

from moto.s3.models import FakeBucket

from emulator.context import Context
from emulator.s3.policy import like, statements
from emulator.services.patching import replace

SERVICE = "logging.s3.amazonaws.com"


def install(_context: Context) -> None:
    """Decide by the target bucket's policy."""

    def enabled(target_bucket: Any, target_prefix: str | None) -> bool:
        if not target_bucket.policy:
            return False
        text = target_bucket.policy
        policy = text.decode() if isinstance(text, bytes) else text
        return may_deliver(policy, f"arn:aws:s3:::{target_bucket.name}/{target_prefix or ''}2026-11-21-log")

    replace(FakeBucket, "_log_permissions_enabled_policy", staticmethod(enabled))


def may_deliver(policy: str, log: str) -> bool:
    """Whether the policy lets the logging service put the object of the ARN `log` ("Enabling server access
    logging", S3 user guide). Conditions bind the delivery itself, which AWS does not try at this moment."""
    return any(
        statement["Effect"] == "Allow"
        and SERVICE in _listed(_services(statement))
        and any(like("s3:PutObject", action) for action in _listed(statement.get("Action")))
        and any(like(log, resource) for resource in _listed(statement.get("Resource")))
        for statement in statements(policy)
    )


def _services(statement: Mapping[str, Any]) -> Any:
    principal = statement.get("Principal")
    return principal.get("Service") if isinstance(principal, dict) else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
