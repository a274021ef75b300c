"""The connected steps' decisions against moto, and starting an execution once."""

import io
import json
import tarfile

import boto3
import pytest
from moto import mock_aws

from pipelines import executions
from pipelines.registry import model_archive
from pipelines.steps import fetch_champion, registry
from sluice.errors import SluiceError
from workloads.contract import Workload
from workloads.modules import Description

WORKLOAD = Workload.load("flights")
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sluice@sha256:" + "a" * 64


@pytest.fixture
def sagemaker(monkeypatch):
    for key, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(key, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("sagemaker", region_name="us-east-1")
        client.create_model_package_group(ModelPackageGroupName="flights")
        yield client


def describe(version="1.0"):
    return Description(
        kind="model",
        workload="flights",
        version=version,
        method=1,
        change="data",
        code_hash="c",
        data_hash="d",
    )


def create(sagemaker, version="1.0", execution="arn/e1"):
    return registry.create(
        sagemaker,
        WORKLOAD,
        describe(version),
        image=IMAGE,
        model_data_url="s3://artifacts/flights/model.tar.gz",
        evaluation_url="s3://artifacts/flights/evaluation.json",
        execution=execution,
    )


def test_a_package_waits_for_approval_and_says_what_it_is(sagemaker):
    found = sagemaker.describe_model_package(ModelPackageName=create(sagemaker))
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    properties = found["CustomerMetadataProperties"]
    assert properties["version"] == "1.0" and properties["image_digest"] == "sha256:" + "a" * 64
    assert registry.registered(found).data_hash == "d"


def test_an_execution_registers_once_and_a_version_belongs_to_one(sagemaker):
    first = create(sagemaker)
    assert create(sagemaker) == first
    with pytest.raises(SluiceError, match=r"1\.0 was registered by another execution"):
        create(sagemaker, execution="arn/e2")
    assert create(sagemaker, "1.1", "arn/e2") != first
    assert len(list(registry.packages(sagemaker, "flights"))) == 2


def test_the_champion_is_what_the_production_variant_serves(sagemaker):
    assert fetch_champion.serving_package(sagemaker, "flights-local") == (
        None,
        "there is no endpoint flights-local",
    )
    package = create(sagemaker)
    role = "arn:aws:iam::123456789012:role/serving"
    sagemaker.create_model(
        ModelName="flights-1", ExecutionRoleArn=role, PrimaryContainer={"ModelPackageName": package}
    )
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": "flights-1",
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    sagemaker.create_endpoint_config(EndpointConfigName="flights-local-1", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="flights-local", EndpointConfigName="flights-local-1")
    found, reason = fetch_champion.serving_package(sagemaker, "flights-local")
    assert found["ModelPackageArn"] == package and reason == "flights-local serves it"


def test_the_incumbents_archive_is_whole_and_the_same_each_time():
    archive = model_archive(WORKLOAD, describe("0"))
    assert archive == model_archive(WORKLOAD, describe("0"))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        names = set(tar.getnames())
        assert json.loads(tar.extractfile("model.json").read())["version"] == "0"
    assert {
        "code/workloads/contract.py",
        "code/workloads/flights/incumbent.py",
        "code/sluice/errors.py",
    } <= names
    assert not any("source.py" in name for name in names)


class Pipelines:
    """StartPipelineExecution as AWS documents it: the same token, the same execution."""

    def __init__(self):
        self.executions, self.statuses = {}, {}

    def describe_pipeline(self, PipelineName):
        return {"PipelineDefinition": "{}"}

    def start_pipeline_execution(self, ClientRequestToken, **_):
        assert 32 <= len(ClientRequestToken) <= 128
        arn = self.executions.setdefault(ClientRequestToken, f"arn/{len(self.executions)}")
        self.statuses.setdefault(arn, "Executing")
        return {"PipelineExecutionArn": arn}

    def describe_pipeline_execution(self, PipelineExecutionArn):
        return {"PipelineExecutionStatus": self.statuses[PipelineExecutionArn]}


def test_the_same_inputs_join_one_execution_unless_it_failed():
    pipelines = Pipelines()

    def start(until, again=False):
        return executions.start(pipelines, "flights-training", {"TrainUntil": until}, "abc", again)

    assert start("a") == start("a") == "arn/0"
    assert start("b") == "arn/1"
    pipelines.statuses["arn/0"] = "Failed"
    assert start("a") == start("a") == "arn/2"
    pipelines.statuses["arn/2"] = "Succeeded"
    assert start("a") == "arn/2"
    assert start("a", again=True) == "arn/3"
