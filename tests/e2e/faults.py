"""A release on a bad day: what breaks around it neither loses a request that AWS would not lose, nor lets anything
through; and when it is over, release file, registry, state and endpoint agree."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.reading import version
from tests.e2e.world import ENDPOINT, PRODUCTION, World, wait

pytestmark = pytest.mark.e2e

MOMENTS = ("--train-until", "2013-04-01", "--evaluate-until", "2013-04-15")
JUDGE = "flights-local-judge"
HEARTBEAT = f"{ENDPOINT}-judge-heartbeat"


@pytest.fixture(scope="module")
def platform(world: World) -> World:
    """Up, with today's rule as champion and version 1.0 in the registry."""
    world.sluice("up", "--no-tour").ok()
    world.sluice("packages", "flights", "--register-incumbent").ok()
    world.sluice("release", "approve", "flights", "0").ok()
    world.sluice("release", "init", "flights").ok()
    world.sluice("data", "arrive", "flights", "--until", "2013-04-15").ok()
    world.sluice("train", "flights", *MOMENTS).ok()
    return world


def fault(world: World, *arguments: str) -> str:
    """Inject a fault; its name."""
    return str(world.sluice("fault", *arguments).ok()["fault"])


def test_a_release_through_faults_goes_live_when_they_are_over_and_not_before(platform: World) -> None:
    """Calls throttled, events twice, captures and labels lost, a shadow's instance killed, the judge out: nothing of it
    reaches a caller, and nothing passes on evidence that is not there."""
    world = platform
    fault(world, "events", "--duplicate")
    fault(world, "api", "--throttle", "0.2", "--service", "sagemaker")
    fault(world, "labels", "flights", "--missing", "0.5")
    traffic = world.start("replay", "flights", "--from", "2013-04-15", "--rate", "25", name="replay")
    flow = world.start("release", "run", "flights", "--until-idle", name="flow")
    try:
        flow.until(lambda: shadowed(world), "the shadow", every=1)
        lost = fault(world, "captures", ENDPOINT, "--lose", "0.15", "--variant", "Shadow")
        # Each question is a process of its own.
        flow.until(
            lambda: "of production's rows joined with the shadow's" in reason(world),
            "missing captures",
            every=5,
        )
        flow.until(lambda: "more pairs" not in reason(world), "enough pairs", every=5)
        assert world.release()["challenger"]["stage"] == "shadow", "nothing passes while captures are missing"
        fault(world, "instance", ENDPOINT, "--variant", "Shadow")
        out = fault(world, "function", JUDGE)
        # From here on what is lost becomes a smaller part of all, and nobody is there to see it.
        world.sluice("fault", "end", lost).ok()
        flow.until(lambda: alarm(world, HEARTBEAT) == "ALARM", "the alarm of a judge who is out", every=1)
        assert world.release()["challenger"]["stage"] == "shadow", "nothing passes without a judge"
        world.sluice("fault", "end", out).ok()
        flow.until(lambda: alarm(world, HEARTBEAT) == "OK", "the judge's return", every=1)
        done = flow.wait().ok()
    finally:
        ended = traffic.stop()
        world.sluice("fault", "end", "--all").ok()
    summary = ended.json
    assert [step["step"] for step in done["steps"] if step["step"] not in ("wait", "failed")] == [
        *("approve", "propose", "advance")
    ]
    assert done["release"]["champion"]["version"] == "1.0"
    assert summary["failed"] == 0
    world.sent += summary["sent"]
    world.assert_every_request_was_counted()
    assert_all_agree(world, "1.0")


def test_an_instance_and_a_zone_are_lost_and_the_champion_answers(platform: World) -> None:
    """Of a fleet of two, what was in flight on what died is lost, on AWS too; what comes after is not."""
    world = platform
    traffic = world.start(
        "replay", "flights", "--from", "2013-04-20", "--rate", "20", "--no-land", name="losses"
    )
    try:
        killed = world.sluice("fault", "instance", ENDPOINT, "--variant", PRODUCTION).ok()["instances"]
        wait(lambda: instances(world) == 2, "the instance that takes its place")
        closed = world.sluice("fault", "zone", killed[0]["zone"], "--endpoint", ENDPOINT).ok()
        wait(lambda: instances(world) == 2, "the instances in the zones that are left")
        world.sluice("fault", "end", closed["fault"]).ok()
        before = traffic_sent(world)
        wait(lambda: traffic_sent(world) > before, "requests after it")
    finally:
        ended = traffic.stop()
    summary = ended.json
    # At twenty a second hardly more than one request is on an instance at a time.
    assert summary["failed"] <= 2 * (1 + len(closed["instances"]))
    assert set(summary["versions"]) == {"1.0"}
    assert_all_agree(world, "1.0")
    # What was lost may be counted or not; the metrics of the last period take a moment.
    answered = world.sent + summary["ok"]
    wait(lambda: traffic_sent(world) >= answered, "the metrics of what was answered", every=1)
    world.sent = traffic_sent(world)


def test_a_canary_that_gets_slow_is_turned_back_by_its_latency(platform: World) -> None:
    """The same model again, as good as ever in shadow; its new fleet is slow."""
    world = platform
    world.register_copy(world.packages()[-1], "1.1")
    traffic = world.start(
        "replay", "flights", "--from", "2013-04-25", "--rate", "25", "--no-land", name="slow"
    )
    flow = world.start("release", "run", "flights", "--until-idle", name="flow")
    try:
        flow.until(
            lambda: world.live()["EndpointStatus"] == "Updating" and stage(world) == "canary", "a canary"
        )
        config = world.live()["PendingDeploymentSummary"]["EndpointConfigName"]
        fault(world, "model", ENDPOINT, "--slow", "900", "--config", config)
        done = flow.wait().ok()
    finally:
        ended = traffic.stop()
        world.sluice("fault", "end", "--all").ok()
    summary = ended.json
    [failed] = [step for step in done["steps"] if step["step"] == "failed"]
    assert "SageMaker turned 1.1 back in canary" in failed["why"]
    assert f"{ENDPOINT}-rollback-latency" in failed["why"] or f"{ENDPOINT}-judge-verdict" in failed["why"]
    assert summary["failed"] == 0, "slow is not lost"
    assert world.release()["rejected"] == [world.packages()[-1]["ModelPackageArn"]]
    world.sent += summary["sent"]
    world.assert_every_request_was_counted()
    assert_all_agree(world, "1.0")


def shadowed(world: World) -> bool:
    """Asked by a client that tries once, which the fault throttles, too."""
    try:
        return "ShadowProductionVariants" in world.live()
    except ClientError as throttled:
        assert throttled.response["Error"]["Code"] == "ThrottlingException"
        return False


def reason(world: World) -> str:
    return str((world.sluice("release", "status", "flights").ok()["opinion"] or {}).get("reason", ""))


def stage(world: World) -> str | None:
    challenger = world.release()["challenger"]
    return None if challenger is None else str(challenger["stage"])


def alarm(world: World, name: str) -> str:
    [found] = world.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(found["StateValue"])


def instances(world: World) -> int:
    [variant] = world.live()["ProductionVariants"]
    return int(variant["CurrentInstanceCount"])


def traffic_sent(world: World) -> int:
    return sum(world.counted().values())


def assert_all_agree(world: World, champion: str) -> None:
    """Release file, registry, endpoint and Pulumi's state name the same version."""
    release = world.release()
    assert release["champion"]["version"] == champion and release["challenger"] is None
    package = world.client("sagemaker").describe_model_package(
        ModelPackageName=release["champion"]["package"]
    )
    assert (package["ModelApprovalStatus"], version(package)) == ("Approved", champion)
    live = world.live()
    assert live["EndpointStatus"] == "InService" and "ShadowProductionVariants" not in live
    config = world.client("sagemaker").describe_endpoint_config(EndpointConfigName=live["EndpointConfigName"])
    [variant] = config["ProductionVariants"]
    model: Any = world.client("sagemaker").describe_model(ModelName=variant["ModelName"])
    assert model["PrimaryContainer"]["ModelPackageName"] == release["champion"]["package"]
    program = world.root / "endpoints"
    for command in ("refresh", "up"):
        done = world.shell(
            f"pulumi {command} --yes --non-interactive --skip-preview --expect-no-changes --stack local-flights",
            program,
        )
        assert done.code == 0, done.out + done.err
    world.assert_nothing_pending()
