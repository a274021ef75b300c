"""Bucket policies decide about every S3 call: the thin part, around moto's responses.

Loopback counts as TLS and as the VPC endpoint of S3, so that policies are evaluated with their conditions and not
switched off. The account's root (key `test`) may do everything but what a policy denies; as on AWS it can always
read, replace and delete the policy itself, or nobody could mend one that shuts everybody out.
"""

import threading
from collections.abc import Mapping
from typing import Any

from moto.iam.access_control import CreateAccessKeyFailure, PermissionResult, create_access_key
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response

from emulator.context import Context
from emulator.s3 import policy, requests
from emulator.services.patching import original, replace
from sluice.clock import iso

_RECOVERY = ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy")
_asking = threading.local()


def install(context: Context) -> None:
    """Check before moto acts; moto's own check, which ignores conditions, only sees the keys of DeleteObjects."""
    bucket_by_moto = original(S3Response, "_bucket_response")
    key_by_moto = original(S3Response, "_key_response")

    def bucket_response(self: Any, request: Any, full_url: str) -> Any:
        name = self.parse_bucket_name_from_url(request, full_url)
        if name:
            _refuse_unknown(request)
            _check(context, self, request, name, None)
        return bucket_by_moto(self, request, full_url)

    def key_response(self: Any, request: Any, full_url: str) -> Any:
        name = self.parse_bucket_name_from_url(request, full_url)
        _check(context, self, request, name, self.parse_key_name())
        return key_by_moto(self, request, full_url)

    def get_permission(self: Any, action: str, resource: str) -> Any:
        asked = getattr(_asking, "request", None)
        if self.policy is None or asked is None:
            return PermissionResult.NEUTRAL
        if asked.action == "s3:DeleteObjects":
            asked = policy.Request(asked.principal, action, resource, asked.context)
        effect = policy.evaluate(_text(self.policy), asked)
        return {"Deny": PermissionResult.DENIED, "Allow": PermissionResult.PERMITTED}.get(
            effect, PermissionResult.NEUTRAL
        )

    replace(S3Response, "_bucket_response", bucket_response)
    replace(S3Response, "_key_response", key_response)
    replace(FakeBucket, "get_permission", get_permission)


_NOT_EMULATED = (
    "metrics",
    "analytics",
    "intelligent-tiering",
    "requestPayment",
    "metadataTable",
    "metadataConfiguration",
)


def _refuse_unknown(request: Any) -> None:
    """moto takes a question about what it does not know for a listing, and a change for a new bucket."""
    for name in _NOT_EMULATED:
        if name in request.args:
            raise S3ClientError(
                "NotImplemented", f"The emulator does not do {request.method} ?{name} of a bucket."
            )


def _text(document: bytes | str) -> str:
    return document.decode() if isinstance(document, bytes) else document


def _check(context: Context, response: Any, request: Any, name: str, key: str | None) -> None:
    query = {part: values[0] if values else "" for part, values in _query(request).items()}
    action = requests.action(request.method, query, key is not None)
    many = key is None and request.method == "POST" and "delete" in query
    _asking.request = None
    bucket = response.backend.buckets.get(name)
    if bucket is None or bucket.policy is None or not (action or many):
        return
    resource = f"arn:aws:s3:::{name}" + (f"/{key}" if key is not None else "")
    asked = policy.Request(
        principal=principal(context, response),
        action=action or "s3:DeleteObjects",
        resource=resource,
        context={
            **environment(context, principal(context, response)),
            **requests.request_keys(_headers(request, bucket, query), query),
        },
    )
    _asking.request = asked
    if many:
        return
    text = _text(bucket.policy)
    if asked.action in _RECOVERY and asked.principal.arn.endswith(":root"):
        return
    if policy.evaluate(text, asked) == "Deny":
        raise denied(asked)
    bypass = request.headers.get("x-amz-bypass-governance-retention", "").lower() == "true"
    if bypass and key is not None:
        bypassing = policy.Request(asked.principal, "s3:BypassGovernanceRetention", resource, asked.context)
        if policy.evaluate(text, bypassing) == "Deny":
            raise denied(bypassing)


def denied(asked: policy.Request) -> S3ClientError:
    """403 in AWS's words."""
    return S3ClientError(
        "AccessDenied",
        f"User: {asked.principal.arn} is not authorized to perform: {asked.action} on resource: "
        f'"{asked.resource}" with an explicit deny in a resource-based policy',
    )


def _query(request: Any) -> dict[str, list[str]]:
    return {name: request.args.getlist(name) for name in request.args}


def _headers(request: Any, bucket: Any, query: Mapping[str, str]) -> dict[str, str]:
    """The request's own; the parts of an upload carry the encryption that the upload was begun with."""
    headers = dict(request.headers.items())
    upload = bucket.multiparts.get(query.get("uploadId", ""))
    if upload is not None:
        if upload.sse_encryption:
            headers["x-amz-server-side-encryption"] = upload.sse_encryption
        if upload.kms_key_id:
            headers["x-amz-server-side-encryption-aws-kms-key-id"] = upload.kms_key_id
    return headers


def principal(context: Context, response: Any) -> policy.Principal:
    """The user or session whose key signed the request; a key that IAM does not know is the account's root."""
    if "Authorization" not in response.headers and "Signature=" not in response.uri:
        return policy.Principal(account="anonymous", arn="anonymous", anonymous=True)
    root = policy.Principal(context.account, f"arn:aws:iam::{context.account}:root")
    try:
        key = create_access_key(context.account, "aws", response.get_access_key(), response.headers)
    except CreateAccessKeyFailure:
        return root
    arn = str(key.arn)
    if ":assumed-role/" in arn:
        role = arn.split(":assumed-role/")[1].split("/")[0]
        return policy.Principal(context.account, arn, _role_arn(context, role))
    return policy.Principal(context.account, arn)


def _role_arn(context: Context, name: str) -> str:
    from moto.iam.models import iam_backends

    for role in list(iam_backends[context.account]["aws"].roles.values()):
        if role.name == name:
            return str(role.arn)
    return f"arn:aws:iam::{context.account}:role/{name}"


def environment(context: Context, who: policy.Principal) -> dict[str, tuple[str, ...]]:
    """The global context keys of a call over loopback."""
    now = context.clock.now()
    endpoints, networks = _s3_endpoints(context)
    keys: dict[str, tuple[str, ...]] = {
        "aws:securetransport": ("true",),
        "aws:sourceip": ("127.0.0.1",),
        "aws:currenttime": (iso(now),),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:requestedregion": (context.region,),
        "aws:resourceaccount": (context.account,),
        "aws:viaawsservice": ("false",),
        "aws:principalisawsservice": ("false",),
        "s3:resourceaccount": (context.account,),
        "s3:tlsversion": ("1.3",),
        "s3:authtype": ("REST-HEADER",),
        "s3:signatureversion": ("AWS4-HMAC-SHA256",),
    }
    if endpoints:
        keys["aws:sourcevpce"], keys["aws:sourcevpc"] = endpoints, networks
    if not who.anonymous:
        keys["aws:principalarn"] = (who.role or who.arn,)
        keys["aws:principalaccount"] = (who.account,)
        kind = "Account" if who.arn.endswith(":root") else "AssumedRole" if who.role else "User"
        keys["aws:principaltype"] = (kind,)
    return keys


def _s3_endpoints(context: Context) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from moto.ec2.models import ec2_backends

    backend = ec2_backends[context.account][context.region]
    found = [each for each in list(backend.vpc_end_points.values()) if str(each.service_name).endswith(".s3")]
    return tuple(each.id for each in found), tuple({each.vpc_id: None for each in found})
