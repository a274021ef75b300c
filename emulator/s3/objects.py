"""What moto's S3 forgets or allows: public policies, encryption keys, retention, EventBridge in notifications."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import xmltodict  # type: ignore[import-untyped]
from moto.core.responses import ActionResult
from moto.s3.exceptions import NoSuchLifecycleConfiguration, S3ClientError
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response

from emulator.context import Context
from emulator.s3 import policy
from emulator.services.keys import KeyRefusedError, usable_key
from emulator.services.patching import original, replace

XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"


def install(context: Context) -> None:
    """Patch moto's backend and responses."""
    _policies()
    _encryption(context)
    _retention(context)
    _notifications()
    _lifecycle()


def _policies() -> None:
    put_by_moto = original(S3Backend, "put_bucket_policy")

    def put_bucket_policy(self: Any, bucket_name: str, body: bytes) -> Any:
        text = body.decode() if isinstance(body, bytes) else body
        try:
            found = policy.statements(text)
            public = policy.is_public(text)
        except policy.MalformedPolicyError as error:
            raise S3ClientError("MalformedPolicy", str(error)) from None
        arn = f"arn:aws:s3:::{bucket_name}"
        for statement in found:
            named = statement.get("Resource", statement.get("NotResource"))
            for resource in named if isinstance(named, list) else [named]:
                if resource != "*" and resource.split("/")[0] not in (arn, f"{arn}*"):
                    raise S3ClientError("MalformedPolicy", "Policy has invalid resource")
        block = self.get_bucket(bucket_name).public_access_block
        if public and block is not None and _true(block.block_public_policy):
            raise S3ClientError(
                "AccessDenied",
                f'User is not authorized to perform: s3:PutBucketPolicy on resource: "{arn}" because public policies '
                "are prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
            )
        return put_by_moto(self, bucket_name, body)

    replace(S3Backend, "put_bucket_policy", put_bucket_policy)


def _true(value: Any) -> bool:
    return str(value).lower() == "true"


def _encryption(context: Context) -> None:
    put_by_moto = original(S3Backend, "put_object")
    begin_by_moto = original(S3Backend, "create_multipart_upload")

    def put_object(self: Any, bucket_name: str, key_name: str, value: bytes, *args: Any, **given: Any) -> Any:
        given["encryption"], given["kms_key_id"] = _key_of(
            context, self.get_bucket(bucket_name), given.get("encryption"), given.get("kms_key_id")
        )
        return put_by_moto(self, bucket_name, key_name, value, *args, **given)

    def create_multipart_upload(
        self: Any,
        bucket_name: str,
        key_name: str,
        metadata: Any,
        storage_type: Any,
        tags: Any,
        acl: Any,
        sse_encryption: Any,
        kms_key_id: Any,
        *args: Any,
        **given: Any,
    ) -> Any:
        bucket = self.get_bucket(bucket_name)
        sse_encryption, kms_key_id = _key_of(context, bucket, sse_encryption, kms_key_id)
        return begin_by_moto(
            self,
            bucket_name,
            key_name,
            metadata,
            storage_type,
            tags,
            acl,
            sse_encryption,
            kms_key_id,
            *args,
            **given,
        )

    replace(S3Backend, "put_object", put_object)
    replace(S3Backend, "create_multipart_upload", create_multipart_upload)


def _key_of(
    context: Context, bucket: Any, encryption: str | None, key: str | None
) -> tuple[str | None, str | None]:
    """The encryption and key ARN of a new object: the request's, else the bucket's default.

    Raises:
        S3ClientError: KMS.NotFoundException or KMS.DisabledException, as S3 hands them on.
    """
    rule = (bucket.encryption or {}).get("Rule", {}).get("ApplyServerSideEncryptionByDefault", {})
    if encryption is None:
        encryption = rule.get("SSEAlgorithm")
    if encryption not in ("aws:kms", "aws:kms:dsse"):
        return encryption, None
    if key is None and rule.get("SSEAlgorithm") == encryption:
        key = rule.get("KMSMasterKeyID")
    if key is None:
        key = "alias/aws/s3"
    try:
        return encryption, usable_key(context, key)
    except KeyRefusedError as error:
        raise S3ClientError(f"KMS.{error.code}", str(error)) from None


def _retention(context: Context) -> None:
    get_by_moto = original(S3Response, "_key_response_get")
    put_by_moto = original(S3Backend, "put_object_retention")

    def key_response_get(self: Any, query: dict[str, Any], key_name: str) -> Any:
        if "retention" not in query:
            return get_by_moto(self, query, key_name)
        key, _ = self._get_key(validate_storage_class=False)
        if not key.lock_mode or not key.lock_until:
            raise S3ClientError(
                "NoSuchObjectLockConfiguration",
                "The specified object does not have a ObjectLock configuration",
            )
        self.data["Action"] = "GetObjectRetention"
        kept = {"Mode": key.lock_mode, "RetainUntilDate": _moment(key.lock_until)}
        return self.serialized(ActionResult({"Retention": kept}))

    def put_object_retention(
        self: Any,
        bucket_name: str,
        key_name: str,
        version_id: str | None,
        retention: tuple[str | None, str | None],
    ) -> None:
        key = self.get_object(bucket_name, key_name, version_id=version_id)
        if (
            key is not None
            and key.lock_mode
            and key.lock_until
            and _moment(key.lock_until) > context.clock.now()
        ):
            mode, until = retention
            weaker = not mode or not until or _moment(until) < _moment(key.lock_until)
            if key.lock_mode == "COMPLIANCE" and (weaker or mode != "COMPLIANCE"):
                raise _protected()
            if key.lock_mode == "GOVERNANCE" and (weaker or mode != "GOVERNANCE") and not _bypassed():
                raise _protected()
        put_by_moto(self, bucket_name, key_name, version_id, retention)

    replace(S3Response, "_key_response_get", key_response_get)
    replace(S3Backend, "put_object_retention", put_object_retention)


def _protected() -> S3ClientError:
    return S3ClientError("AccessDenied", "Access Denied because object protected by object lock.")


def _bypassed() -> bool:
    from flask import has_request_context, request

    if not has_request_context():
        return False
    return request.headers.get("x-amz-bypass-governance-retention", "").lower() == "true"


def _moment(value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _notifications() -> None:
    def get_bucket_notification(self: Any) -> Any:
        found = self.backend.get_bucket_notification_configuration(self.bucket_name)
        result: dict[str, Any] = {}
        if found:
            for name, items, arn in (
                ("TopicConfigurations", found.topic, "TopicArn"),
                ("QueueConfigurations", found.queue, "QueueArn"),
                ("LambdaFunctionConfigurations", found.cloud_function, "LambdaFunctionArn"),
            ):
                result[name] = [_notification(item, arn) for item in items]
            if found.event_bridge is not None:
                result["EventBridgeConfiguration"] = {}
        self.data["Action"] = "GetBucketNotificationConfiguration"
        return self.serialized(ActionResult(result))

    replace(S3Response, "get_bucket_notification", get_bucket_notification)


def _lifecycle() -> None:
    """Read back the rules as they were put: moto keeps only those parts that it knows."""
    put_by_moto = original(S3Backend, "put_bucket_lifecycle")

    def put_bucket_lifecycle(self: Any, bucket_name: str, rules: Any) -> None:
        rules = rules if isinstance(rules, list) else [rules]
        put_by_moto(self, bucket_name, rules)
        named = [rule if rule.get("ID") else {"ID": uuid.uuid4().hex, **rule} for rule in rules]
        self.get_bucket(bucket_name).sluice_lifecycle = named

    def get_bucket_lifecycle(self: Any) -> Any:
        bucket = self.backend.get_bucket(self.bucket_name)
        if not bucket.rules:
            raise NoSuchLifecycleConfiguration(bucket_name=self.bucket_name)
        document = {"LifecycleConfiguration": {"@xmlns": XMLNS, "Rule": bucket.sluice_lifecycle}}
        headers = {"x-amz-transition-default-minimum-object-size": "all_storage_classes_128K"}
        return 200, headers, xmltodict.unparse(document)

    replace(S3Backend, "put_bucket_lifecycle", put_bucket_lifecycle)
    replace(S3Response, "get_bucket_lifecycle", get_bucket_lifecycle)


def _notification(item: Any, arn: str) -> Mapping[str, Any]:
    entry = {"Id": item.id, arn: item.arn, "Events": item.events}
    if item.filters:
        entry["Filter"] = {"Key": {"FilterRules": item.filters["S3Key"]["FilterRule"]}}
    return entry
