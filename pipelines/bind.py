"""What differs between environments stands in a definition as sentinels; binding replaces them.

Sentinels are well formed, because the SageMaker SDK checks roles, images and keys when the definition is built. Only
whole JSON values are replaced, and the bucket of an S3 URI; text is never searched, so nothing is replaced by chance.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from sluice.errors import SluiceError

MARK = "sluice-bind-"
_NO_DIGEST = "sha256:" + "0" * 64


def _role(name: str) -> str:
    return f"arn:aws:iam::000000000000:role/{MARK}{name}"


def _image(name: str) -> str:
    return f"000000000000.dkr.ecr.us-east-1.amazonaws.com/{MARK}{name}@{_NO_DIGEST}"


def _key(name: str) -> str:
    return f"arn:aws:kms:us-east-1:000000000000:key/{MARK}{name}"


SENTINELS: Mapping[str, Any] = {
    "isolated-role": _role("isolated-role"),
    "connected-role": _role("connected-role"),
    "steps-image": _image("steps-image"),
    "serving-image": _image("serving-image"),
    "data-bucket": f"{MARK}data-bucket",
    "artifacts-bucket": f"{MARK}artifacts-bucket",
    "artifacts-key": _key("artifacts-key"),
    # One element stands for the whole list, whose length differs between environments.
    "subnets": [f"{MARK}subnets"],
    "security-groups": [f"{MARK}security-groups"],
    "endpoint-name": f"{MARK}endpoint-name",
}
"""What a binding's name stands for in a definition."""


def bind(definition: Mapping[str, Any], bindings: Mapping[str, Any]) -> dict[str, Any]:
    """The definition with every sentinel replaced by the binding of its name.

    Args:
        definition: as built.
        bindings: a JSON value for each name of `SENTINELS` that the definition uses.

    Raises:
        SluiceError: if a name is unknown, or a sentinel is left; it names the path of each.
    """
    unknown = sorted(set(bindings) - set(SENTINELS))
    if unknown:
        raise SluiceError(
            f"the bindings {', '.join(unknown)} are unknown",
            f"A definition has: {', '.join(sorted(SENTINELS))}.",
        )
    replace = {_canonical(SENTINELS[name]): value for name, value in bindings.items()}
    bound = _bind(definition, replace)
    left = [f"{path} is {value}" for path, value in _strings(bound, "$") if MARK in value]
    if left:
        raise SluiceError(
            f"the pipeline definition is not bound: {'; '.join(left)}", "Give a binding for each."
        )
    return dict(bound)


def _bind(value: Any, replace: Mapping[str, Any]) -> Any:
    found = _canonical(value)
    if found in replace:
        return replace[found]
    if isinstance(value, Mapping):
        return {key: _bind(item, replace) for key, item in value.items()}
    if isinstance(value, list):
        return [_bind(item, replace) for item in value]
    if isinstance(value, str) and value.startswith("s3://"):
        bucket = urlsplit(value).netloc
        return f"s3://{replace.get(_canonical(bucket), bucket)}{value[len('s3://') + len(bucket) :]}"
    return value


def _strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield path, str(key)
            yield from _strings(item, f"{path}.{key}")
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _strings(item, f"{path}[{position}]")
    elif isinstance(value, str):
        yield path, value


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True) if isinstance(value, (str, list)) else ""
