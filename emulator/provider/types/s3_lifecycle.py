"""Lifecycle rules of a bucket."""

# ruff: noqa: ARG002 - every type has the same five calls; few need all that they are given.

from typing import Any

from emulator.provider.clients import client
from emulator.provider.fields import Field, Values, from_api, to_api
from emulator.provider.types.s3_settings import BUCKET, BucketSetting

_SIZES = {"objectSizeGreaterThan": Field(), "objectSizeLessThan": Field(), "prefix": Field()}
_TRANSITION = {
    "date": Field(),
    "days": Field(),
    "storageClass": Field(required=True),
}
_NONCURRENT = {"noncurrentDays": Field(required=True), "newerNoncurrentVersions": Field()}
_RULE = {
    "id": Field(api="ID", required=True),
    "status": Field(required=True),
    "prefix": Field(computed=True),
    "abortIncompleteMultipartUpload": Field(fields={"daysAfterInitiation": Field()}),
    "expiration": Field(
        fields={"date": Field(), "days": Field(), "expiredObjectDeleteMarker": Field(default=False)}
    ),
    "filter": Field(
        computed=True,
        fields={
            **_SIZES,
            "and": Field(fields={**_SIZES, "tags": Field(pairs=("Key", "Value"))}),
            "tag": Field(fields={"key": Field(required=True), "value": Field(required=True)}),
        },
    ),
    "noncurrentVersionExpiration": Field(fields=_NONCURRENT),
    "noncurrentVersionTransitions": Field(
        unordered=True, fields={**_NONCURRENT, "storageClass": Field(required=True)}
    ),
    "transitions": Field(unordered=True, fields=_TRANSITION),
}


class BucketLifecycleConfiguration(BucketSetting):
    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    fields = {"bucket": BUCKET, "rules": Field(required=True, fields=_RULE)}
    absent = ("NoSuchLifecycleConfiguration",)

    def put(self, inputs: Values) -> None:
        rules = to_api(self.fields, inputs)["Rules"]
        for rule in rules:
            # S3 wants one of Filter and Prefix in each rule; the real provider sends an empty filter.
            if "Prefix" not in rule:
                rule.setdefault("Filter", {})
        client("s3").put_bucket_lifecycle_configuration(
            Bucket=inputs["bucket"], LifecycleConfiguration={"Rules": rules}
        )

    def get(self, bucket: str) -> dict[str, Any] | None:
        answer = client("s3").get_bucket_lifecycle_configuration(Bucket=bucket)
        for rule in answer["Rules"]:
            for part in [rule.get("Expiration") or {}, *rule.get("Transitions", [])]:
                if "Date" in part:
                    part["Date"] = part["Date"].strftime("%Y-%m-%dT%H:%M:%SZ")
        return from_api(self.fields, answer)

    def drop(self, bucket: str, state: Values) -> None:
        client("s3").delete_bucket_lifecycle(Bucket=bucket)
