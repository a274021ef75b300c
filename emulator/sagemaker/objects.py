"""Objects in S3 as SageMaker refers to them."""

from typing import Any

from botocore.exceptions import ClientError

from emulator.sagemaker.seam import client


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`.

    Raises:
        ValueError: if it is no such URI.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ValueError(f"{uri!r} is no S3 URI")
    return bucket, key


def exists(uri: str, prefix: bool = False) -> bool:
    """Whether the object is there; with `prefix`, whether any object begins so."""
    try:
        bucket, key = split(uri)
        if not prefix:
            client("s3").head_object(Bucket=bucket, Key=key)
            return True
        found = client("s3").list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
        return bool(found.get("KeyCount"))
    except (ValueError, ClientError):
        return False


def read(uri: str) -> bytes:
    """The bytes of an object.

    Raises:
        ValueError: if it is no S3 URI.
        ClientError: as S3 refuses.
    """
    bucket, key = split(uri)
    body: bytes = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def model_data(container: dict[str, Any]) -> tuple[str, bool] | None:
    """Where a container's model lies, and whether that is a prefix; None if it has none."""
    if container.get("ModelDataUrl"):
        return container["ModelDataUrl"], False
    source = (container.get("ModelDataSource") or {}).get("S3DataSource")
    if source:
        return source["S3Uri"], source.get("S3DataType") == "S3Prefix"
    return None
