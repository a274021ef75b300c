"""A platform that is killed at each of its stages comes up all the same, and is then as good as any: a version with
other features goes through its whole release on it, under steady traffic, without losing a request."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from endpoints.serving.bodies import ENCODERS
from sluice.engine import processes
from tests.e2e.faults import instance_and_zone_lost, slow_canary_turned_back
from tests.e2e.reading import answered_by, captured, features, flights, image, sent_fields
from tests.e2e.running import wait
from tests.e2e.world import ENDPOINT, World

pytestmark = pytest.mark.e2e

SECOND_STOP = '  - {version: "1.1", train_until: 2013-05-01, evaluated_until: 2013-05-18}\n'


@pytest.mark.parametrize(
    ("stack", "title", "tree"),
    [
        ("sluice-account-local", "account (local)", False),
        ("sluice-platform-local", "platform (local)", True),
        ("sluice-pipelines-local-flights", "pipelines of flights", False),
        ("sluice-endpoints-local-flights", "endpoints of flights", True),
    ],
    ids=["account", "platform", "pipelines", "endpoints"],
)
def test_killed_while_a_program_is_deployed(world: World, stack: str, title: str, tree: bool) -> None:
    """`sluice` alone, so that Pulumi goes on as an orphan, or everything but the emulator. The next test's `up` has to
    mend it."""
    running = world.start("up", "--no-tour")
    log = world.local / "run" / f"{stack}.events"

    def resources_are_being_made() -> bool:
        return f"▸ {title}" in running.said and log.exists() and log.read_text().count('"op":"create"') >= 3

    running.until(resources_are_being_made, f"resources of {title}")
    world.kill(running, tree=tree)


def test_up_mends_what_was_killed(world: World) -> None:
    done = world.sluice("up", "--no-tour").ok()
    assert len(done["programs"]) == 4
    # The last kill took Pulumi with it, so its lock and its pending operations were left.
    assert done["programs"][-1]["recovered"]
    _assert_nothing_is_there_twice(world)


LAST_FIELD = "  - {name: origin_departures_1h, type: integer, min: 0, max: 500, description: how many did}\n"
NEW_FIELDS = (
    '  - {name: seats, type: float, nullable: true, min: 0, max: 1000, since: "2.0"}\n'
    '  - {name: engines, type: float, nullable: true, min: 0, max: 10, since: "2.0"}\n'
)


def test_killed_during_a_training(world: World) -> None:
    """Of a version in whose workload two fields are declared for the next method, as docs/onboard.md has it: callers
    send them already."""
    world.edit("workloads/flights/workload.yaml", (SECOND_STOP, ""), (LAST_FIELD, LAST_FIELD + NEW_FIELDS))
    world.edit(
        "workloads/flights/source.py",
        (
            'planes.select("tailnum", pl.col("year").alias("built"))',
            'planes.select("tailnum", "seats", "engines", pl.col("year").alias("built"))',
        ),
        (
            '        pl.col("origin_departures_1h").cast(pl.Int64),\n',
            '        pl.col("origin_departures_1h").cast(pl.Int64),\n'
            '        pl.col("seats").cast(pl.Float64),\n'
            '        pl.col("engines").cast(pl.Float64),\n',
        ),
    )
    running = world.start("up")
    sagemaker = world.client("sagemaker")

    def trains() -> bool:
        executions = sagemaker.list_pipeline_executions(PipelineName="flights-training")
        for execution in executions["PipelineExecutionSummaries"]:
            steps = sagemaker.list_pipeline_execution_steps(
                PipelineExecutionArn=execution["PipelineExecutionArn"]
            )["PipelineExecutionSteps"]
            return any(step["StepName"] == "Prepare" for step in steps)
        return False

    running.until(trains, "the first training")
    world.kill(running, tree=True)


def test_killed_during_a_canary(world: World) -> None:
    running = world.start("up")

    def canary() -> bool:
        release = world.release()
        return bool(release["challenger"]) and (
            release["challenger"]["stage"] == "canary" and world.live()["EndpointStatus"] == "Updating"
        )

    running.until(canary, "the first canary")
    world.kill(running, tree=True)


def test_up_goes_on_where_the_killed_one_was(world: World) -> None:
    done = world.sluice("up").ok()
    assert [program["changed"] for program in done["programs"][:3]] == [False] * 3
    assert "version 1.0" in done["tours"]["flights"]["live"]
    assert world.live()["EndpointStatus"] == "InService"
    release = world.release()
    assert release["champion"]["version"] == "1.0"
    assert release["challenger"] is None and not release["rejected"]
    _assert_nothing_is_there_twice(world)
    # The training was joined, not begun anew, and registered once.
    executions = world.client("sagemaker").list_pipeline_executions(PipelineName="flights-training")
    assert [each["PipelineExecutionStatus"] for each in executions["PipelineExecutionSummaries"]] == [
        "Succeeded"
    ]
    versions = Counter(package["CustomerMetadataProperties"]["version"] for package in world.packages())
    assert versions == {"0": 1, "1.0": 1}
    [variant] = world.live()["ProductionVariants"]

    def left() -> list[str]:
        """What runs besides emulator, judge, and one server for each instance; a fleet may still be draining."""
        work = {pid: command for pid, command in world.alive().items() if "-m emulator" not in command}
        # Lambda keeps what a schedule and an event have called at once warm for a while.
        judges = [pid for pid, command in work.items() if "-m endpoints.watch" in command]
        work = {pid: command for pid, command in work.items() if pid not in judges[:2]}
        servers = {pid for pid, command in work.items() if "-m endpoints.serving serve" in command}
        # A server has a process for each of its workers; they share the folder of their instance.
        folders = {(processes.environment_of(pid) or {}).get("SLUICE_OPT_ML") for pid in servers}
        right = len(folders) == variant["CurrentInstanceCount"]
        return [command for pid, command in work.items() if pid not in servers or not right]

    with suppress(AssertionError):
        wait(lambda: not left(), "the end of what is left over", seconds=60)
    assert left() == []


def test_other_features_are_trained_as_a_new_method(world: World) -> None:
    world.edit(
        "workloads/flights/features.py",
        ('    "excess_delay",\n)', '    "excess_delay",\n    "seats",\n    "engines",\n)'),
    )
    world.edit("workloads/flights/workload.yaml", ("\nmethod: 1\n", "\nmethod: 2\n"))
    world.sluice("images", "push", "flights").ok()
    assert world.sluice("stack", "up", "pipelines").ok()["changed"]
    trained = world.sluice(
        "train", "flights", "--train-until", "2013-04-01", "--evaluate-until", "2013-04-15"
    ).ok()
    assert (trained["version"], trained["change"]) == ("2.0", "method")
    world.sluice("release", "approve", "flights", "2.0").ok()
    before, after = world.packages()[-2:]
    assert image(before) != image(after)
    assert features(world, after) - features(world, before) == {"seats", "engines"}
    # One of the tour's senders was killed together with its count; nothing was sent since the last one ended.
    world.sent = sum(world.counted().values())


def test_a_release_under_steady_and_slow_requests_loses_none(world: World) -> None:
    """By callers who send the fields of both versions."""
    traffic = world.start(
        *("replay", "flights", "--from", "2013-05-10", "--rate", "25", "--slow-every", "25", "--no-land"),
        name="replay",
    )
    try:
        world.sluice("release", "propose", "flights", "2.0").ok()
        live = world.live()
        [shadow] = live["ShadowProductionVariants"]
        images = {
            live[side][0]["DeployedImages"][0]["SpecifiedImage"]
            for side in ("ProductionVariants", "ShadowProductionVariants")
        }
        assert len(images) == 2 and shadow["CurrentInstanceCount"] >= 2
        done = world.sluice("release", "run", "flights", "--until-idle").ok()
        assert done["release"]["champion"]["version"] == "2.0"
        assert [step["step"] for step in done["steps"] if step["step"] != "wait"] == ["advance"]
        assert "2.0" in {answered_by(line) for line in captured(world, "Shadow")}
        assert {"seats", "engines"} <= sent_fields(world, "Shadow")
        world.assert_report(done["release"]["champion"]["evidence"], "2.0", "pass")
    finally:
        done = traffic.stop()
    summary = done.ok()
    world.sent += summary["sent"]
    assert summary["failed"] == 0, summary
    assert set(summary["versions"]) == {"1.0", "2.0"}
    assert summary["slow"] >= summary["sent"] // 25 - 1
    assert summary["sent"] / summary["seconds"] > 20
    world.assert_every_request_was_counted()


def test_the_new_method_answers_every_caller(world: World) -> None:
    """Several at once, over the instances of the fleet."""

    def ask(number: int) -> str:
        answer = world.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=ENDPOINT,
            ContentType="text/csv",
            Body=ENCODERS["text/csv"](flights()[number : number + 10]),
        )
        assert len(answer["Body"].read().splitlines()) == 10
        return str(answer["CustomAttributes"])

    world.sent += 8
    with ThreadPoolExecutor(4) as pool:
        assert {said.partition("version=")[2] for said in pool.map(ask, range(8))} == {"2.0"}


def test_an_instance_and_a_zone_are_lost_and_the_champion_answers(world: World) -> None:
    instance_and_zone_lost(world)


def test_a_canary_that_gets_slow_is_turned_back_by_its_latency(world: World) -> None:
    slow_canary_turned_back(world, "2.1")
    assert world.release()["champion"]["version"] == "2.0"


def _assert_nothing_is_there_twice(world: World) -> None:
    """What there is, is what the states know, each once."""
    world.assert_nothing_pending()
    buckets = {bucket["Name"] for bucket in world.client("s3").list_buckets()["Buckets"]}
    assert buckets == world.in_state("aws:s3/bucket:Bucket")
    networks = {vpc["VpcId"] for vpc in world.client("ec2").describe_vpcs()["Vpcs"] if not vpc["IsDefault"]}
    assert len(networks) == 1
    assert networks == world.in_state("aws:ec2/vpc:Vpc")
    roles = {role["RoleName"] for role in world.client("iam").list_roles()["Roles"]}
    assert roles == world.in_state("aws:iam/role:Role")
    sagemaker = world.client("sagemaker")
    models = {model["ModelName"] for model in sagemaker.list_models()["Models"]}
    assert models == world.in_state("aws:sagemaker/model:Model")
    assert len(sagemaker.list_pipelines()["PipelineSummaries"]) == 1
    assert len(sagemaker.list_endpoints()["Endpoints"]) <= 1
