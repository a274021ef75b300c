"""Jobs run for real: a snapshot in the registry, objects in S3, a process, objects in S3."""

import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator import tiny_image
from tests.emulator.tiny_image import BUCKET, ROLE

CODE = {
    "look.py": """
import json, os, pathlib, sys
opt = pathlib.Path(os.environ["SLUICE_OPT_ML"])
out = opt / "processing/out"
out.mkdir(parents=True, exist_ok=True)
files = {str(p.relative_to(opt)): p.read_text() for p in (opt / "processing/in").rglob("*") if p.is_file()}
seen = {"argv": sys.argv[1:], "env": dict(os.environ), "files": files, "cwd": os.getcwd(), "exe": sys.executable}
(out / "seen.json").write_text(json.dumps(seen))
print("looked at", len(files))
""",
    "net.py": """
import os, pathlib, sys, urllib.request
try:
    import boto3
    boto3.client("s3", region_name="us-east-1", endpoint_url=sys.argv[1], aws_access_key_id="test",
        aws_secret_access_key="test").list_buckets()
except Exception as error:
    (pathlib.Path(os.environ["SLUICE_OPT_ML"]) / "output/message").write_text(f"no AWS: {type(error).__name__}")
    try:
        urllib.request.urlopen(sys.argv[1] + "/_sluice/health", timeout=5)
    except OSError:
        sys.exit(3)
""",
    "aws.py": """
import json, os, pathlib, boto3
out = pathlib.Path(os.environ["SLUICE_OPT_ML"]) / "processing/out"
out.joinpath("identity.json").write_text(json.dumps(boto3.client("sts").get_caller_identity()["Arn"]))
""",
    "sleep.py": "import time\nprint('sleeping', flush=True)\ntime.sleep(600)\n",
    "train.py": """
import json, os, pathlib, sys
opt = pathlib.Path(os.environ["SLUICE_OPT_ML"])
parameters = json.loads((opt / "input/config/hyperparameters.json").read_text())
rows = (opt / "input/data/train/rows.csv").read_text().split()
if parameters.get("fail"):
    (opt / "output/failure").write_text("too few rows")
    sys.exit(1)
(opt / "model/model.json").write_text(json.dumps({"rows": len(rows), "argv": sys.argv[1:], **parameters}))
(opt / "model/code").mkdir()
(opt / "model/code/a.py").write_text("a = 1")
print("auc=0.5"); print("auc=0.75")
pathlib.Path("train.py").unlink()  # what a job does to its code is its own affair
""",
}


@pytest.fixture(scope="module")
def image(emulator: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    tiny_image.bucket(emulator, {"in/a.txt": b"A", "in/sub/b.txt": b"B", "train/rows.csv": b"1\n2\n3\n"})
    return tiny_image.push(emulator, tmp_path_factory.mktemp("code"), CODE)


def processing(image: str, name: str, module: str, *arguments: str, isolated: bool = True) -> dict[str, Any]:
    return {
        "ProcessingJobName": name,
        "RoleArn": ROLE,
        "AppSpecification": {
            "ImageUri": image,
            "ContainerEntrypoint": ["python", "-m", module],
            **({"ContainerArguments": list(arguments)} if arguments else {}),
        },
        "Environment": {"COLOUR": "blue"},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10}
        },
        "ProcessingInputs": [
            {
                "InputName": "in",
                "S3Input": {
                    "S3Uri": f"s3://{BUCKET}/in",
                    "LocalPath": "/opt/ml/processing/in",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "out",
                    "S3Output": {
                        "S3Uri": f"s3://{BUCKET}/out/{name}",
                        "LocalPath": "/opt/ml/processing/out",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
        "NetworkConfig": {"EnableNetworkIsolation": isolated},
        "StoppingCondition": {"MaxRuntimeInSeconds": 120},
        "Tags": [{"Key": "team", "Value": "ml"}],
    }


def run(emulator: Any, request: dict[str, Any]) -> Any:
    sagemaker = emulator.client("sagemaker")
    sagemaker.create_processing_job(**request)
    name = request["ProcessingJobName"]
    return tiny_image.ended(
        lambda: sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus"
    )


def test_a_processing_job_reads_its_inputs_and_writes_its_outputs(emulator: Any, image: str) -> None:
    request = processing(image, "look", "look", "--day", "7")
    job = run(emulator, request)
    assert job["ProcessingJobStatus"] == "Completed", job
    seen = tiny_image.read_json(emulator, "out/look/seen.json")
    assert seen["argv"] == ["--day", "7"]
    assert seen["files"] == {"processing/in/a.txt": "A", "processing/in/sub/b.txt": "B"}
    assert seen["cwd"].endswith("/opt/program")
    for key in (
        "Environment",
        "NetworkConfig",
        "ProcessingResources",
        "ProcessingInputs",
        "StoppingCondition",
    ):
        assert job[key] == request[key]
    sagemaker = emulator.client("sagemaker")
    assert sagemaker.list_tags(ResourceArn=job["ProcessingJobArn"])["Tags"] == request["Tags"]
    assert (emulator.root / "logs/jobs/look.log").read_text() == "looked at 2\n"


def test_an_isolated_job_sees_nothing_of_aws_nor_of_the_emulators_environment(
    emulator: Any, image: str
) -> None:
    environment = {"COLOUR": "red", "AWS_ACCESS_KEY_ID": "smuggled"}
    run(emulator, {**processing(image, "isolated-look", "look"), "Environment": environment})
    seen = tiny_image.read_json(emulator, "out/isolated-look/seen.json")["env"]
    assert {key for key in seen if key.startswith("AWS_")} == {"AWS_EC2_METADATA_DISABLED"}
    assert seen["COLOUR"] == "red"
    assert seen["FROM_IMAGE"] == "yes"
    assert "SLUICE_LOCAL" not in seen
    assert seen["HOME"].startswith(str(emulator.root))


def test_an_isolated_job_cannot_call_aws(emulator: Any, image: str) -> None:
    job = run(emulator, processing(image, "isolated-net", "net", emulator.endpoint_url))
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["ExitMessage"].startswith("no AWS: ")
    assert job["FailureReason"] == f"AlgorithmError: {job['ExitMessage']}, exit code: 3"


def test_a_connected_job_calls_aws_as_its_role(emulator: Any, image: str) -> None:
    assert (
        run(emulator, processing(image, "connected-net", "net", emulator.endpoint_url, isolated=False))[
            "ProcessingJobStatus"
        ]
        == "Completed"
    )
    run(emulator, processing(image, "connected-aws", "aws", isolated=False))
    identity = tiny_image.read_json(emulator, "out/connected-aws/identity.json")
    assert identity == "arn:aws:sts::123456789012:assumed-role/jobs/SageMaker"


def test_outputs_are_encrypted_with_the_key_of_the_request(emulator: Any, image: str) -> None:
    key = emulator.client("kms").create_key()["KeyMetadata"]["Arn"]
    request = processing(image, "kms", "look")
    request["ProcessingOutputConfig"]["KmsKeyId"] = key
    run(emulator, request)
    head = emulator.client("s3").head_object(Bucket=BUCKET, Key="out/kms/seen.json")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)


def test_a_job_is_stopped(emulator: Any, image: str) -> None:
    sagemaker = emulator.client("sagemaker")
    sagemaker.create_processing_job(**processing(image, "stopped", "sleep"))
    log = emulator.root / "logs/jobs/stopped.log"
    tiny_image.until(lambda: log.exists() and log.read_text())
    sagemaker.stop_processing_job(ProcessingJobName="stopped")
    job = tiny_image.ended(
        lambda: sagemaker.describe_processing_job(ProcessingJobName="stopped"), "ProcessingJobStatus"
    )
    assert job["ProcessingJobStatus"] == "Stopped"
    with pytest.raises(ClientError, match="status Stopped"):
        sagemaker.stop_processing_job(ProcessingJobName="stopped")


def test_a_job_that_takes_too_long_is_ended(emulator: Any, image: str) -> None:
    request = {**processing(image, "slow", "sleep"), "StoppingCondition": {"MaxRuntimeInSeconds": 1}}
    job = run(emulator, request)
    assert job["ProcessingJobStatus"] == "Stopped"
    assert "MaxRuntimeInSeconds" in job["ExitMessage"]


def test_the_log_is_in_cloudwatch_logs(emulator: Any, image: str) -> None:
    run(emulator, processing(image, "logged", "look"))
    logs = emulator.client("logs")
    streams = logs.describe_log_streams(
        logGroupName="/aws/sagemaker/ProcessingJobs", logStreamNamePrefix="logged/"
    )["logStreams"]
    events = logs.get_log_events(
        logGroupName="/aws/sagemaker/ProcessingJobs", logStreamName=streams[0]["logStreamName"]
    )["events"]
    assert [event["message"] for event in events] == ["looked at 2"]


def test_what_aws_refuses_is_refused(emulator: Any, image: str) -> None:
    sagemaker = emulator.client("sagemaker")
    good = processing(image, "twice", "look")
    run(emulator, good)
    with pytest.raises(ClientError, match="ResourceInUse"):
        sagemaker.create_processing_job(**good)
    missing = image[:-64] + "0" * 64
    with pytest.raises(ClientError, match="Requested image"):
        sagemaker.create_processing_job(**processing(missing, "missing", "look"))
    outside = processing(image, "outside", "look")
    outside["ProcessingInputs"][0]["S3Input"]["LocalPath"] = "/opt/ml/processing/../../etc"
    with pytest.raises(ClientError, match="must be within"):
        sagemaker.create_processing_job(**outside)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        sagemaker.describe_processing_job(ProcessingJobName="nobody")


def test_missing_inputs_fail_the_job(emulator: Any, image: str) -> None:
    request = processing(image, "no-input", "look")
    request["ProcessingInputs"][0]["S3Input"]["S3Uri"] = f"s3://{BUCKET}/nothing-here"
    assert "No S3 objects found" in run(emulator, request)["FailureReason"]


def test_a_manifest_names_the_objects_of_an_input(emulator: Any, image: str) -> None:
    def request(name: str, manifest: Any) -> dict[str, Any]:
        key = f"manifests/{name}"
        emulator.client("s3").put_object(Bucket=BUCKET, Key=key, Body=json.dumps(manifest).encode())
        made = processing(image, name, "look")
        made["ProcessingInputs"][0]["S3Input"] |= {
            "S3Uri": f"s3://{BUCKET}/{key}",
            "S3DataType": "ManifestFile",
        }
        return made

    prefix = {"prefix": f"s3://{BUCKET}/in/"}
    job = run(emulator, request("listed", [prefix, "sub/b.txt"]))
    assert job["ProcessingJobStatus"] == "Completed", job
    seen = tiny_image.read_json(emulator, "out/listed/seen.json")
    assert seen["files"] == {"processing/in/sub/b.txt": "B"}
    for name, manifest, says in (
        ("absent", [prefix, "nothing"], "NoSuchKey"),
        ("climbs", [{"prefix": f"s3://{BUCKET}/"}, "in/../a.txt"], "leaves its folder|NoSuchKey"),
        ("empty", [prefix], "No S3 objects found"),
        ("no-array", {"prefix": "s3://b/"}, "the manifest is no array"),
        ("no-prefix", ["sub/b.txt"], "the manifest is no array"),
    ):
        failure = run(emulator, request(name, manifest))["FailureReason"]
        assert re.search(says, failure), failure


def training(image: str, name: str, **parameters: str) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "auc", "Regex": "auc=([0-9.]+)"}],
        },
        "HyperParameters": parameters,
        "Environment": {"COLOUR": "blue"},
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {
                    "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/train/rows.csv"}
                },
            }
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 120},
        "EnableNetworkIsolation": True,
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        "RetryStrategy": {"MaximumRetryAttempts": 1},
    }


def train(emulator: Any, request: dict[str, Any]) -> Any:
    sagemaker = emulator.client("sagemaker")
    sagemaker.create_training_job(**request)
    name = request["TrainingJobName"]
    return tiny_image.ended(
        lambda: sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus"
    )


def test_a_training_job_makes_a_model(emulator: Any, image: str, tmp_path: Path) -> None:
    request = training(image, "fit", depth="3")
    job = train(emulator, request)
    assert job["TrainingJobStatus"] == "Completed", job
    assert job["ModelArtifacts"] == {"S3ModelArtifacts": f"s3://{BUCKET}/models/fit/output/model.tar.gz"}
    body = (
        emulator.client("s3").get_object(Bucket=BUCKET, Key="models/fit/output/model.tar.gz")["Body"].read()
    )
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        tar.extractall(tmp_path, filter="data")
    assert json.loads((tmp_path / "model.json").read_text()) == {"rows": 3, "argv": ["train"], "depth": "3"}
    assert (tmp_path / "code/a.py").exists()
    for key in ("Environment", "EnableNetworkIsolation", "VpcConfig", "RetryStrategy", "HyperParameters"):
        assert job[key] == request[key]
    assert [(m["MetricName"], m["Value"]) for m in job["FinalMetricDataList"]] == [("auc", 0.75)]
    assert [step["Status"] for step in job["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    keys = [
        o["Key"]
        for o in emulator.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="models/fit")["Contents"]
    ]
    assert keys == ["models/fit/output/model.tar.gz"]  # no output.tar.gz: there was nothing in it


def test_a_job_cannot_change_the_code_of_the_next(emulator: Any, image: str) -> None:
    for name in ("first", "second"):
        assert train(emulator, training(image, name, depth="1"))["TrainingJobStatus"] == "Completed"


def test_a_failed_training_says_why(emulator: Any, image: str) -> None:
    job = train(emulator, training(image, "bad", fail="yes"))
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"] == "AlgorithmError: too few rows, exit code: 1"
    assert "ModelArtifacts" not in job or not job["ModelArtifacts"].get("S3ModelArtifacts")


def test_lists_filter(emulator: Any, image: str) -> None:
    sagemaker = emulator.client("sagemaker")
    train(emulator, training(image, "listed-bad", fail="yes"))
    found = sagemaker.list_training_jobs(NameContains="listed", StatusEquals="Failed")["TrainingJobSummaries"]
    assert [job["TrainingJobName"] for job in found] == ["listed-bad"]
    assert (
        sagemaker.list_training_jobs(NameContains="listed", StatusEquals="Completed")["TrainingJobSummaries"]
        == []
    )


def test_a_job_that_nothing_would_run_is_not_pretended(emulator: Any, image: str) -> None:
    source = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/in"}}}
    with pytest.raises(ClientError, match="NotImplemented"):
        emulator.client("sagemaker").create_transform_job(
            TransformJobName="pretended",
            ModelName="any",
            TransformInput=source,
            TransformOutput={"S3OutputPath": f"s3://{BUCKET}/out"},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        )
