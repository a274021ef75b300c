"""What a server is started from, in this process."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.context import Context
from emulator.refusals import RefusalError
from emulator.sagemaker import models
from emulator.sagemaker.packages import change
from emulator.sagemaker.seam import Record, backend

ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/tiny/1"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def tables(tmp_path: Path) -> Any:
    context = Context(root=tmp_path, control_url="", endpoint_url="", boot_id="test")
    models.install(context)
    return backend(context)


def test_a_models_container_is_its_packages_with_its_own_environment_on_top(tables: Any) -> None:
    base = {"Image": "image", "ModelDataUrl": "s3://b/m", "Environment": {"A": "1", "B": "1"}}
    tables.model_packages[ARN] = Record(ARN, {"InferenceSpecification": {"Containers": [base]}})
    own = {"ModelPackageName": ARN, "Environment": {"B": "2"}}
    tables._models["of-package"] = Record("arn", {"PrimaryContainer": own})
    assert models.container("of-package") == models.Container(
        "image", "s3://b/m", {"A": "1", "B": "2"}, package=ARN
    )


def test_a_model_of_an_uncompressed_source_is_found(tables: Any) -> None:
    source = {"S3DataSource": {"S3Uri": "s3://b/p/", "S3DataType": "S3Prefix", "CompressionType": "None"}}
    tables._models["plain"] = Record("arn", {"PrimaryContainer": {"Image": "i", "ModelDataSource": source}})
    assert models.container("plain") == models.Container("i", "s3://b/p/", {})


def test_an_unknown_model_is_refused(tables: Any) -> None:
    with pytest.raises(RefusalError, match="Could not find model"):
        models.container("nobody")


PROPERTIES = st.dictionaries(st.sampled_from("abcdef"), st.text("xyz", min_size=1, max_size=2))


@given(PROPERTIES, PROPERTIES, st.lists(st.sampled_from("abcdef")))
def test_metadata_is_merged_and_then_removed(before: Any, given_: Any, removed: Any) -> None:
    params = {"CustomerMetadataProperties": given_, "CustomerMetadataPropertiesToRemove": removed}
    after = change.updated({"CustomerMetadataProperties": before}, params, NOW)["CustomerMetadataProperties"]
    assert not set(after) & set(removed)
    for key in {*before, *given_} - set(removed):
        assert after[key] == given_.get(key, before.get(key))


@pytest.mark.parametrize(
    "wrong", [{"k" * 129: "v"}, {"k": ""}, {"k": "v" * 257}, {str(n): "v" for n in range(51)}]
)
def test_metadata_has_limits(wrong: dict[str, str]) -> None:
    with pytest.raises(RefusalError):
        change.check_properties(wrong)
