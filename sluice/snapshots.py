"""Images as immutable snapshots of code, addressed by digest.

A snapshot is an OCI image of one layer: the code that a step or a server needs, and the lock of its environment.
On one machine it is unpacked and run from there; on AWS the same files are the program of a Docker image. The
bytes depend on the files alone, so the same code has the same digest wherever and whenever it is built.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from botocore.exceptions import ClientError

from sluice.errors import SluiceError
from sluice.paths import ROOT

PROGRAM = "opt/program"
"""Where the code lies in the image; SageMaker's own convention for bring-your-own containers."""

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"

Kind = Literal["steps", "serving", "watch"]


@dataclass(frozen=True)
class SnapshotSpec:
    """What a snapshot holds.

    Attributes:
        paths: files and folders relative to the root of the checkout; of folders, all but caches.
        lock: the hash-pinned lock of the environment, put beside the code as `requirements.lock`.
        entrypoint: the command; `python` is that of the environment.
    """

    kind: Kind
    workload: str
    paths: tuple[Path, ...]
    lock: Path
    entrypoint: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """A built snapshot: its three blobs and their digests (`sha256:…`)."""

    spec: SnapshotSpec
    layer: bytes
    config: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        return _digest(self.manifest)

    @property
    def tag(self) -> str:
        """`flights-steps-0123456789ab`: of the content, so that a program finds the image without building it."""
        return f"{self.spec.workload}-{self.spec.kind}-{self.digest[7:19]}"


def build(spec: SnapshotSpec, root: Path = ROOT) -> Snapshot:
    """The snapshot of `spec` from the checkout at `root`.

    Raises:
        SluiceError: if a path of the spec does not exist.
    """
    layer = _layer(spec, root)
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Entrypoint": list(spec.entrypoint),
                "Env": [f"{key}={value}" for key, value in sorted(spec.environment.items())],
                "WorkingDir": f"/{PROGRAM}",
                "Labels": {"sluice.kind": spec.kind, "sluice.workload": spec.workload},
            },
            "rootfs": {"type": "layers", "diff_ids": [_digest(gzip.decompress(layer))]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _descriptor(CONFIG_TYPE, config),
            "layers": [_descriptor(LAYER_TYPE, layer)],
        }
    )
    return Snapshot(spec, layer, config, manifest)


def push(snapshot: Snapshot, repository: str, ecr: Any) -> str:
    """Put the snapshot into the ECR repository unless it is there; returns its digest."""
    if exists(snapshot, repository, ecr):
        return snapshot.digest
    for blob in (snapshot.config, snapshot.layer):
        _upload(blob, repository, ecr)
    # It is there already where another push of the same bytes was quicker.
    with suppress(ecr.exceptions.ImageAlreadyExistsException):
        ecr.put_image(
            repositoryName=repository,
            imageManifest=snapshot.manifest.decode(),
            imageManifestMediaType=MANIFEST_TYPE,
            imageTag=snapshot.tag,
        )
    return snapshot.digest


def exists(snapshot: Snapshot, repository: str, ecr: Any) -> bool:
    """Whether the repository holds the snapshot."""
    try:
        ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": snapshot.digest}])
    except ecr.exceptions.ImageNotFoundException:
        return False
    except ClientError as error:
        raise SluiceError(
            f"the image repository {repository} cannot be read: {error.response['Error']['Message']}",
            "Bring the platform up first.",
        ) from error
    return True


def _upload(blob: bytes, repository: str, ecr: Any) -> None:
    digest = _digest(blob)
    found = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest])["layers"]
    if any(layer["layerAvailability"] == "AVAILABLE" for layer in found):
        return
    upload = ecr.initiate_layer_upload(repositoryName=repository)
    size = upload["partSize"]
    for first in range(0, len(blob), size):
        part = blob[first : first + size]
        ecr.upload_layer_part(
            repositoryName=repository,
            uploadId=upload["uploadId"],
            partFirstByte=first,
            partLastByte=first + len(part) - 1,
            layerPartBlob=part,
        )
    ecr.complete_layer_upload(repositoryName=repository, uploadId=upload["uploadId"], layerDigests=[digest])


def _layer(spec: SnapshotSpec, root: Path) -> bytes:
    """A tar whose bytes depend on names and contents alone: sorted, no owner, no time, one of two modes."""
    members = {f"{PROGRAM}/{path.relative_to(root).as_posix()}": path for path in _files(spec.paths, root)}
    members[f"{PROGRAM}/requirements.lock"] = root / spec.lock
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, path in sorted(members.items()):
            content = path.read_bytes()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), compresslevel=6, mtime=0)


def _files(paths: Iterable[Path], root: Path) -> Iterator[Path]:
    for path in (root / path for path in paths):
        if path.is_file():
            yield path
        elif path.is_dir():
            yield from (
                found
                for found in path.rglob("*")
                if found.is_file() and "__pycache__" not in found.parts and found.suffix != ".pyc"
            )
        else:
            raise SluiceError(f"{path.relative_to(root)} is named by a snapshot and does not exist")


def _descriptor(media_type: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
