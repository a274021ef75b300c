"""Executions run for real: each step is a process, its files go through S3."""

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator import tiny_image
from tests.emulator.tiny_image import BUCKET, ROLE

CODE = {
    "score.py": """
import json, os, pathlib, sys
out = pathlib.Path(os.environ["SLUICE_OPT_ML"]) / "processing/report"
out.mkdir(parents=True, exist_ok=True)
(out / "evaluation.json").write_text(json.dumps({"auc": {"value": float(os.environ["AUC"])}, "run": sys.argv[1]}))
""",
    "reject.py": """
import os, pathlib, sys
(pathlib.Path(os.environ["SLUICE_OPT_ML"]) / "output/message").write_text("rows 3 and 4 have no time")
sys.exit(2)
""",
    "sleep.py": "import time\nprint('sleeping', flush=True)\ntime.sleep(600)\n",
    "train.py": """
import os, pathlib
opt = pathlib.Path(os.environ["SLUICE_OPT_ML"])
(opt / "model/report.json").write_text((opt / "input/data/train/evaluation.json").read_text())
""",
}
CLUSTER = {"InstanceCount": 1, "InstanceType": {"Get": "Parameters.Instance"}, "VolumeSizeInGB": 10}
RESOURCES = {"ClusterConfig": CLUSTER}


@pytest.fixture(scope="module")
def image(emulator: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    tiny_image.bucket(emulator)
    emulator.client("sagemaker").create_model_package_group(ModelPackageGroupName="tiny")
    return tiny_image.push(emulator, tmp_path_factory.mktemp("code"), CODE)


def step(image: str, name: str, module: str, **more: Any) -> dict[str, Any]:
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "ProcessingResources": RESOURCES,
            "AppSpecification": {
                "ImageUri": image,
                "ContainerEntrypoint": ["python", "-m", module],
                "ContainerArguments": [{"Get": "Execution.PipelineExecutionId"}],
            },
            "Environment": {"AUC": {"Std:Join": {"On": "", "Values": ["0.", {"Get": "Parameters.Auc"}]}}},
            "RoleArn": ROLE,
            "NetworkConfig": {"EnableNetworkIsolation": True},
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "report",
                        "S3Output": {
                            "S3Uri": {
                                "Std:Join": {
                                    "On": "/",
                                    "Values": [
                                        f"s3://{BUCKET}",
                                        {"Get": "Execution.PipelineExecutionId"},
                                        name,
                                    ],
                                }
                            },
                            "LocalPath": "/opt/ml/processing/report",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
        },
        "PropertyFiles": [
            {"PropertyFileName": "Evaluation", "OutputName": "report", "FilePath": "evaluation.json"}
        ],
        **more,
    }


def gate(image: str) -> dict[str, Any]:
    auc = {
        "Std:JsonGet": {
            "PropertyFile": {"Get": "Steps.Score.PropertyFiles.Evaluation"},
            "Path": "auc.value",
        }
    }
    register = {
        "Name": "Register",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": "tiny",
            "ModelApprovalStatus": "PendingManualApproval",
            "InferenceSpecification": {
                "Containers": [
                    {"Image": image, "ModelDataUrl": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}}
                ],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        },
    }
    fail = {
        "Name": "TooWeak",
        "Type": "Fail",
        "Arguments": {
            "ErrorMessage": {
                "Std:Join": {"On": " ", "Values": ["AUC", auc, "is below", {"Get": "Parameters.Floor"}]}
            }
        },
    }
    return {
        "Name": "Gate",
        "Type": "Condition",
        "DependsOn": ["Train"],
        "Arguments": {
            "Conditions": [
                {"Type": "GreaterThanOrEqualTo", "LeftValue": auc, "RightValue": {"Get": "Parameters.Floor"}}
            ],
            "IfSteps": [register],
            "ElseSteps": [fail],
        },
    }


def train(image: str) -> dict[str, Any]:
    uri = {"Get": "Steps.Score.ProcessingOutputConfig.Outputs['report'].S3Output.S3Uri"}
    return {
        "Name": "Train",
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
            "ResourceConfig": CLUSTER,
            "StoppingCondition": {"MaxRuntimeInSeconds": 100},
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
                }
            ],
        },
    }


def definition(*steps: dict[str, Any]) -> str:
    return json.dumps(
        {
            "Version": "2020-12-01",
            "Metadata": {},
            "Parameters": [
                {"Name": "Instance", "Type": "String", "DefaultValue": "ml.m5.large"},
                {"Name": "Floor", "Type": "Float", "DefaultValue": 0.8},
                {"Name": "Auc", "Type": "Integer"},
            ],
            "Steps": list(steps),
        }
    )


def create(emulator: Any, name: str, text: str) -> None:
    emulator.client("sagemaker").create_pipeline(
        PipelineName=name, PipelineDefinition=text, RoleArn=ROLE, ClientRequestToken=uuid.uuid4().hex
    )


def start(emulator: Any, name: str, **parameters: str) -> str:
    arn: str = emulator.client("sagemaker").start_pipeline_execution(
        PipelineName=name,
        ClientRequestToken=uuid.uuid4().hex,
        PipelineParameters=[{"Name": key, "Value": value} for key, value in parameters.items()],
    )["PipelineExecutionArn"]
    return arn


def wait(emulator: Any, arn: str) -> tuple[Any, dict[str, Any]]:
    """How the execution ended, and its steps by name."""
    sagemaker = emulator.client("sagemaker")
    execution = tiny_image.ended(
        lambda: sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn), "PipelineExecutionStatus"
    )
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")
    return execution, {step["StepName"]: step for step in steps["PipelineExecutionSteps"]}


def test_a_good_model_is_registered_and_a_weak_one_fails_the_gate(emulator: Any, image: str) -> None:
    create(emulator, "loop", definition(step(image, "Score", "score"), train(image), gate(image)))
    arn = start(emulator, "loop", Auc="9")
    execution, steps = wait(emulator, arn)
    assert execution["PipelineExecutionStatus"] == "Succeeded", steps
    assert list(steps) == ["Score", "Train", "Gate", "Register"]
    assert {step["StepStatus"] for step in steps.values()} == {"Succeeded"}
    assert all(step["EndTime"] >= step["StartTime"] for step in steps.values())
    assert steps["Gate"]["Metadata"] == {"Condition": {"Outcome": "True"}}
    sagemaker = emulator.client("sagemaker")
    package = sagemaker.describe_model_package(
        ModelPackageName=steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    )
    job = sagemaker.describe_training_job(
        TrainingJobName=steps["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    )
    container = package["InferenceSpecification"]["Containers"][0]
    assert container["ModelDataUrl"] == job["ModelArtifacts"]["S3ModelArtifacts"]
    report = tiny_image.read_json(emulator, f"{arn.rpartition('/')[2]}/Score/evaluation.json")
    assert report == {"auc": {"value": 0.9}, "run": arn.rpartition("/")[2]}

    execution, steps = wait(emulator, start(emulator, "loop", Auc="9", Floor="0.95"))
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert execution["FailureReason"] == "Step failure: One or multiple steps failed."
    assert steps["Gate"]["Metadata"] == {"Condition": {"Outcome": "False"}}
    assert steps["TooWeak"]["FailureReason"] == "AUC 0.9 is below 0.95"
    assert steps["TooWeak"]["Metadata"] == {"Fail": {"ErrorMessage": "AUC 0.9 is below 0.95"}}
    assert "Register" not in steps
    assert len(sagemaker.list_model_packages(ModelPackageGroupName="tiny")["ModelPackageSummaryList"]) == 1


def test_the_exit_message_of_a_step_is_its_reason_and_nothing_follows(emulator: Any, image: str) -> None:
    create(
        emulator,
        "rejects",
        definition(step(image, "Validate", "reject"), step(image, "After", "score", DependsOn=["Validate"])),
    )
    execution, steps = wait(emulator, start(emulator, "rejects", Auc="9"))
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert list(steps) == ["Validate"]
    assert steps["Validate"]["FailureReason"] == "AlgorithmError: rows 3 and 4 have no time, exit code: 2"
    with pytest.raises(ClientError, match="definition was changed"):
        text = definition(step(image, "Validate", "score"), step(image, "After", "score"))
        emulator.client("sagemaker").update_pipeline(PipelineName="rejects", PipelineDefinition=text)
        emulator.client("sagemaker").retry_pipeline_execution(
            PipelineExecutionArn=execution["PipelineExecutionArn"], ClientRequestToken=uuid.uuid4().hex
        )


def test_an_execution_is_stopped_with_its_jobs_and_retried(emulator: Any, image: str) -> None:
    create(
        emulator,
        "long",
        definition(step(image, "Score", "score"), step(image, "Long", "sleep", DependsOn=["Score"])),
    )
    sagemaker = emulator.client("sagemaker")
    arn = start(emulator, "long", Auc="9")

    def sleeping() -> str | None:
        steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        job = steps[0].get("Metadata", {}).get("ProcessingJob", {}).get("Arn", "") if steps else ""
        name: str = job.rpartition("/")[2]
        log = emulator.root / f"logs/jobs/{name}.log"
        return name if log.exists() and "sleeping" in log.read_text() else None

    job = tiny_image.until(sleeping)
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=uuid.uuid4().hex)
    execution, steps = wait(emulator, arn)
    assert execution["PipelineExecutionStatus"] == "Stopped"
    assert {name: step["StepStatus"] for name, step in steps.items()} == {
        "Score": "Succeeded",
        "Long": "Stopped",
    }
    assert sagemaker.describe_processing_job(ProcessingJobName=job)["ProcessingJobStatus"] == "Stopped"
    with pytest.raises(ClientError, match="status is Stopped"):
        sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=uuid.uuid4().hex)
    before = steps["Score"]["EndTime"]
    sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=uuid.uuid4().hex)
    again = tiny_image.until(sleeping)
    assert again != job
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=uuid.uuid4().hex)
    assert wait(emulator, arn)[1]["Score"]["EndTime"] == before  # what succeeded is not run again


def test_a_cached_step_is_taken_over(emulator: Any, image: str) -> None:
    cached = step(image, "Score", "score", CacheConfig={"Enabled": True, "ExpireAfter": "P1D"})
    uri = f"s3://{BUCKET}/cached"
    cached["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = uri
    cached["Arguments"]["AppSpecification"]["ContainerArguments"] = ["same"]
    create(emulator, "cached", definition(cached))
    first = start(emulator, "cached", Auc="9")
    assert "CacheHitResult" not in wait(emulator, first)[1]["Score"]
    _, steps = wait(emulator, start(emulator, "cached", Auc="9"))
    assert steps["Score"]["CacheHitResult"] == {"SourcePipelineExecutionArn": first}
    _, steps = wait(emulator, start(emulator, "cached", Auc="8"))
    assert "CacheHitResult" not in steps["Score"]


def test_a_start_is_idempotent_and_its_parameters_are_checked(emulator: Any, image: str) -> None:
    create(emulator, "checked", definition(step(image, "Score", "score")))
    sagemaker, token = emulator.client("sagemaker"), uuid.uuid4().hex
    request = {
        "PipelineName": "checked",
        "ClientRequestToken": token,
        "PipelineParameters": [{"Name": "Auc", "Value": "7"}],
    }
    arn = sagemaker.start_pipeline_execution(**request)["PipelineExecutionArn"]
    assert sagemaker.start_pipeline_execution(**request)["PipelineExecutionArn"] == arn
    parameters = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)[
        "PipelineParameters"
    ]
    assert {p["Name"]: p["Value"] for p in parameters} == {
        "Instance": "ml.m5.large",
        "Floor": "0.8",
        "Auc": "7",
    }
    for wrong in ({"Auc": "seven"}, {"Auc": "7", "Colour": "red"}, {}, {"Auc": "7", "Floor": "x"}):
        with pytest.raises(ClientError, match="ValidationException"):
            start(emulator, "checked", **wrong)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        start(emulator, "nobody", Auc="7")
    wait(emulator, arn)
    listed = sagemaker.list_pipeline_executions(PipelineName="checked")["PipelineExecutionSummaries"]
    assert [e["PipelineExecutionArn"] for e in listed] == [arn]
    text = sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)[
        "PipelineDefinition"
    ]
    assert json.loads(text)["Steps"][0]["Name"] == "Score"


def test_pipelines_are_unique_tagged_and_deleted(emulator: Any, image: str) -> None:
    sagemaker, text = emulator.client("sagemaker"), definition(step(image, "Score", "score"))
    arn = sagemaker.create_pipeline(
        PipelineName="once",
        PipelineDefinition=text,
        RoleArn=ROLE,
        ClientRequestToken=uuid.uuid4().hex,
        Tags=[{"Key": "team", "Value": "ml"}],
        ParallelismConfiguration={"MaxParallelExecutionSteps": 2},
    )["PipelineArn"]
    with pytest.raises(ClientError, match="already exists"):
        create(emulator, "once", text)
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "two"}])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "two"}]
    described = sagemaker.describe_pipeline(PipelineName=arn)
    assert described["PipelineDefinition"] == text
    assert described["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 2}
    sagemaker.delete_pipeline(PipelineName="once", ClientRequestToken=uuid.uuid4().hex)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        sagemaker.describe_pipeline(PipelineName="once")
    with pytest.raises(ClientError, match="Unable to parse pipeline definition"):
        create(emulator, "broken", "not json")
