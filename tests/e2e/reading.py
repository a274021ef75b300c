"""What the tests read of captures and packages."""

import io
import itertools
import json
import tarfile
from functools import cache
from typing import Any

from endpoints.rows import since
from sluice.clock import parse_iso
from tests.e2e.world import ENDPOINT, World
from workloads.contract import Workload


@cache
def flights() -> list[dict[str, Any]]:
    """A thousand flights of May, as a caller would send them."""
    return list(itertools.islice(since(Workload.load("flights"), parse_iso("2013-05-20")), 1000))


def captured(world: World, variant: str) -> list[Any]:
    """Every capture of a variant of the endpoint."""
    destination = world.live()["DataCaptureConfig"]["DestinationS3Uri"]
    bucket, _, prefix = destination.removeprefix("s3://").partition("/")
    s3 = world.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=f"{prefix}/{ENDPOINT}/{variant}/"
    )
    lines = []
    for key in (found["Key"] for page in pages for found in page.get("Contents", [])):
        lines += s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()
    return [json.loads(line) for line in lines]


def answered_by(line: Any) -> str:
    """The version whose answer was captured; "" of an answer that does not say it, as CSV."""
    answer = line["captureData"]["endpointOutput"]
    return (
        str(json.loads(answer["data"])["model"]["version"]) if "json" in answer["observedContentType"] else ""
    )


def sent_fields(world: World, variant: str) -> set[str]:
    """The fields of the last request in JSON that a variant got."""
    for line in reversed(captured(world, variant)):
        asked = line["captureData"]["endpointInput"]
        if "json" in asked["observedContentType"]:
            return set(json.loads(asked["data"])["instances"][0])
    return set()


def version(package: Any) -> str:
    """Of a model package."""
    return str(package["CustomerMetadataProperties"]["version"])


def image(package: Any) -> str:
    """The address of the image that a model package pins."""
    return str(package["InferenceSpecification"]["Containers"][0]["Image"])


def features(world: World, package: Any) -> set[str]:
    """What a package's model was trained on, as its archive says."""
    url = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    bucket, _, key = url.removeprefix("s3://").partition("/")
    archive = io.BytesIO(world.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    with tarfile.open(fileobj=archive) as tar:
        described = tar.extractfile("model.json")
        assert described is not None
        return set(json.load(described)["features"])
