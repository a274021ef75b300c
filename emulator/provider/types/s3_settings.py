"""The settings of a bucket, each a type of its own: set as a whole, read as a whole."""

# ruff: noqa: ARG002 - every type has the same five calls; few need all that they are given.

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from emulator.provider.base import AwsResource
from emulator.provider.clients import client, found
from emulator.provider.fields import Field, Values, from_api, to_api

BUCKET = Field(replace=True, required=True)
GONE = ("NoSuchBucket",)


class BucketSetting(AwsResource):
    """One setting of one bucket; its id is the bucket's name. `absent`: the error codes for "not set"."""

    absent: tuple[str, ...] = ()

    @abstractmethod
    def put(self, inputs: Values) -> None:
        """Set it."""

    @abstractmethod
    def get(self, bucket: str) -> dict[str, Any] | None:
        """Read it; None where it is not set."""

    @abstractmethod
    def drop(self, bucket: str, state: Values) -> None:
        """Take it away, as the real provider does."""

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        self.put(inputs)
        return str(inputs["bucket"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        live = found(lambda: self.get(id), *GONE, *self.absent)
        return None if live is None else {"bucket": id, **live}

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        self.put(new)

    def remove(self, id: str, state: Values) -> None:
        found(lambda: self.drop(id, state), *GONE, *self.absent)


class BucketVersioning(BucketSetting):
    token = "aws:s3/bucketVersioning:BucketVersioning"
    fields = {
        "bucket": BUCKET,
        "versioningConfiguration": Field(
            required=True,
            fields={"status": Field(required=True), "mfaDelete": Field(api="MFADelete", computed=True)},
        ),
    }

    def put(self, inputs: Values) -> None:
        configuration = to_api(self.fields, inputs)["VersioningConfiguration"]
        client("s3").put_bucket_versioning(Bucket=inputs["bucket"], VersioningConfiguration=configuration)

    def get(self, bucket: str) -> dict[str, Any] | None:
        answer = client("s3").get_bucket_versioning(Bucket=bucket)
        status = answer.get("Status")
        if status is None:
            return None
        configuration = {"status": status}
        if "MFADelete" in answer:
            configuration["mfaDelete"] = answer["MFADelete"]
        return {"versioningConfiguration": configuration}

    def drop(self, bucket: str, state: Values) -> None:
        # AWS has no way back to "never versioned"; the real provider suspends.
        client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


class BucketServerSideEncryptionConfiguration(BucketSetting):
    token = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    fields = {
        "bucket": BUCKET,
        "rules": Field(
            required=True,
            fields={
                "applyServerSideEncryptionByDefault": Field(
                    fields={
                        "sseAlgorithm": Field(api="SSEAlgorithm", required=True),
                        "kmsMasterKeyId": Field(api="KMSMasterKeyID"),
                    }
                ),
                "bucketKeyEnabled": Field(default=False),
            },
        ),
    }
    absent = ("ServerSideEncryptionConfigurationNotFoundError",)

    def put(self, inputs: Values) -> None:
        configuration = {"Rules": to_api(self.fields, inputs)["Rules"]}
        client("s3").put_bucket_encryption(
            Bucket=inputs["bucket"], ServerSideEncryptionConfiguration=configuration
        )

    def get(self, bucket: str) -> dict[str, Any] | None:
        answer = client("s3").get_bucket_encryption(Bucket=bucket)
        return from_api(self.fields, answer["ServerSideEncryptionConfiguration"])

    def drop(self, bucket: str, state: Values) -> None:
        client("s3").delete_bucket_encryption(Bucket=bucket)


class BucketPublicAccessBlock(BucketSetting):
    token = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    fields = {
        "bucket": BUCKET,
        "blockPublicAcls": Field(default=False),
        "blockPublicPolicy": Field(default=False),
        "ignorePublicAcls": Field(default=False),
        "restrictPublicBuckets": Field(default=False),
    }
    absent = ("NoSuchPublicAccessBlockConfiguration",)

    def put(self, inputs: Values) -> None:
        configuration = {k: v for k, v in to_api(self.fields, inputs).items() if k != "Bucket"}
        client("s3").put_public_access_block(
            Bucket=inputs["bucket"], PublicAccessBlockConfiguration=configuration
        )

    def get(self, bucket: str) -> dict[str, Any] | None:
        answer = client("s3").get_public_access_block(Bucket=bucket)
        return from_api(self.fields, answer["PublicAccessBlockConfiguration"])

    def drop(self, bucket: str, state: Values) -> None:
        client("s3").delete_public_access_block(Bucket=bucket)


class BucketPolicy(BucketSetting):
    token = "aws:s3/bucketPolicy:BucketPolicy"
    fields = {"bucket": BUCKET, "policy": Field(required=True, policy=True)}
    absent = ("NoSuchBucketPolicy",)

    def put(self, inputs: Values) -> None:
        client("s3").put_bucket_policy(Bucket=inputs["bucket"], Policy=inputs["policy"])

    def get(self, bucket: str) -> dict[str, Any] | None:
        return {"policy": client("s3").get_bucket_policy(Bucket=bucket)["Policy"]}

    def drop(self, bucket: str, state: Values) -> None:
        client("s3").delete_bucket_policy(Bucket=bucket)


class BucketOwnershipControls(BucketSetting):
    token = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
    fields = {
        "bucket": BUCKET,
        "rule": Field(required=True, fields={"objectOwnership": Field(required=True)}),
    }
    absent = ("OwnershipControlsNotFoundError",)

    def put(self, inputs: Values) -> None:
        rule = to_api(self.fields, inputs)["Rule"]
        client("s3").put_bucket_ownership_controls(
            Bucket=inputs["bucket"], OwnershipControls={"Rules": [rule]}
        )

    def get(self, bucket: str) -> dict[str, Any] | None:
        rules = client("s3").get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
        return from_api(self.fields, {"Rule": rules[0]})

    def drop(self, bucket: str, state: Values) -> None:
        client("s3").delete_bucket_ownership_controls(Bucket=bucket)


class BucketLogging(BucketSetting):
    token = "aws:s3/bucketLogging:BucketLogging"
    fields = {
        "bucket": BUCKET,
        "targetBucket": Field(required=True),
        "targetPrefix": Field(required=True),
        "targetObjectKeyFormat": Field(
            fields={
                "partitionedPrefix": Field(fields={"partitionDateSource": Field(required=True)}),
                "simplePrefix": Field(),
            }
        ),
    }

    def put(self, inputs: Values) -> None:
        target = {k: v for k, v in to_api(self.fields, inputs).items() if k != "Bucket"}
        client("s3").put_bucket_logging(
            Bucket=inputs["bucket"], BucketLoggingStatus={"LoggingEnabled": target}
        )

    def get(self, bucket: str) -> dict[str, Any] | None:
        enabled = client("s3").get_bucket_logging(Bucket=bucket).get("LoggingEnabled")
        return None if enabled is None else from_api(self.fields, enabled)

    def drop(self, bucket: str, state: Values) -> None:
        client("s3").put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})


class BucketObjectLockConfiguration(BucketSetting):
    token = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
    fields = {
        "bucket": BUCKET,
        "objectLockEnabled": Field(replace=True, default="Enabled"),
        "rule": Field(
            fields={
                "defaultRetention": Field(
                    required=True, fields={"days": Field(), "mode": Field(), "years": Field()}
                )
            }
        ),
    }
    absent = ("ObjectLockConfigurationNotFoundError",)

    def put(self, inputs: Values) -> None:
        configuration = {k: v for k, v in to_api(self.fields, inputs).items() if k != "Bucket"}
        configuration.setdefault("ObjectLockEnabled", "Enabled")
        client("s3").put_object_lock_configuration(
            Bucket=inputs["bucket"], ObjectLockConfiguration=configuration
        )

    def get(self, bucket: str) -> dict[str, Any] | None:
        answer = client("s3").get_object_lock_configuration(Bucket=bucket)
        live = from_api(self.fields, answer["ObjectLockConfiguration"])
        retention = (live.get("rule") or {}).get("defaultRetention")
        if retention:
            # One of days and years is set; a server may show the other as 0.
            live["rule"] = {"defaultRetention": {name: value for name, value in retention.items() if value}}
        return live

    def drop(self, bucket: str, state: Values) -> None:
        # Object lock itself cannot be turned off; only the default retention goes.
        client("s3").put_object_lock_configuration(
            Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
        )


class BucketNotification(BucketSetting):
    """To EventBridge alone; queues, topics and functions are not mapped."""

    token = "aws:s3/bucketNotification:BucketNotification"
    fields = {"bucket": BUCKET, "eventbridge": Field(default=False)}

    def put(self, inputs: Values) -> None:
        configuration: dict[str, Any] = {"EventBridgeConfiguration": {}} if inputs.get("eventbridge") else {}
        client("s3").put_bucket_notification_configuration(
            Bucket=inputs["bucket"], NotificationConfiguration=configuration
        )

    def get(self, bucket: str) -> dict[str, Any] | None:
        answer = client("s3").get_bucket_notification_configuration(Bucket=bucket)
        return {"eventbridge": "EventBridgeConfiguration" in answer}

    def drop(self, bucket: str, state: Values) -> None:
        client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
