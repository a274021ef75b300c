"""Model packages, groups and models, through the API."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator import tiny_image
from tests.emulator.tiny_image import ACCOUNT, BUCKET, ROLE

MODEL = f"s3://{BUCKET}/model.tar.gz"


@pytest.fixture(scope="module")
def image(emulator: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    tiny_image.bucket(emulator, {"model.tar.gz": b"model"})
    return tiny_image.push(
        emulator, tmp_path_factory.mktemp("code"), {"serve.py": ""}, ("python", "-m", "serve")
    )


def group(emulator: Any, name: str) -> str:
    arn: str = emulator.client("sagemaker").create_model_package_group(
        ModelPackageGroupName=name, Tags=[{"Key": "team", "Value": "ml"}]
    )["ModelPackageGroupArn"]
    return arn


def package(emulator: Any, image: str, name: str, **more: Any) -> str:
    arn: str = emulator.client("sagemaker").create_model_package(
        **{
            "ModelPackageGroupName": name,
            "ModelApprovalStatus": "PendingManualApproval",
            "InferenceSpecification": {
                "Containers": [{"Image": image, "ModelDataUrl": MODEL, "Environment": {"A": "1", "B": "1"}}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["application/json"],
                "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
            },
            **more,
        }
    )["ModelPackageArn"]
    return arn


def test_no_field_of_a_package_is_lost(emulator: Any, image: str) -> None:
    group(emulator, "kept")
    given = {
        "CustomerMetadataProperties": {"version": "1.0"},
        "ModelLifeCycle": {"Stage": "Development", "StageStatus": "PendingApproval"},
        "ModelCard": {"ModelCardContent": "{}", "ModelCardStatus": "Draft"},
        "SourceUri": "s3://material/source",
        "SecurityConfig": {"KmsKeyId": "alias/x"},
        "SkipModelValidation": "All",
        "ModelMetrics": {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": MODEL}}},
        "DriftCheckBaselines": {
            "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": MODEL}}
        },
        "ModelPackageDescription": "the first",
    }
    arn = package(emulator, image, "kept", **given)
    described = emulator.client("sagemaker").describe_model_package(ModelPackageName=arn)
    for key, value in given.items():
        assert described[key] == value, key
    assert (described["ModelPackageVersion"], described["ModelPackageStatus"]) == (1, "Completed")
    assert emulator.client("sagemaker").list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "ml"}]


def test_approval_and_metadata_are_updated_and_merged(emulator: Any, image: str) -> None:
    group(emulator, "merged")
    sagemaker = emulator.client("sagemaker")
    arn = package(emulator, image, "merged", CustomerMetadataProperties={"a": "1", "b": "1"})
    sagemaker.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="good",
        CustomerMetadataProperties={"b": "2", "c": "2"},
        CustomerMetadataPropertiesToRemove=["a"],
        ModelLifeCycle={"Stage": "Production", "StageStatus": "Approved"},
    )
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert described["CustomerMetadataProperties"] == {"b": "2", "c": "2"}
    assert described["ModelApprovalStatus"] == "Approved"
    assert described["ModelLifeCycle"] == {"Stage": "Production", "StageStatus": "Approved"}
    assert described["LastModifiedTime"] >= described["CreationTime"]
    with pytest.raises(ClientError, match="enum value set"):
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Fine")


def test_packages_are_listed_by_approval_and_order(emulator: Any, image: str) -> None:
    group(emulator, "listed")
    sagemaker = emulator.client("sagemaker")
    arns = [package(emulator, image, "listed") for _ in range(3)]
    assert [arn.rpartition("/")[2] for arn in arns] == ["1", "2", "3"]
    sagemaker.update_model_package(ModelPackageArn=arns[1], ModelApprovalStatus="Approved")

    def listed(**query: Any) -> list[int]:
        found = sagemaker.list_model_packages(ModelPackageGroupName="listed", **query)[
            "ModelPackageSummaryList"
        ]
        return [entry["ModelPackageVersion"] for entry in found]

    assert listed(SortOrder="Descending") == [3, 2, 1]
    assert listed(SortOrder="Ascending") == [1, 2, 3]
    assert listed(ModelApprovalStatus="Approved") == [2]
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName="listed", PaginationConfig={"PageSize": 2}
    )
    assert [len(page["ModelPackageSummaryList"]) for page in pages] == [2, 1]


def test_a_group_goes_only_when_it_is_empty_and_numbers_are_not_given_twice(
    emulator: Any, image: str
) -> None:
    group(emulator, "going")
    sagemaker = emulator.client("sagemaker")
    first = package(emulator, image, "going")
    with pytest.raises(ClientError, match="ConflictException"):
        sagemaker.delete_model_package_group(ModelPackageGroupName="going")
    sagemaker.delete_model_package(ModelPackageName=first)
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_model_package(ModelPackageName=first)
    second = package(emulator, image, "going")
    assert second.endswith("/2")
    sagemaker.delete_model_package(ModelPackageName=second)
    sagemaker.delete_model_package_group(ModelPackageGroupName="going")
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_model_package_group(ModelPackageGroupName="going")


def test_a_repeated_call_makes_one_package(emulator: Any, image: str) -> None:
    group(emulator, "repeated")
    first = package(emulator, image, "repeated", ClientToken="a" * 32)
    assert package(emulator, image, "repeated", ClientToken="a" * 32) == first
    assert package(emulator, image, "repeated", ClientToken="b" * 32) != first


def test_what_does_not_exist_is_refused(emulator: Any, image: str) -> None:
    group(emulator, "checked")
    sagemaker = emulator.client("sagemaker")
    with pytest.raises(ClientError, match="already exists"):
        group(emulator, "checked")
    for container, problem in (
        ({"Image": f"{ACCOUNT}/tiny:none", "ModelDataUrl": MODEL}, "not found"),
        ({"Image": image, "ModelDataUrl": f"s3://{BUCKET}/none.tar.gz"}, "Could not find model data"),
    ):
        specification = {
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        }
        with pytest.raises(ClientError, match=problem):
            package(emulator, image, "checked", InferenceSpecification=specification)
        with pytest.raises(ClientError, match=problem):
            sagemaker.create_model(ModelName="broken", PrimaryContainer=container, ExecutionRoleArn=ROLE)
    with pytest.raises(ClientError, match="does not exist"):
        package(emulator, image, "nobody")
    with pytest.raises(ClientError, match="Tags"):
        package(emulator, image, "checked", Tags=[{"Key": "a", "Value": "b"}])


def test_a_model_is_made_only_of_an_approved_package(emulator: Any, image: str) -> None:
    group(emulator, "deployed")
    sagemaker = emulator.client("sagemaker")
    arn = package(emulator, image, "deployed")
    request: dict[str, Any] = {
        "ModelName": "of-package",
        "PrimaryContainer": {"ModelPackageName": arn, "Environment": {"B": "2"}},
        "ExecutionRoleArn": ROLE,
        "EnableNetworkIsolation": True,
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        "Tags": [{"Key": "team", "Value": "ml"}],
    }
    with pytest.raises(ClientError, match="must be Approved"):
        sagemaker.create_model(**request)
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    model = sagemaker.create_model(**request)["ModelArn"]
    described = sagemaker.describe_model(ModelName="of-package")
    for key in ("PrimaryContainer", "EnableNetworkIsolation", "VpcConfig"):
        assert described[key] == request[key]
    assert sagemaker.list_tags(ResourceArn=model)["Tags"] == request["Tags"]
    with pytest.raises(ClientError, match="already existing model"):
        sagemaker.create_model(**request)
    sagemaker.delete_model(ModelName="of-package")
    with pytest.raises(ClientError, match="Could not find model"):
        sagemaker.describe_model(ModelName="of-package")


def test_an_approval_is_said_on_the_event_bus(emulator: Any, image: str) -> None:
    group(emulator, "said")
    events, sqs = emulator.client("events"), emulator.client("sqs")
    queue = sqs.create_queue(QueueName="approvals")["QueueUrl"]
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": ["said"], "ModelApprovalStatus": ["Approved"]},
    }
    events.put_rule(Name="approvals", EventPattern=json.dumps(pattern))
    target = "arn:aws:sqs:us-east-1:123456789012:approvals"
    events.put_targets(Rule="approvals", Targets=[{"Id": "1", "Arn": target}])
    arn = package(emulator, image, "said")
    emulator.client("sagemaker").update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    messages = tiny_image.until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    assert json.loads(messages[0]["Body"])["detail"]["ModelPackageArn"] == arn
