"""The built definitions, `<workload>-training.json`, committed so that a review sees what changes. Made by
`python -m pipelines.build`, never by hand."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice import naming
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from sluice.outputs import PlatformOutputs

FOLDER = Path(__file__).resolve().parent


def path(workload: str) -> Path:
    """Where the definition of a workload's training pipeline lies."""
    return FOLDER / f"{naming.pipeline_name(workload)}.json"


def read(workload: str) -> dict[str, Any]:
    """The definition of a workload's training pipeline, unbound.

    Raises:
        SluiceError: if it was never built.
    """
    try:
        return dict(json.loads(path(workload).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise SluiceError(
            f"{path(workload).name} does not exist in pipelines/definitions", "Run: python -m pipelines.build"
        ) from None


def bindings(
    platform: "PlatformOutputs",
    *,
    endpoint_name: str,
    isolated_role_arn: str,
    connected_role_arn: str,
    steps_image: str,
    serving_image: str,
) -> dict[str, Any]:
    """What `pipelines.bind.bind` replaces the sentinels by in one environment. Images are URIs with a digest."""
    return {
        "isolated-role": isolated_role_arn,
        "connected-role": connected_role_arn,
        "steps-image": steps_image,
        "serving-image": serving_image,
        "data-bucket": platform.data_bucket,
        "artifacts-bucket": platform.artifacts_bucket,
        "artifacts-key": platform.artifacts_key_arn,
        "subnets": list(platform.private_subnet_ids),
        "security-groups": [platform.jobs_security_group_id],
        "endpoint-name": endpoint_name,
    }
