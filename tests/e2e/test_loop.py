"""The whole loop on one machine: what `sluice up` leaves, and what any AWS client sees of it."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from endpoints.serving.bodies import ENCODERS
from sluice import paths
from sluice.environments import COMPLETE, folder
from tests.e2e.patched import patched_image_goes_live
from tests.e2e.reading import answered_by, captured, flights
from tests.e2e.running import PATIENCE
from tests.e2e.world import ENDPOINT, PRODUCTION, World

pytestmark = pytest.mark.e2e

PROGRAMS = {"account": "infra/account", "platform": ".", "pipelines": "pipelines", "endpoints": "endpoints"}


@pytest.fixture(scope="module")
def toured(world: World) -> Any:
    """What `sluice up` answered in the end."""
    return world.sluice("up", seconds=2 * PATIENCE).ok()


def test_up_takes_each_version_through_its_release(world: World, toured: Any) -> None:
    assert [program["project"] for program in toured["programs"]] == [f"sluice-{kind}" for kind in PROGRAMS]
    live = world.live()
    assert live["EndpointStatus"] == "InService"
    release = world.release()
    assert release["champion"]["version"] == "1.1"
    assert release["challenger"] is None and not release["rejected"]
    versions = {
        package["ModelPackageArn"]: package["CustomerMetadataProperties"]["version"]
        for package in world.packages()
    }
    assert [versions[arn] for arn in release["history"]] == ["1.0", "0"]
    log = world.git(
        "log", "--reverse", "--format=%s", "--", "local/flights.yaml", folder=world.local / "releases"
    )
    assert log.splitlines() == [
        f"flights: {step}"
        for step in (
            "0 is the first champion",
            *(
                f"{version} {where}"
                for version in ("1.0", "1.1")
                for where in ("in shadow", "in canary", "is champion")
            ),
        )
    ]


def test_each_release_left_its_report(world: World, toured: Any) -> None:
    champion = world.release()["champion"]
    report = world.assert_report(champion["evidence"], "1.1", "pass")
    assert report["subject"]["champion"]["version"] == "1.0"
    told = world.sluice("release", "report", "flights", "--stage", "shadow", "--verify").ok()
    assert told["valid"] is True
    assert told["report"] == champion["evidence"].partition("?")[0]


def test_no_request_of_the_tour_failed_and_each_was_counted(world: World, toured: Any) -> None:
    sent, failed = (int(part.split()[0]) for part in toured["tours"]["flights"]["traffic"].split(", "))
    assert failed == 0
    assert sent > 1000
    world.sent += sent
    world.assert_every_request_was_counted()
    # Every config but the first answered, each stage of a release being one.
    assert len(world.counted()) == 5
    assert sum(world.counted("Invocation5XXErrors").values()) == 0


def test_a_second_up_changes_nothing(world: World, toured: Any) -> None:
    again = world.sluice("up").ok()
    assert [program["changed"] for program in again["programs"]] == [False] * 4
    assert not any(program["recovered"] for program in again["programs"])
    world.assert_nothing_pending()
    assert world.git("status", "--porcelain") == ""


@pytest.mark.parametrize("kind", PROGRAMS)
def test_bare_pulumi_works_and_finds_no_change_and_no_drift(world: World, toured: Any, kind: str) -> None:
    program = world.root / PROGRAMS[kind]
    done = world.shell("pulumi up --yes --non-interactive --skip-preview --expect-no-changes", program)
    assert done.code == 0, done.out + done.err
    done = world.shell("pulumi refresh --yes --non-interactive --skip-preview --expect-no-changes", program)
    assert done.code == 0, done.out + done.err
    world.assert_nothing_pending()


def test_describe_endpoint_says_what_serves(world: World, toured: Any) -> None:
    live = world.live()
    [variant] = live["ProductionVariants"]
    assert variant["VariantName"] == PRODUCTION
    # Two, or more where the machine is so slow that requests pile up.
    assert 2 <= variant["CurrentInstanceCount"] <= variant["DesiredInstanceCount"] <= 4
    assert "ShadowProductionVariants" not in live
    last = live["LastDeploymentConfig"]
    guardrails = last["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert guardrails["Type"] == "CANARY"
    assert guardrails["WaitIntervalInSeconds"] == 40
    assert [alarm["AlarmName"] for alarm in last["AutoRollbackConfiguration"]["Alarms"]] == [
        f"{ENDPOINT}-rollback-5xx",
        f"{ENDPOINT}-rollback-latency",
        f"{ENDPOINT}-abort",
        f"{ENDPOINT}-judge-verdict",
        f"{ENDPOINT}-judge-heartbeat",
    ]


@pytest.mark.parametrize("count", [1, 1000])
@pytest.mark.parametrize("kind", ["application/json", "text/csv"])
def test_invoke_answers_with_probabilities(world: World, toured: Any, kind: str, count: int) -> None:
    world.sent += 1
    answer = world.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=ENDPOINT, ContentType=kind, InferenceId="mine", Body=ENCODERS[kind](flights()[:count])
    )
    assert answer["InvokedProductionVariant"] == PRODUCTION
    assert answer["CustomAttributes"] == "id=mine;version=1.1"
    body = answer["Body"].read().decode()
    if kind == "text/csv":
        read = [(name, float(score)) for name, score, _ in csv.reader(io.StringIO(body))]
    else:
        assert json.loads(body)["model"] == {"workload": "flights", "version": "1.1"}
        read = [(row["id"], row["score"]) for row in json.loads(body)["predictions"]]
    assert [name for name, _ in read] == [row["flight_id"] for row in flights()[:count]]
    assert all(0 <= score <= 1 for _, score in read)
    assert count == 1 or len({score for _, score in read}) > 100


def test_a_bad_row_is_refused_by_its_field(world: World, toured: Any) -> None:
    client = world.client("sagemaker-runtime")
    world.sent += 1
    bad = [*flights()[:2], {**flights()[2], "dep_delay": "late"}]
    with pytest.raises(client.exceptions.ModelError) as refused:
        client.invoke_endpoint(
            EndpointName=ENDPOINT, ContentType="application/json", Body=json.dumps({"instances": bad})
        )
    assert refused.value.response["OriginalStatusCode"] == 400
    assert "row 2, field dep_delay" in refused.value.response["OriginalMessage"]


def test_the_steps_of_an_execution_have_times(world: World, toured: Any) -> None:
    sagemaker = world.client("sagemaker")
    executions = sagemaker.list_pipeline_executions(PipelineName="flights-training")[
        "PipelineExecutionSummaries"
    ]
    assert [execution["PipelineExecutionStatus"] for execution in executions] == ["Succeeded"] * 2
    for execution in executions:
        steps = sagemaker.list_pipeline_execution_steps(
            PipelineExecutionArn=execution["PipelineExecutionArn"], SortOrder="Ascending"
        )["PipelineExecutionSteps"]
        names = [step["StepName"] for step in steps]
        assert {"FetchChampion", "Validate", "Prepare", "Train", "Evaluate", "Gate", "Register"} <= set(names)
        assert all(step["StepStatus"] == "Succeeded" for step in steps)
        assert all(step["StartTime"] <= step["EndTime"] for step in steps)
        took = {step["StepName"]: (step["StartTime"], step["EndTime"]) for step in steps}
        assert took["Train"][1] <= took["Evaluate"][0]


def test_the_registry_has_versions_metrics_and_approval(world: World, toured: Any) -> None:
    packages = world.packages()
    properties = [package["CustomerMetadataProperties"] for package in packages]
    assert [(each["version"], each["kind"], each["change"]) for each in properties] == [
        ("0", "incumbent", "incumbent"),
        ("1.0", "model", "method"),
        ("1.1", "model", "data"),
    ]
    assert {package["ModelApprovalStatus"] for package in packages} == {"Approved"}
    for package in packages[1:]:
        uri = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        evaluation = json.loads(world.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
        assert evaluation["models"]["candidate"]["metrics"]["auc"] > 0.84


def test_captures_of_both_variants_lie_in_s3(world: World, toured: Any) -> None:
    found = {variant: captured(world, variant) for variant in (PRODUCTION, "Shadow")}
    assert all(found.values())
    for lines in found.values():
        assert {"captureData", "eventMetadata"} <= set(lines[0])
    # Of the shadows: 1.0 beside the rule, and 1.1 beside 1.0.
    assert {answered_by(line) for line in found["Shadow"]} == {"1.0", "1.1"}
    assert {answered_by(line) for line in found[PRODUCTION]} >= {"0", "1.0", "1.1"}


def test_the_aws_command_line_is_a_client_like_any_other(world: World, toured: Any, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_bytes(ENCODERS["application/json"](flights()[:1]))
    script = f"""
        aws sagemaker describe-endpoint --endpoint-name {ENDPOINT} --query EndpointStatus --output text
        aws sagemaker list-model-packages --model-package-group-name flights \\
            --query 'length(ModelPackageSummaryList)' --output text
        aws sagemaker-runtime invoke-endpoint --endpoint-name {ENDPOINT} --content-type application/json \\
            --body fileb://{tmp_path}/body.json {tmp_path}/answer.json --query InvokedProductionVariant --output text
    """
    world.sent += 1
    done = world.shell(script)
    assert done.code == 0, done.err
    assert done.out.split() == ["InService", "3", PRODUCTION]
    [answer] = json.loads((tmp_path / "answer.json").read_text())["predictions"]
    assert answer["id"] == flights()[0]["flight_id"]


SDK = f"""
import sys
from sagemaker.core.resources import Endpoint, ModelPackage, PipelineExecution

endpoint = Endpoint.get("{ENDPOINT}")
print(endpoint.endpoint_status)
packages = ModelPackage.get_all(model_package_group_name="flights")
print(len(list(packages)))
executions = list(PipelineExecution.get_all(pipeline_name="flights-training"))
print(len(executions))
answer = endpoint.invoke(body=open(sys.argv[1], "rb").read(), content_type="text/csv", accept="text/csv")
print(answer.body.read().decode())
"""


def test_the_sagemaker_sdk_is_a_client_like_any_other(world: World, toured: Any, tmp_path: Path) -> None:
    environment = paths.ROOT / ".local/envs" / folder(paths.ROOT / "pipelines/requirements.lock").name
    if not (environment / COMPLETE).exists():
        pytest.skip("the SageMaker SDK is not installed; `make check` installs it to build the definitions")
    (tmp_path / "body.csv").write_bytes(ENCODERS["text/csv"](flights()[:1]))
    (tmp_path / "client.py").write_text(SDK)
    world.sent += 1
    done = world.shell(f"{environment}/bin/python -W ignore {tmp_path}/client.py {tmp_path}/body.csv")
    assert done.code == 0, done.err
    status, packages, executions, answer = done.out.split()[-4:]
    assert (status, packages, executions) == ("InService", "3", "2")
    assert answer.startswith(f"{flights()[0]['flight_id']},")


def test_nobody_becomes_champion_by_being_written_into_the_file(world: World, toured: Any) -> None:
    world.register_copy(world.packages()[-1], "9.0")
    package, release = world.packages()[-1]["ModelPackageArn"], world.release()
    release["champion"] = {"package": package, "version": "9.0"}
    world.release_file().write_text(yaml.safe_dump(release), encoding="utf-8")
    done = world.shell("pulumi preview --non-interactive --stack local-flights", world.root / "endpoints")
    world.git("checkout", "--", "local/flights.yaml", folder=world.local / "releases")
    world.client("sagemaker").delete_model_package(ModelPackageName=package)
    assert done.code != 0
    assert "nothing shows that it may be" in done.out + done.err


def test_a_patched_image_of_the_same_model_goes_live_at_once(world: World, toured: Any) -> None:
    patched_image_goes_live(world)
    assert world.release()["champion"]["version"] == "1.2"


def test_destroying_everything_leaves_nothing(world: World, toured: Any) -> None:
    """`down --destroy` ends the emulator too, so what is left is asked by destroying the programs one by one."""
    for kind in reversed(PROGRAMS):
        world.sluice("stack", "destroy", kind).ok()
    sagemaker = world.client("sagemaker")
    left = {
        "endpoints": sagemaker.list_endpoints()["Endpoints"],
        "configs": sagemaker.list_endpoint_configs()["EndpointConfigs"],
        "models": sagemaker.list_models()["Models"],
        "pipelines": sagemaker.list_pipelines()["PipelineSummaries"],
        "groups": sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"],
        "buckets": world.client("s3").list_buckets()["Buckets"],
        "roles": world.client("iam").list_roles()["Roles"],
        "repositories": world.client("ecr").describe_repositories()["repositories"],
        "alarms": world.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "networks": [vpc for vpc in world.client("ec2").describe_vpcs()["Vpcs"] if not vpc["IsDefault"]],
    }
    assert left == {what: [] for what in left}
    assert all(not state.get("resources") for _, state in world.states())


def test_down_leaves_no_process(world: World, toured: Any) -> None:
    assert world.alive()
    assert world.sluice("down", "--destroy").ok()["ended"] > 0
    assert world.alive() == {}
    assert world.sluice("down").ok() == {"ended": 0, "destroyed": []}
