"""The bucket itself. Its settings are types of their own (s3_settings)."""

# ruff: noqa: ARG002 - every type has the same five calls; few need all that they are given.

import secrets
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from emulator.provider import tagging
from emulator.provider.base import Autoname, AwsResource
from emulator.provider.clients import client, found, pages
from emulator.provider.fields import Field, Values
from sluice import aws

GONE = ("NoSuchBucket", "404")

# https://docs.aws.amazon.com/general/latest/gr/s3.html#s3_website_region_endpoints
_HOSTED_ZONES = {
    "us-east-1": "Z3AQBSTGFYJSTF",
    "eu-central-1": "Z21DNDUVLTQW6Q",
    "eu-west-1": "Z1BKCTXD74EZPE",
}


class Bucket(AwsResource):
    """Deletes only an empty bucket, unless `forceDestroy` is set."""

    token = "aws:s3/bucket:Bucket"
    fields = {
        "bucket": Field(replace=True, computed=True),
        "bucketPrefix": Field(replace=True, computed=True),
        "forceDestroy": Field(settings=True, default=False),
        "objectLockEnabled": Field(replace=True, computed=True),
    }
    made = frozenset({"arn", "bucketDomainName", "bucketRegionalDomainName", "bucketRegion", "hostedZoneId"})
    autoname = Autoname("bucket", max_length=63, lower=True, unless="bucketPrefix")
    tagging = tagging.S3

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        name = inputs.get("bucket") or f"{inputs['bucketPrefix']}{secrets.token_hex(13)}"[:63]
        parameters: dict[str, Any] = {"Bucket": name}
        if inputs.get("objectLockEnabled"):
            parameters["ObjectLockEnabledForBucket"] = True
        # us-east-1 refuses its own name as a location constraint (CreateBucket).
        if aws.region() != "us-east-1":
            parameters["CreateBucketConfiguration"] = {"LocationConstraint": aws.region()}
        client("s3").create_bucket(**parameters)
        return str(name)

    def finish(self, id: str, inputs: Values, tags: Mapping[str, str]) -> None:
        self.tagging.apply(id, {}, tags)

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        api, region = client("s3"), aws.region()
        if found(lambda: api.head_bucket(Bucket=id), *GONE) is None:
            return None
        tags = found(lambda: api.get_bucket_tagging(Bucket=id), "NoSuchTagSet") or {}
        lock = found(
            lambda: api.get_object_lock_configuration(Bucket=id), "ObjectLockConfigurationNotFoundError"
        )
        lock_state = (lock or {}).get("ObjectLockConfiguration", {}).get("ObjectLockEnabled")
        return {
            "bucket": id,
            "bucketPrefix": state.get("bucketPrefix"),
            "objectLockEnabled": lock_state == "Enabled",
            "tagsAll": self.tagging.unpack(tags.get("TagSet")),
            "arn": f"arn:aws:s3:::{id}",
            "bucketDomainName": f"{id}.s3.amazonaws.com",
            "bucketRegionalDomainName": f"{id}.s3.{region}.amazonaws.com",
            "bucketRegion": region,
            "hostedZoneId": _HOSTED_ZONES.get(region, ""),
        }

    def remove(self, id: str, state: Values) -> None:
        if state.get("forceDestroy") and found(lambda: client("s3").head_bucket(Bucket=id), *GONE):
            self._empty(id, bool(state.get("objectLockEnabled")))
        found(lambda: client("s3").delete_bucket(Bucket=id), *GONE)

    def _empty(self, bucket: str, locked: bool) -> None:
        versions = pages("s3", "list_object_versions", "Versions", Bucket=bucket)
        versions += pages("s3", "list_object_versions", "DeleteMarkers", Bucket=bucket)
        for start in range(0, len(versions), 1000):
            keys = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in versions[start : start + 1000]]
            bypass = {"BypassGovernanceRetention": True} if locked else {}
            wanted = {"Objects": keys, "Quiet": True}
            answer = client("s3").delete_objects(Bucket=bucket, Delete=wanted, **bypass)
            if answer.get("Errors"):
                first = answer["Errors"][0]
                fault = {"Code": first["Code"], "Message": f"{first['Key']}: {first.get('Message', '')}"}
                raise ClientError({"Error": fault}, "DeleteObjects")
