"""The id of a request, which must come back with the answer: SageMaker's answer carries no inference id, and the
capture of a shadow variant may lack it, so the answers of both variants are joined by what is echoed here."""

from collections.abc import Mapping
from typing import Any


def parse(attributes: str) -> Mapping[str, str]:
    """`id=…;version=…` as a mapping; what is no pair is left out."""
    pairs = (part.partition("=") for part in attributes.split(";"))
    return {key.strip(): value.strip() for key, separator, value in pairs if separator}


def inference_id(environ: Mapping[str, Any]) -> str | None:
    """The caller's id of the request: `id` of the custom attributes, else SageMaker's inference id."""
    attributes = environ.get("HTTP_X_AMZN_SAGEMAKER_CUSTOM_ATTRIBUTES")
    if attributes:
        found = parse(attributes).get("id")
        if found:
            return found
    return environ.get("HTTP_X_AMZN_SAGEMAKER_INFERENCE_ID") or None


def echoed(identity: str | None, version: str | None) -> str:
    """The custom attributes of the answer."""
    parts = [f"id={identity}"] if identity else []
    if version:
        parts.append(f"version={version}")
    return ";".join(parts)
