import gzip
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from sluice import images, snapshots
from sluice.errors import SluiceError
from sluice.snapshots import Snapshot, SnapshotSpec


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / "code" / "__pycache__").mkdir(parents=True)
    (root / "code" / "a.py").write_text("a = 1\n")
    (root / "code" / "run").write_text("#!/bin/sh\n")
    (root / "code" / "run").chmod(0o755)
    (root / "code" / "__pycache__" / "a.pyc").write_text("x")
    (root / "lock").write_text("numpy==1\n")
    return root


def spec(*paths: str) -> SnapshotSpec:
    return SnapshotSpec(
        "steps",
        "flights",
        tuple(map(Path, paths or ("code",))),
        Path("lock"),
        ("python", "-m", "x"),
        {"B": "2", "A": "1"},
    )


def members(snapshot: Snapshot) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(snapshot.layer))) as tar:
        return {member.name: member for member in tar.getmembers()}


def test_a_digest_is_of_the_content_alone(checkout: Path) -> None:
    first = snapshots.build(spec(), checkout)
    os.utime(checkout / "code" / "a.py", (1, 1))
    (checkout / "code" / "__pycache__" / "b.pyc").write_text("y")
    assert snapshots.build(spec(), checkout).digest == first.digest
    (checkout / "code" / "a.py").write_text("a = 2\n")
    assert snapshots.build(spec(), checkout).digest != first.digest


def test_a_snapshot_holds_code_and_lock_and_no_cache(checkout: Path) -> None:
    found = members(snapshots.build(spec(), checkout))
    assert set(found) == {"opt/program/code/a.py", "opt/program/code/run", "opt/program/requirements.lock"}
    assert found["opt/program/code/run"].mode == 0o755
    assert {member.mtime for member in found.values()} == {0}


def test_the_manifest_describes_the_blobs(checkout: Path) -> None:
    snapshot = snapshots.build(spec(), checkout)
    manifest, config = json.loads(snapshot.manifest), json.loads(snapshot.config)
    assert manifest["layers"][0]["size"] == len(snapshot.layer)
    assert config["config"]["Env"] == ["A=1", "B=2"]
    assert config["config"]["Labels"] == {"sluice.kind": "steps", "sluice.workload": "flights"}
    assert snapshot.tag == f"flights-steps-{snapshot.digest[7:19]}"


def test_a_path_that_is_not_there_is_named(checkout: Path) -> None:
    with pytest.raises(SluiceError, match=r"code/none\.py"):
        snapshots.build(spec("code/none.py"), checkout)


@pytest.mark.parametrize("kind", ["steps", "serving"])
def test_the_images_of_this_checkout_are_the_same_twice_and_hold_no_source_of_data(kind: str) -> None:
    snapshot = images.build(kind, "flights")
    images.build.cache_clear()
    assert images.build(kind, "flights").digest == snapshot.digest
    assert "opt/program/workloads/flights/features.py" in members(snapshot)
    assert not [
        name for name in members(snapshot) if name.startswith(("opt/program/emulator", "opt/program/infra"))
    ]


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(SluiceError, match="serving, steps"):
        images.build("batch", "flights")


class Repository:
    """ECR as far as a push goes."""

    class exceptions:
        class ImageNotFoundException(Exception):
            pass

        class ImageAlreadyExistsException(Exception):
            pass

    def __init__(self) -> None:
        self.layers: dict[str, bytes] = {}
        self.parts: list[bytes] = []
        self.images: list[dict[str, Any]] = []

    def describe_images(self, **_: Any) -> dict[str, Any]:
        if not self.images:
            raise self.exceptions.ImageNotFoundException
        return {"imageDetails": self.images}

    def batch_check_layer_availability(self, layerDigests: list[str], **_: Any) -> dict[str, Any]:
        known = [digest for digest in layerDigests if digest in self.layers]
        return {"layers": [{"layerDigest": digest, "layerAvailability": "AVAILABLE"} for digest in known]}

    def initiate_layer_upload(self, **_: Any) -> dict[str, Any]:
        self.parts = []
        return {"uploadId": "u", "partSize": 100}

    def upload_layer_part(
        self, partFirstByte: int, partLastByte: int, layerPartBlob: bytes, **_: Any
    ) -> None:
        assert (
            partFirstByte == sum(map(len, self.parts))
            and len(layerPartBlob) == partLastByte - partFirstByte + 1
        )
        self.parts.append(layerPartBlob)

    def complete_layer_upload(self, layerDigests: list[str], **_: Any) -> None:
        self.layers[layerDigests[0]] = b"".join(self.parts)

    def put_image(self, **image: Any) -> None:
        self.images.append(image)


def test_a_push_sends_both_blobs_in_parts_and_a_second_one_nothing(checkout: Path) -> None:
    snapshot, ecr = snapshots.build(spec(), checkout), Repository()
    assert snapshots.push(snapshot, "images", ecr) == snapshot.digest
    assert set(ecr.layers.values()) == {snapshot.layer, snapshot.config}
    assert ecr.images[0]["imageTag"] == snapshot.tag
    snapshots.push(snapshot, "images", ecr)
    assert len(ecr.images) == 1
