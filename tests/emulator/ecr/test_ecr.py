"""The registry keeps bytes, addresses manifests by digest, and refuses what ECR refuses."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sluice import snapshots
from tests.emulator import tiny_image


def upload(ecr: Any, content: bytes, digest: str | None = None) -> str:
    digest = digest or f"sha256:{hashlib.sha256(content).hexdigest()}"
    upload_id = ecr.initiate_layer_upload(repositoryName="images")["uploadId"]
    if content:
        ecr.upload_layer_part(
            repositoryName="images",
            uploadId=upload_id,
            partFirstByte=0,
            partLastByte=len(content) - 1,
            layerPartBlob=content,
        )
    completed: str = ecr.complete_layer_upload(
        repositoryName="images", uploadId=upload_id, layerDigests=[digest]
    )["layerDigest"]
    return completed


@pytest.fixture(scope="module")
def ecr(emulator: Any) -> Any:
    client = emulator.client("ecr")
    client.create_repository(repositoryName="images", imageTagMutability="IMMUTABLE")
    return client


def test_a_digest_is_that_of_the_manifests_bytes(ecr: Any, tmp_path: Path) -> None:
    snapshot = tiny_image.build(tmp_path, {"a.py": "a = 1"}, ("python", "-m", "a"))
    assert snapshots.push(snapshot, "images", ecr) == snapshot.digest
    assert snapshots.push(snapshot, "images", ecr) == snapshot.digest
    found = ecr.batch_get_image(repositoryName="images", imageIds=[{"imageTag": snapshot.tag}])["images"][0]
    assert found["imageManifest"].encode() == snapshot.manifest
    assert found["imageId"]["imageDigest"] == snapshot.digest
    details = ecr.describe_images(repositoryName="images", imageIds=[{"imageDigest": snapshot.digest}])
    assert details["imageDetails"][0]["imageSizeInBytes"] == len(snapshot.layer) + len(snapshot.config)


def test_two_images_of_one_layer_are_two(ecr: Any, tmp_path: Path) -> None:
    one = tiny_image.build(tmp_path, {"b.py": "b = 1"}, ("python", "-m", "b"))
    two = tiny_image.build(tmp_path, {"b.py": "b = 1"}, ("python", "-m", "b", "--other"))
    assert one.layer == two.layer
    assert snapshots.push(one, "images", ecr) != snapshots.push(two, "images", ecr)


def test_an_image_without_its_layers_is_refused(ecr: Any, tmp_path: Path) -> None:
    snapshot = tiny_image.build(tmp_path, {"c.py": "c = 1"}, ("python", "-m", "c"))
    with pytest.raises(ClientError, match="LayersNotFoundException"):
        ecr.put_image(repositoryName="images", imageManifest=snapshot.manifest.decode(), imageTag="c")


def test_a_tag_is_not_moved(ecr: Any, tmp_path: Path) -> None:
    first = tiny_image.build(tmp_path / "1", {"d.py": "d = 1"}, ("python",))
    second = tiny_image.build(tmp_path / "2", {"d.py": "d = 2"}, ("python",))
    snapshots.push(first, "images", ecr)
    snapshots.push(second, "images", ecr)
    with pytest.raises(ClientError, match="ImageAlreadyExistsException"):
        ecr.put_image(repositoryName="images", imageManifest=second.manifest.decode(), imageTag=first.tag)


def test_a_layer_must_be_what_its_digest_says(ecr: Any) -> None:
    with pytest.raises(ClientError, match="InvalidLayerException"):
        upload(ecr, b"content", f"sha256:{'0' * 64}")
    with pytest.raises(ClientError, match="EmptyUploadException"):
        upload(ecr, b"")
    upload(ecr, b"content")
    with pytest.raises(ClientError, match="LayerAlreadyExistsException"):
        upload(ecr, b"content")


@pytest.mark.parametrize(
    "manifest", ["not json", "[]", json.dumps({"mediaType": "text/plain"}), json.dumps({"schemaVersion": 2})]
)
def test_a_broken_manifest_is_refused(ecr: Any, manifest: str) -> None:
    with pytest.raises(ClientError, match="InvalidParameterException"):
        ecr.put_image(repositoryName="images", imageManifest=manifest, imageTag="broken")


def test_an_unknown_repository_is_refused(ecr: Any) -> None:
    with pytest.raises(ClientError, match="RepositoryNotFoundException"):
        ecr.put_image(repositoryName="nobody", imageManifest="{}", imageTag="x")
