"""The watch as a function: `python -m endpoints.watch` in its image."""

from functools import cache
from typing import Any

from endpoints.watch.handler import handle
from endpoints.watch.runtime import serve
from sluice import aws


@cache
def clients() -> dict[str, Any]:
    """Made once for all events of this process."""
    return {service: aws.client(service) for service in ("s3", "cloudwatch", "events", "kms", "sagemaker")}


if __name__ == "__main__":
    serve(lambda event: handle(event, clients()))
