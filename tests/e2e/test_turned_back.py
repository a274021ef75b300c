"""What must not reach anybody: a model that is no good, one whose server fails under real requests, one that is wrong
in one slice. Meanwhile another workload deploys, and a good version is released, on a bad day. No hand takes part in
any of these releases."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.faults import released_through_faults
from tests.e2e.reading import image, version
from tests.e2e.world import ENDPOINT, World

pytestmark = pytest.mark.e2e

SECOND = "departures"
DEFINITION = "pipelines/definitions/flights-training.json"
ALARM_PERIOD = timedelta(seconds=10)
MOMENTS = ("--train-until", "2013-04-01", "--evaluate-until", "2013-04-15")


@pytest.fixture(scope="module")
def platform(world: World) -> World:
    """Up, with today's rule as champion, and data to train on. A second workload is in the checkout."""
    _second_workload(world)
    world.sluice("up", "--no-tour", "--workload", "flights").ok()
    world.sluice("packages", "flights", "--register-incumbent").ok()
    world.sluice("release", "approve", "flights", "0").ok()
    world.sluice("release", "init", "flights").ok()
    world.sluice("data", "arrive", "flights", "--until", "2013-04-15").ok()
    return world


def test_the_gate_refuses_a_model_that_is_no_good(platform: World) -> None:
    world = platform
    world.edit(DEFINITION, ('"trees": "200"', '"trees": "1"'), ('"depth": "6"', '"depth": "1"'))
    world.sluice("stack", "up", "pipelines", "--workload", "flights").ok()
    done = world.sluice("train", "flights", *MOMENTS)
    assert done.code == 1
    assert "GateFailed" in done.json["error"]
    assert "the gate refused the model" in done.json["error"]
    assert "below the floor" in done.json["error"]
    assert [version(package) for package in world.packages()] == ["0"]
    world.restore(DEFINITION)
    world.sluice("stack", "up", "pipelines", "--workload", "flights").ok()


def test_a_version_that_fails_in_canary_is_turned_back_while_another_workload_deploys(
    platform: World,
) -> None:
    """It answers whatever comes during its shadow, and fails on what comes after."""
    world = platform
    register_with_server(
        world,
        "0.1",
        # Warm-up asks with a moment of its own.
        '        moments = columns["departed_at"]\n'
        '        if ((moments >= np.datetime64("2013-05-01")) & (moments < np.datetime64("2013-06-01"))).any():\n'
        '            raise ValueError("made to fail")\n',
    )
    second = world.start("up", "--no-tour", "--workload", SECOND, name="second")
    # Without traffic it gets no further than its shadow.
    flow = world.start("release", "run", "flights", "--until-idle", name="flow")
    april = may = None
    try:
        second.wait().ok()
        world.sluice("packages", SECOND, "--register-incumbent").ok()
        world.sluice("release", "approve", SECOND, "0").ok()
        april = world.start(
            "replay", "flights", "--from", "2013-04-15", "--rate", "25", "--no-land", name="april"
        )
        flow.until(lambda: in_canary(world) and world.live()["EndpointStatus"] == "Updating", "the canary")
        refused = world.live()["PendingDeploymentSummary"]["EndpointConfigName"]
        second = world.start("release", "init", SECOND, name="second")
        may = world.start(
            "replay", "flights", "--from", "2013-05-01", "--rate", "20", "--no-land", name="may"
        )
        flow.until(lambda: world.live()["EndpointStatus"] == "RollingBack", "the roll-back")
        assert second.process.poll() is None, "the second workload was deployed before the first rolled back"
        ended = flow.wait().ok()
        second.wait().ok()
    finally:
        done = [running.stop() for running in (april, may) if running is not None]

    failed = [step for step in ended["steps"] if step["step"] == "failed"]
    assert len(failed) == 1
    assert "SageMaker turned 0.1 back in canary" in failed[0]["why"]
    assert f"{ENDPOINT}-rollback-5xx" in failed[0]["why"] or f"{ENDPOINT}-judge-verdict" in failed[0]["why"]
    assert world.live()["EndpointStatus"] == "InService"
    assert world.live(f"{SECOND}-local")["EndpointStatus"] == "InService"
    first_error, rang = alarmed(world, refused)
    assert rang - first_error < 3 * ALARM_PERIOD, "the canary was turned back late"

    # Nobody but the canary's share saw an error, and each error is one of the canary's answers.
    summaries = [each.json for each in done]
    sent, lost = (sum(summary[name] for summary in summaries) for name in ("sent", "failed"))
    failures = {config: count for config, count in world.counted("Invocation5XXErrors").items() if count}
    assert set(failures) == {refused} and world.live()["EndpointConfigName"] != refused
    assert lost == failures[refused] > 0
    assert {code for summary in summaries for code in summary["codes"]} == {"200", "424"}
    assert lost < 0.1 * sent, "the champion did not answer all through it"
    world.sent += sent
    world.assert_every_request_was_counted()


def test_what_was_turned_back_is_rejected_and_not_tried_again(platform: World) -> None:
    world = platform
    release = world.release()
    assert release["champion"]["version"] == "0" and release["challenger"] is None
    assert release["rejected"] == [world.packages()[-1]["ModelPackageArn"]]
    log = world.git("log", "-1", "--format=%s", folder=world.local / "releases")
    assert log.strip() == "flights: 0.1 was turned back and is rejected"
    before = world.live()
    assert world.sluice("stack", "up", "endpoints", "--workload", "flights").ok()["changed"] is False

    # Somebody who asks for it again by hand, as if it had never been rejected, is refused before anything moves.
    file = world.release_file()
    asked = world.git("show", "HEAD~1:local/flights.yaml", folder=world.local / "releases")
    assert "canary" in asked
    file.write_text(asked, encoding="utf-8")
    done = world.shell("pulumi up --yes --non-interactive --stack local-flights", world.root / "endpoints")
    assert done.code != 0
    assert "refused" in done.out + done.err
    assert world.live()["LastModifiedTime"] == before["LastModifiedTime"]
    world.git("checkout", "--", "local/flights.yaml", folder=world.local / "releases")
    assert world.sluice("stack", "up", "endpoints", "--workload", "flights").ok()["changed"] is False


def test_the_next_good_version_is_not_poisoned_by_the_old_alarm_even_on_a_bad_day(platform: World) -> None:
    assert platform.sluice("train", "flights", *MOMENTS).ok()["version"] == "1.0"
    released_through_faults(platform, "1.0")


def test_a_version_that_is_wrong_in_one_slice_is_stopped_in_shadow_by_its_name(platform: World) -> None:
    """The champion's model, whose calibrated scores of one airport are too high by one in log-odds."""
    world = platform
    champion = world.release()["champion"]["version"]
    register_with_server(
        world,
        "1.1",
        "",
        '        odds = np.log(scores / (1 - scores)) + (columns["origin"] == "JFK")\n'
        "        scores = 1 / (1 + np.exp(-odds))\n",
    )
    traffic = world.start(
        "replay", "flights", "--from", "2013-05-08", "--rate", "25", "--no-land", name="replay"
    )
    try:
        done = world.sluice("release", "run", "flights", "--until-idle").ok()
    finally:
        summary = traffic.stop().ok()
    steps = [step for step in done["steps"] if step["step"] != "wait"]
    assert [step["step"] for step in steps] == ["propose", "reject"]
    assert "of origin=JFK" in steps[-1]["why"]
    assert "origin=EWR" not in steps[-1]["why"] and "origin=LGA" not in steps[-1]["why"]
    release = world.release()
    assert release["champion"]["version"] == champion and release["challenger"] is None
    assert release["rejected"][-1] == world.packages()[-1]["ModelPackageArn"]
    told = world.sluice("release", "report", "flights", "--stage", "shadow", "--version", "1.1").ok()
    assert told["verdict"] == "fail"
    assert summary["failed"] == 0, "nobody sees what a shadow answers"
    world.sent += summary["sent"]
    world.assert_every_request_was_counted()


def in_canary(world: World) -> bool:
    challenger = world.release()["challenger"]
    return bool(challenger) and challenger["stage"] == "canary"


def alarmed(world: World, config: str) -> tuple[datetime, datetime]:
    """When the config's first error could be seen, which is the end of the period that it came in, and when one of the
    alarms that turn a canary back rang."""
    cloudwatch = world.client("cloudwatch")
    wanted = {"EndpointName": ENDPOINT, "VariantName": "AllTraffic", "EndpointConfigName": config}
    points = cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": name, "Value": value} for name, value in wanted.items()],
        StartTime=datetime.now(UTC) - timedelta(minutes=30),
        EndTime=datetime.now(UTC),
        Period=int(ALARM_PERIOD.total_seconds()),
        Statistics=["Sum"],
    )["Datapoints"]
    first = min(point["Timestamp"] for point in points if point["Sum"]) + ALARM_PERIOD
    rang = [
        item["Timestamp"]
        for name in (f"{ENDPOINT}-rollback-5xx", f"{ENDPOINT}-judge-verdict")
        for item in cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")[
            "AlarmHistoryItems"
        ]
        if "to ALARM" in item["HistorySummary"] and item["Timestamp"] >= first - ALARM_PERIOD
    ]
    return first, min(rang)


def register_with_server(world: World, version: str, before: str, after: str = "") -> None:
    """Register the newest package's model in a server that was changed, approved.

    Args:
        before, after: lines around the one in which the model scores.
    """
    server = "endpoints/serving/model.py"
    line = "        scores = np.asarray(self.scorer.score(columns), dtype=np.float64)\n"
    world.edit(server, (line, before + line + after))
    digest = world.sluice("images", "push", "flights").ok()["serving"]
    world.restore(server)
    newest = next(
        package for package in reversed(world.packages()) if package["ModelApprovalStatus"] == "Approved"
    )
    before_it = image(newest)
    changed = f"{before_it.partition('@')[0]}@{digest}"
    assert changed != before_it
    world.register_copy(newest, version, changed)


def _second_workload(world: World) -> None:
    """The first one under another name, as a department would add its own folder."""
    shutil.copytree(world.root / "workloads/flights", world.root / "workloads" / SECOND)
    world.edit(
        f"workloads/{SECOND}/workload.yaml", ("name: flights\n", f"name: {SECOND}\n"), ("\ntour:", "\n#tour:")
    )
    file = world.root / f"workloads/{SECOND}/workload.yaml"
    file.write_text(file.read_text(encoding="utf-8").partition("#tour:")[0], encoding="utf-8")
    world.edit(f"workloads/{SECOND}/source.py", ('WORKLOAD = "flights"', f'WORKLOAD = "{SECOND}"'))
    definition = (world.root / DEFINITION).read_text(encoding="utf-8").replace("flights", SECOND)
    (world.root / f"pipelines/definitions/{SECOND}-training.json").write_text(definition, encoding="utf-8")
    for program in ("pipelines", "endpoints"):
        stack = (world.root / program / "Pulumi.local-flights.yaml").read_text(encoding="utf-8")
        (world.root / program / f"Pulumi.local-{SECOND}.yaml").write_text(
            stack.replace("sluice:workload: flights", f"sluice:workload: {SECOND}"), encoding="utf-8"
        )
