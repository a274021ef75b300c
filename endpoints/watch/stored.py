"""The report as it is stored, and whether it is what the judge wrote."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from endpoints.watch import signature
from endpoints.watch.signature import Checked, Signature
from endpoints.watch.subject import located
from sluice.clock import Clock
from sluice.errors import SluiceError

TRIES = 3
"""A report and its signature are two objects: who reads between the two writes reads again."""
OLD = 20
"""Signatures that are tried for an old version of a report, those written at nearly the same time first."""
REPORT, SIGNATURE = "report.json", "report.sig"


def document(s3: Any, uri: str, what: str) -> dict[str, Any] | None:
    """The JSON document at a URI, of the version that it names; None if nothing is there.

    Args:
        what: it is taken for, as `report`.

    Raises:
        SluiceError: if what is there is no such thing.
    """
    found = _get(s3, located(uri))
    if found is None:
        return None
    try:
        value = json.loads(found["Body"].read())
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise SluiceError(f"{uri} is no {what}", "The release file names a report of the judge.")
    return value


def verified(s3: Any, kms: Any, key: str, uri: str, clock: Clock) -> Checked:
    """Whether a stored report is as the judge signed it.

    Args:
        key: ARN of the key that reports are signed with.
        uri: of the report; with `?versionId=…`, as a release file names it, of that version of it.
    """
    for attempt in range(TRIES):
        found = _verified(s3, kms, key, uri)
        if found.valid or "versionId=" in uri or attempt == TRIES - 1:
            break
        clock.sleep(2)
    return found


def _verified(s3: Any, kms: Any, key: str, uri: str) -> Checked:
    place = located(uri)
    report = _get(s3, place)
    if report is None:
        return Checked(valid=False, says="there is no such report")
    body, written = report["Body"].read(), report["LastModified"]
    beside = {"Bucket": place["Bucket"], "Key": place["Key"].removesuffix(REPORT) + SIGNATURE}
    seals = _versions(s3, beside, written) if "VersionId" in place else iter([beside])
    found = Checked(valid=False, says="the report is not signed")
    for seal in seals:
        sealed = _get(s3, seal)
        if sealed is None:
            continue
        try:
            checked = signature.check(kms, key, body, Signature.model_validate_json(sealed["Body"].read()))
        except ValueError:
            checked = Checked(valid=False, says="what lies beside the report is no signature")
        if checked.valid:
            return checked
        found = checked
    return found


def _versions(s3: Any, place: dict[str, str], written: datetime) -> Iterator[dict[str, str]]:
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=place["Bucket"], Prefix=place["Key"])
    found = [version for page in pages for version in page.get("Versions", [])]
    found.sort(key=lambda version: abs((version["LastModified"] - written).total_seconds()))
    for version in found[:OLD]:
        yield {**place, "VersionId": version["VersionId"]}


def _get(s3: Any, place: dict[str, str]) -> dict[str, Any] | None:
    """GetObject's answer; None if there is no such object."""
    try:
        found: dict[str, Any] = s3.get_object(**place)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchVersion", "NoSuchBucket", "404"):
            return None
        raise
    return found
