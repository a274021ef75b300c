"""When two policy documents mean the same. Pure."""

import json
from typing import Any
from urllib.parse import unquote


def same_json(old: Any, new: Any) -> bool:
    """Whether two texts hold the same JSON value; texts that are no JSON are compared as they are."""
    try:
        return bool(json.loads(old) == json.loads(new))
    except (TypeError, ValueError):
        return bool(old == new)


def same_policy(old: Any, new: Any) -> bool:
    """Whether two policies are equivalent as IAM reads them: one value is a list of one, order says nothing.

    The real provider compares with awspolicyequivalence, which does the same.
    """
    try:
        return bool(_normal(json.loads(old)) == _normal(json.loads(new)))
    except (TypeError, ValueError):
        return bool(old == new)


def policy_text(document: Any) -> str:
    """A policy as IAM returns it, as JSON text: boto3 decodes the URL-encoded text into a mapping."""
    if isinstance(document, str):
        return unquote(document) if document.startswith("%7B") else document
    return json.dumps(document, separators=(",", ":"))


def _normal(policy: Any) -> Any:
    if not isinstance(policy, dict) or "Statement" not in policy:
        return policy
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    return {**policy, "Statement": sorted((_freeze(item) for item in statements), key=repr)}


def _freeze(value: Any) -> Any:
    """A mapping as sorted pairs; a list or a single value as a sorted list."""
    if isinstance(value, dict):
        return sorted(((key, _freeze(item)) for key, item in value.items()), key=repr)
    items = value if isinstance(value, list) else [value]
    return sorted(str(item).lower() if isinstance(item, bool) else str(item) for item in items)
