"""The one naming function, and the tags that every resource carries.

Stock resources are auto-named by Pulumi. What others call by name has a fixed one, made here; what we create by
content is named by its hash. Nothing is named by a clock.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from sluice.errors import SluiceError

PROJECT = "sluice"
MAX_LENGTH = 63
"""SageMaker's limit for the names of models, endpoint configs and endpoints (CreateEndpoint, EndpointName)."""

_LEGAL = re.compile(r"^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$")


def name(*parts: str) -> str:
    """The parts joined by hyphens, as SageMaker accepts names.

    Raises:
        SluiceError: if the result is no legal SageMaker name.
    """
    text = "-".join(part for part in parts if part)
    if not _LEGAL.match(text):
        raise SluiceError(
            f"the name {text!r} is not allowed: at most {MAX_LENGTH} letters, digits and inner hyphens",
            "Shorten the workload's or the environment's name.",
        )
    return text


def canonical(value: Any) -> bytes:
    """The bytes of a JSON value that are the same wherever it is written: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def content_hash(value: Any, length: int = 12) -> str:
    """The first `length` hexadecimal digits of the SHA-256 of a JSON value's canonical form."""
    return hashlib.sha256(canonical(value)).hexdigest()[:length]


def tags(environment: str, component: str, workload: str | None = None) -> Mapping[str, str]:
    """The tags of everything that a program creates; they go into the provider's `default_tags`."""
    common = {"sluice:environment": environment, "sluice:component": component, "sluice:managed-by": "pulumi"}
    return common if workload is None else {**common, "sluice:workload": workload}


def endpoint_name(workload: str, environment: str) -> str:
    """`flights-local`."""
    return name(workload, environment)


def pipeline_name(workload: str, pipeline: str = "training") -> str:
    """`flights-training`."""
    return name(workload, pipeline)


def model_package_group_name(workload: str) -> str:
    """`flights`."""
    return name(workload)
