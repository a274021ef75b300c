"""What an S3 request is in the words of a policy: its action, its resource and its context keys."""

from collections.abc import Mapping
from typing import Any

_BUCKET: Mapping[str, Mapping[str, str]] = {
    "GET": {
        "location": "GetBucketLocation",
        "policyStatus": "GetBucketPolicyStatus",
        "policy": "GetBucketPolicy",
        "versioning": "GetBucketVersioning",
        "encryption": "GetEncryptionConfiguration",
        "publicAccessBlock": "GetBucketPublicAccessBlock",
        "ownershipControls": "GetBucketOwnershipControls",
        "lifecycle": "GetLifecycleConfiguration",
        "logging": "GetBucketLogging",
        "object-lock": "GetBucketObjectLockConfiguration",
        "notification": "GetBucketNotification",
        "tagging": "GetBucketTagging",
        "acl": "GetBucketAcl",
        "cors": "GetBucketCORS",
        "website": "GetBucketWebsite",
        "accelerate": "GetAccelerateConfiguration",
        "requestPayment": "GetBucketRequestPayment",
        "replication": "GetReplicationConfiguration",
        "inventory": "GetInventoryConfiguration",
        "metrics": "GetMetricsConfiguration",
        "analytics": "GetAnalyticsConfiguration",
        "intelligent-tiering": "GetIntelligentTieringConfiguration",
        "versions": "ListBucketVersions",
        "uploads": "ListBucketMultipartUploads",
        "": "ListBucket",
    },
    "HEAD": {"": "ListBucket"},
    "PUT": {
        "policy": "PutBucketPolicy",
        "versioning": "PutBucketVersioning",
        "encryption": "PutEncryptionConfiguration",
        "publicAccessBlock": "PutBucketPublicAccessBlock",
        "ownershipControls": "PutBucketOwnershipControls",
        "lifecycle": "PutLifecycleConfiguration",
        "logging": "PutBucketLogging",
        "object-lock": "PutBucketObjectLockConfiguration",
        "notification": "PutBucketNotification",
        "tagging": "PutBucketTagging",
        "acl": "PutBucketAcl",
        "cors": "PutBucketCORS",
        "website": "PutBucketWebsite",
        "accelerate": "PutAccelerateConfiguration",
        "requestPayment": "PutBucketRequestPayment",
        "replication": "PutReplicationConfiguration",
        "inventory": "PutInventoryConfiguration",
        "metrics": "PutMetricsConfiguration",
        "analytics": "PutAnalyticsConfiguration",
        "intelligent-tiering": "PutIntelligentTieringConfiguration",
        "": "CreateBucket",
    },
    "DELETE": {
        "policy": "DeleteBucketPolicy",
        "encryption": "PutEncryptionConfiguration",
        "publicAccessBlock": "PutBucketPublicAccessBlock",
        "ownershipControls": "PutBucketOwnershipControls",
        "lifecycle": "PutLifecycleConfiguration",
        "tagging": "PutBucketTagging",
        "cors": "PutBucketCORS",
        "website": "DeleteBucketWebsite",
        "replication": "PutReplicationConfiguration",
        "inventory": "PutInventoryConfiguration",
        "metrics": "PutMetricsConfiguration",
        "analytics": "PutAnalyticsConfiguration",
        "intelligent-tiering": "PutIntelligentTieringConfiguration",
        "": "DeleteBucket",
    },
}
_KEY: Mapping[str, Mapping[str, str]] = {
    "GET": {
        "acl": "GetObjectAcl",
        "tagging": "GetObjectTagging",
        "retention": "GetObjectRetention",
        "legal-hold": "GetObjectLegalHold",
        "attributes": "GetObjectAttributes",
        "uploadId": "ListMultipartUploadParts",
        "versionId": "GetObjectVersion",
        "": "GetObject",
    },
    "HEAD": {"versionId": "GetObjectVersion", "": "GetObject"},
    "PUT": {
        "acl": "PutObjectAcl",
        "tagging": "PutObjectTagging",
        "retention": "PutObjectRetention",
        "legal-hold": "PutObjectLegalHold",
        "": "PutObject",
    },
    "POST": {"restore": "RestoreObject", "select": "GetObject", "": "PutObject"},
    "DELETE": {
        "uploadId": "AbortMultipartUpload",
        "tagging": "DeleteObjectTagging",
        "versionId": "DeleteObjectVersion",
        "": "DeleteObject",
    },
}


def action(method: str, query: Mapping[str, Any], of_object: bool) -> str | None:
    """`s3:PutObject` …; None where policies do not reach (OPTIONS, and DeleteObjects, which is judged key by key)."""
    names = (_KEY if of_object else _BUCKET).get(method)
    if names is None:
        return None
    return "s3:" + next((name for part, name in names.items() if part and part in query), names[""])


def request_keys(headers: Mapping[str, str], query: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The context keys that the request itself carries: `s3:x-amz-…`, listing and object-lock keys."""
    keys: dict[str, tuple[str, ...]] = {}
    for name, value in headers.items():
        if name.lower().startswith("x-amz-") and name.lower() not in ("x-amz-date", "x-amz-security-token"):
            keys[f"s3:{name.lower()}"] = (value,)
    for name, key in (
        ("prefix", "s3:prefix"),
        ("delimiter", "s3:delimiter"),
        ("max-keys", "s3:max-keys"),
        ("versionId", "s3:versionid"),
    ):
        if name in query:
            keys[key] = (query[name],)
    lock = {
        name.lower(): value
        for name, value in headers.items()
        if name.lower().startswith("x-amz-object-lock-")
    }
    for name, key in (
        ("mode", "mode"),
        ("retain-until-date", "retain-until-date"),
        ("legal-hold", "legal-hold"),
    ):
        if f"x-amz-object-lock-{name}" in lock:
            keys[f"s3:object-lock-{key}"] = (lock[f"x-amz-object-lock-{name}"],)
    return keys
