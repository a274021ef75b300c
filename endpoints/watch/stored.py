"""The report as it is stored, and whether it is what the judge wrote."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from endpoints.watch import signature
from endpoints.watch.signature import Checked, Signature
from endpoints.watch.subject import located
from sluice.clock import Clock

TRIES = 3
"""A report and its signature are two objects: who reads between the two writes reads again."""
OLD = 20
"""Signatures that are tried for an old version of a report, those written at nearly the same time first."""
REPORT, SIGNATURE = "report.json", "report.sig"


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
    report = _read(s3, place)
    if report is None:
        return Checked(valid=False, says="there is no such report")
    body, written = report
    beside = {"Bucket": place["Bucket"], "Key": place["Key"].removesuffix(REPORT) + SIGNATURE}
    seals = _versions(s3, beside, written) if "VersionId" in place else iter([beside])
    found = Checked(valid=False, says="the report is not signed")
    for seal in seals:
        sealed = _read(s3, seal)
        if sealed is None:
            continue
        try:
            checked = signature.check(kms, key, body, Signature.model_validate_json(sealed[0]))
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


def _read(s3: Any, place: dict[str, str]) -> tuple[bytes, datetime] | None:
    try:
        found = s3.get_object(**place)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchVersion", "404"):
            return None
        raise
    return found["Body"].read(), found["LastModified"]
