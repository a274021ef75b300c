"""Bad days: what breaks around a release or a champion neither loses a request that AWS would not lose, nor lets
anything through; and when it is over, release file, registry, state and endpoint agree.

Each needs a platform with nothing on trial and every request so far in `world.sent`. They take minutes, so they share
the worlds of the files that have got that far.
"""

from typing import Any

from botocore.exceptions import ClientError

from tests.e2e.reading import version
from tests.e2e.running import wait
from tests.e2e.world import ENDPOINT, PRODUCTION, World

JUDGE = "flights-local-judge"
HEARTBEAT = f"{ENDPOINT}-judge-heartbeat"


def fault(world: World, *arguments: str) -> str:
    """Inject a fault; its name."""
    return str(world.sluice("fault", *arguments).ok()["fault"])


def released_through_faults(world: World, released: str) -> None:
    """Calls throttled, events twice, captures and labels lost, a shadow's instance killed, the judge out: nothing of it
    reaches a caller, and nothing passes on evidence that is not there. When it is over the newest package, of version
    `released`, is live."""
    out = fault(world, "function", JUDGE)
    fault(world, "events", "--duplicate")
    fault(world, "api", "--throttle", "0.2", "--service", "sagemaker")
    fault(world, "labels", "flights", "--missing", "0.5")
    traffic = world.start("replay", "flights", "--from", "2013-04-15", "--rate", "25", name="replay")
    flow = world.start("release", "run", "flights", "--until-idle", name="flow")
    try:
        flow.until(lambda: shadowed(world), "the shadow", every=1)
        # A little more than may be missing: what comes after it makes up for it soon.
        lost = fault(world, "captures", ENDPOINT, "--lose", "0.06", "--variant", "Shadow")
        flow.until(lambda: alarm(world, HEARTBEAT) == "ALARM", "the alarm of a judge who is out", every=1)
        assert world.release()["challenger"]["stage"] == "shadow", "nothing passes without a judge"
        world.sluice("fault", "end", out).ok()
        # Each question is a process of its own.
        missing = "of production's rows joined with the shadow's"
        flow.until(lambda: missing in reason(world), "missing captures", every=5)
        flow.until(lambda: "more pairs" not in reason(world), "enough pairs", every=5)
        assert world.release()["challenger"]["stage"] == "shadow", "nothing passes while captures are missing"
        fault(world, "instance", ENDPOINT, "--variant", "Shadow")
        world.sluice("fault", "end", lost).ok()
        flow.until(lambda: alarm(world, HEARTBEAT) == "OK", "the judge's return", every=1)
        done = flow.wait().ok()
    finally:
        ended = traffic.stop()
        world.sluice("fault", "end", "--all").ok()
    summary = ended.json
    assert [step["step"] for step in done["steps"] if step["step"] not in ("wait", "failed")] == [
        *("approve", "propose", "advance")
    ]
    champion = done["release"]["champion"]
    assert champion["version"] == released
    world.assert_report(champion["evidence"], released, "pass")
    assert summary["failed"] == 0
    world.sent += summary["sent"]
    world.assert_every_request_was_counted()
    assert_all_agree(world, released)


def instance_and_zone_lost(world: World) -> None:
    """Of a fleet of two, what was in flight on what died is lost, on AWS too; what comes after is not."""
    champion = world.release()["champion"]["version"]
    traffic = world.start(
        "replay", "flights", "--from", "2013-05-12", "--rate", "20", "--no-land", name="losses"
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
    assert set(summary["versions"]) == {champion}
    assert_all_agree(world, champion)
    # What was lost may be counted or not; the metrics of the last period take a moment.
    answered = world.sent + summary["ok"]
    wait(lambda: traffic_sent(world) >= answered, "the metrics of what was answered", every=1)
    world.sent = traffic_sent(world)


def slow_canary_turned_back(world: World, copied: str) -> None:
    """The newest model again under the version `copied`, which somebody forces out of its shadow by hand; its new fleet
    is slow."""
    champion = world.release()["champion"]["version"]
    world.register_copy(world.packages()[-1], copied)
    traffic = world.start(
        "replay", "flights", "--from", "2013-05-14", "--rate", "25", "--no-land", name="slow"
    )
    try:
        world.sluice("release", "propose", "flights", copied).ok()
        forced = world.start(
            "release", "advance", "flights", "--force", "--why", "it is the same model", name="forced"
        )
        forced.until(
            lambda: world.live()["EndpointStatus"] == "Updating" and stage(world) == "canary", "a canary"
        )
        assert world.release()["challenger"]["forced"] == "it is the same model"
        config = world.live()["PendingDeploymentSummary"]["EndpointConfigName"]
        fault(world, "model", ENDPOINT, "--slow", "900", "--config", config)
        done = forced.wait()
    finally:
        ended = traffic.stop()
        world.sluice("fault", "end", "--all").ok()
    summary = ended.json
    assert done.code == 1
    assert f"SageMaker turned {copied} back in canary" in done.json["error"]
    assert f"{ENDPOINT}-rollback-latency" in done.json["error"]
    assert summary["failed"] == 0, "slow is not lost"
    assert world.release()["rejected"][-1] == world.packages()[-1]["ModelPackageArn"]
    world.sent += summary["sent"]
    world.assert_every_request_was_counted()
    assert_all_agree(world, champion)


def shadowed(world: World) -> bool:
    """Asked by a client that tries once, which the fault throttles, too."""
    try:
        return "ShadowProductionVariants" in world.live()
    except ClientError as throttled:
        assert throttled.response["Error"]["Code"] == "ThrottlingException"
        return False


def reason(world: World) -> str:
    """What the judge says is wanted."""
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
