"""Between S3 and a job's folders."""

import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from botocore.exceptions import ClientError

from emulator.sagemaker.jobs.plan import Input, Output, relative_name
from emulator.sagemaker.objects import read, split
from emulator.sagemaker.seam import client

PARALLEL = 4
CHUNK = 1 << 20


class TransferError(Exception):
    """The reason as SageMaker gives it in FailureReason."""


def download(source: Input, opt_ml: Path, role: str) -> None:
    """Lay the objects under the input's URI, or those that its manifest lists, into its folder.

    Raises:
        TransferError: if there are none, the manifest is none, or S3 refuses.
    """
    target = opt_ml / source.folder
    target.mkdir(parents=True, exist_ok=True)
    try:
        if source.manifest:
            bucket, found = _manifest(source.uri)
        else:
            bucket, prefix = split(source.uri)
            found = _listed(bucket, prefix)
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(lambda item: _fetch(bucket, item[0], target, item[1]), found.items()))
    except (ValueError, ClientError) as error:
        raise TransferError(f"ClientError: Data download failed: {source.uri}: {error}") from error
    if not found:
        raise TransferError(
            f'ClientError: Data download failed:No S3 objects found under S3 URL "{source.uri}" given in input data '
            "source. Please ensure that the bucket exists in the selected region, that objects exist under that S3 "
            f'prefix, and that the role "{role}" has "s3:ListBucket" permissions on the bucket.'
        )


def _listed(bucket: str, prefix: str) -> dict[str, str]:
    """The keys under a prefix, and the name of each in the input's folder."""
    pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    names = {key: relative_name(prefix, key) for key in keys if not key.endswith("/")}
    return {key: name for key, name in names.items() if name}


def _manifest(uri: str) -> tuple[str, dict[str, str]]:
    """Bucket, keys and names of `[{"prefix": "s3://bucket/some/prefix/"}, "relative/path", …]`: prefix and path are put
    together as they are, and the path is the name (API reference, S3DataSource)."""
    document = json.loads(read(uri))
    if (
        not isinstance(document, list)
        or not document
        or not isinstance(document[0], dict)
        or set(document[0]) != {"prefix"}
        or not all(isinstance(name, str) and name for name in document[1:])
    ):
        raise ValueError("the manifest is no array of a prefix and of paths after it")
    bucket, prefix = split(str(document[0]["prefix"]))
    return bucket, {f"{prefix}{name}": name.lstrip("/") for name in document[1:]}


def _fetch(bucket: str, key: str, target: Path, name: str) -> None:
    if ".." in Path(name).parts:
        raise TransferError(f"ClientError: Data download failed: the key {key!r} leaves its folder")
    path = target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    # One request an object; boto3's own download asks for the size first.
    body = client("s3").get_object(Bucket=bucket, Key=key)["Body"]
    with path.open("wb") as file:
        for chunk in body.iter_chunks(CHUNK):
            file.write(chunk)


def upload(output: Output, opt_ml: Path) -> None:
    """Put an output's files to S3, encrypted with its key if it has one.

    Raises:
        TransferError: if S3 refuses.
    """
    folder = opt_ml / output.folder
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    if not files and output.skip_empty:
        return
    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": output.kms_key} if output.kms_key else {}
    try:
        bucket, key = split(output.uri)
        s3 = client("s3")
        if output.archive:
            s3.put_object(Bucket=bucket, Key=key, Body=_archive(folder), **extra)
            return
        base = f"{key.rstrip('/')}/" if key else ""
        for path in files:
            s3.upload_file(str(path), bucket, f"{base}{path.relative_to(folder).as_posix()}", ExtraArgs=extra)
    # upload_file wraps what S3 says in an error of its own kind.
    except Exception as error:
        raise TransferError(f"ClientError: Failed to upload output to {output.uri}: {error}") from error


def _archive(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=6) as tar:
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                tar.add(path, arcname=path.name)
    return buffer.getvalue()
