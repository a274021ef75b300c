"""The function: what it tells whom, and that its image runs in an emulator."""

import hashlib
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest

from emulator.functions.runtime import RuntimeApi, Work
from endpoints.watch import memory, sources
from endpoints.watch.handler import handle
from endpoints.watch.image import spec
from endpoints.watch.runtime import serve
from endpoints.watch.signature import Checked
from endpoints.watch.stored import verified
from sluice import snapshots
from sluice.clock import ManualClock
from sluice.errors import SluiceError
from sluice.paths import ROOT
from tests.emulator.conftest import Emulator, emulator
from tests.emulator.functions.conftest import trust
from tests.emulator.tiny_image import ACCOUNT, until
from tests.endpoints.watch.conftest import NOON, SUBJECT, World, many

__all__ = ["emulator"]
EVENT = {"workload": "flights", "endpoint": "flights-local", "subject": SUBJECT.model_dump(mode="json")}


class Events:
    """EventBridge, as far as it is told."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.entries += [json.loads(entry["Detail"]) for entry in Entries]
        return {"FailedEntryCount": 0, "Entries": []}


class Beats:
    """CloudWatch, that keeps what it is told and can be looked at."""

    def __init__(self, cloudwatch: Any) -> None:
        self._cloudwatch = cloudwatch
        self.told: list[list[dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cloudwatch, name)

    def put_metric_data(self, Namespace: str, MetricData: list[dict[str, Any]]) -> Any:
        self.told.append(MetricData)
        return self._cloudwatch.put_metric_data(Namespace=Namespace, MetricData=MetricData)

    def names(self) -> list[set[str]]:
        """Of the metrics, call by call."""
        return [{datum["MetricName"] for datum in data} for data in self.told]


@pytest.fixture
def clients(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    monkeypatch.setenv("SLUICE_LAG_SECONDS", "10")
    clients = {"s3": world.s3, "cloudwatch": Beats(world.cloudwatch), "events": Events()}
    yield {**clients, "kms": boto3.client("kms", region_name="us-east-1"), "sagemaker": world.endpoint}


def off(each: Any) -> list[float]:
    return [score + 0.35 for score in each.scores]


def test_it_tells_metrics_and_changes_and_leaves_a_report(world: World, clients: dict[str, Any]) -> None:
    clock = ManualClock(NOON + timedelta(seconds=100))
    world.put(many(60))
    said = handle(EVENT, clients, clock)
    assert (said["outcome"], said["pairs"], said["looks"]) == ("undecided", 60, 1)
    clock.sleep(400)
    world.put(many(300, 100), shadow=off)
    said = handle(EVENT, clients, clock)
    assert said["outcome"] == "fail"
    clock.sleep(60)
    assert handle(EVENT, clients, clock)["outcome"] == "fail"
    told = clients["events"].entries
    assert [(each["before"], each["outcome"]) for each in told] == [
        (None, "undecided"),
        ("undecided", "fail"),
    ]
    assert told[1]["version"] == "1.1"
    key = told[1]["evidence"].removeprefix("s3://captures/")
    document = json.loads(world.s3.get_object(Bucket="captures", Key=key)["Body"].read())
    assert document["verdict"]["outcome"] == "fail"
    page = world.s3.get_object(Bucket="captures", Key=key.replace(".json", ".html"))["Body"].read().decode()
    assert "Turned back" in page
    found = world.cloudwatch.list_metrics(Namespace="Sluice/Judge")["Metrics"]
    dims = {
        (each["MetricName"], *sorted(dimension["Name"] for dimension in each["Dimensions"])) for each in found
    }
    assert dims == {
        ("judge_heartbeat", "EndpointName"),
        ("judge_verdict", "EndpointConfigName", "EndpointName"),
        ("judge_log10_e", "EndpointConfigName", "EndpointName"),
        ("judge_log10_e", "Check", "EndpointConfigName", "EndpointName"),
    }


def test_a_function_killed_before_its_look_is_kept_tells_it_again(
    world: World, clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(many(60))
    clock = ManualClock(NOON + timedelta(seconds=100))

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(memory.Keeper, "save", killed)
        handle(EVENT, clients, clock)
    assert world.cloudwatch.list_metrics(Namespace="Sluice/Judge")["Metrics"] == []
    said = handle(EVENT, clients, clock)
    assert (said["looks"], said["pairs"]) == (1, 60)
    assert [each["outcome"] for each in clients["events"].entries] == ["undecided", "undecided"]


def test_with_an_event_that_is_not_whole_there_is_no_heartbeat(world: World, clients: dict[str, Any]) -> None:
    broken = {**SUBJECT.model_dump(mode="json"), "stage": "dusk"}
    for event in ({}, {**EVENT, "subject": broken}, {**EVENT, "endpoint": "other"}, {**EVENT, "every": 0}):
        with pytest.raises(SluiceError, match="event"):
            handle(event, clients)
    assert world.cloudwatch.list_metrics(Namespace="Sluice/Judge")["Metrics"] == []


def test_without_a_subject_the_judge_shows_that_it_is_alive(clients: dict[str, Any]) -> None:
    event = {"workload": "flights", "endpoint": "flights-local", "subject": None}
    assert handle(event, clients, ManualClock(NOON))["subject"] is None
    (data,) = clients["cloudwatch"].told
    assert [(datum["MetricName"], datum["StorageResolution"]) for datum in data] == [("judge_heartbeat", 60)]
    assert data[0]["Dimensions"] == [{"Name": "EndpointName", "Value": "flights-local"}]


@pytest.mark.parametrize(
    ("every", "looks", "slow"), [(60, 1, 0), (10, 6, 0), (20, 3, 0), (10, 5, 9), (10, 2, 25)]
)
def test_within_a_minute_it_looks_as_often_as_it_is_told(
    world: World,
    clients: dict[str, Any],
    every: int,
    looks: int,
    slow: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Never one that would not be over before the next event comes, as far as the slowest so far tells."""
    clock = ManualClock(NOON + timedelta(seconds=100))
    world.put(many(60))
    save = memory.Keeper.save

    def slowly(self: memory.Keeper, value: memory.Memory) -> None:
        clock.sleep(slow)
        save(self, value)

    monkeypatch.setattr(memory.Keeper, "save", slowly)
    said = handle({**EVENT, "every": every}, clients, clock)
    assert (said["looked"], said["looks"]) == (looks, looks)
    assert (clock.now() - NOON).total_seconds() - 100 <= 55
    told = clients["cloudwatch"].told
    assert len(told) == looks
    assert {datum["StorageResolution"] for data in told for datum in data} == {60 if every == 60 else 1}
    if slow == 0:
        assert (clock.now() - NOON).total_seconds() == 100 + every * (looks - 1)


def test_a_look_that_others_overtook_is_still_a_heartbeat(
    world: World, clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(many(60))
    clock = ManualClock(NOON + timedelta(seconds=100))

    def lost(*_: Any) -> None:
        raise memory.ConflictError("x")

    with monkeypatch.context() as patch:
        patch.setattr(memory.Keeper, "save", lost)
        assert handle(EVENT, clients, clock)["overtaken"]
    assert clients["cloudwatch"].names() == [{"judge_heartbeat"}]
    # The same event once more counts nothing twice.
    assert [handle(EVENT, clients, clock)["pairs"] for _ in range(2)] == [60, 60]


def test_a_look_that_cannot_be_finished_is_no_heartbeat(
    world: World, clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(many(60))

    def broken(*_: Any) -> None:
        raise OSError("gone")

    monkeypatch.setattr(memory.Keeper, "save", broken)
    with pytest.raises(OSError, match="gone"):
        handle(EVENT, clients, ManualClock(NOON + timedelta(seconds=100)))
    assert clients["cloudwatch"].told == []


def test_reports_go_to_the_audit_bucket_signed_and_no_oftener_than_needed(
    world: World, clients: dict[str, Any]
) -> None:
    world.s3.create_bucket(Bucket="audit")
    world.s3.put_bucket_versioning(Bucket="audit", VersioningConfiguration={"Status": "Enabled"})
    key = clients["kms"].create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    other = clients["kms"].create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    subject = SUBJECT.model_copy(update={"audit": "s3://audit/flights/releases/", "signing_key_arn": key})
    event = {**EVENT, "subject": subject.model_dump(mode="json")}
    clock = ManualClock(NOON + timedelta(seconds=100))
    world.put(many(60))
    for _ in range(25):
        handle(event, clients, clock)
        clock.sleep(60)
    prefix = f"flights/releases/flights-local/{subject.id}/"
    versions = world.s3.list_object_versions(Bucket="audit", Prefix=f"{prefix}report.json")["Versions"]
    assert len(versions) == 3
    assert subject.report_uri == f"s3://audit/{prefix}report.json"
    assert clients["events"].entries[0]["evidence"] == subject.report_uri

    def check(of: str = key, uri: str = subject.report_uri) -> Checked:
        return verified(world.s3, clients["kms"], of, uri, ManualClock(NOON))

    assert check().valid
    assert not check(other).valid
    assert "another key" in check(other).says
    body = world.s3.get_object(Bucket="audit", Key=f"{prefix}report.json")["Body"].read()
    assert json.loads(body)["subject"]["signing_key_arn"] == key
    altered = body.replace(b'"undecided"', b'"pass"')
    world.s3.put_object(Bucket="audit", Key=f"{prefix}report.json", Body=altered)
    assert "altered" in check().says
    # Whoever changes the digest too still has no signature of it.
    sealed = json.loads(world.s3.get_object(Bucket="audit", Key=f"{prefix}report.sig")["Body"].read())
    sealed["digest"] = hashlib.sha256(altered).hexdigest()
    world.s3.put_object(Bucket="audit", Key=f"{prefix}report.sig", Body=json.dumps(sealed).encode())
    assert (check().valid, check().says) == (False, "the signature is not of this report")
    world.s3.put_object(Bucket="audit", Key=f"{prefix}report.sig", Body=b"{}")
    assert "no signature" in check().says
    world.s3.delete_object(Bucket="audit", Key=f"{prefix}report.sig")
    assert "not signed" in check().says
    # The versions that the judge wrote are what they were, and the one that was slipped in is none of his.
    named = [f"{subject.report_uri}?versionId={version['VersionId']}" for version in versions]
    assert all(check(uri=uri).valid for uri in named)
    forged = world.s3.head_object(Bucket="audit", Key=f"{prefix}report.json")["VersionId"]
    assert not check(uri=f"{subject.report_uri}?versionId={forged}").valid
    assert "no such report" in check(uri=f"{subject.report_uri}x").says


def test_what_is_live_is_looked_at_now_and_then_and_told_each_time(
    world: World, clients: dict[str, Any]
) -> None:
    world.label("2013-05-01", {"x": True})
    subject = SUBJECT.model_copy(update={"stage": "live", "expectation": {"loss": 0.2, "brier": 0.2}})
    event = {**EVENT, "subject": subject.model_dump(mode="json"), "every": 10}
    clock = ManualClock(NOON + timedelta(seconds=100))
    said = handle(event, clients, clock)
    # Twenty seconds between two looks, for captures are ten seconds late here.
    assert (said["looked"], said["looks"], said["outcome"]) == (6, 3, "undecided")
    assert all("judge_verdict" in names for names in clients["cloudwatch"].names())


def test_the_image_has_all_that_the_hash_of_the_judge_is_of() -> None:
    """So it is the same there as here."""
    held = {str(path) for path in spec("flights").paths}
    hashed = {
        file.relative_to(ROOT).as_posix()
        for part in sources.PARTS
        for file in part.iterdir()
        if file.suffix in (".py", ".j2") and file.name not in sources.OUTSIDE
    }
    assert hashed <= held
    assert "endpoints/release/judge/weigh.py" in hashed
    assert sources.digest() == sources.digest.__wrapped__()


def test_its_image_runs_as_a_function(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snapshot holds all that it needs: nothing of this process is there."""
    s3, ecr, iam = (emulator.client(name) for name in ("s3", "ecr", "iam"))
    functions = emulator.client("lambda", read_timeout=180)
    for bucket in ("captures", "data"):
        s3.create_bucket(Bucket=bucket)
    ecr.create_repository(repositoryName="watch", imageTagMutability="IMMUTABLE")
    digest = snapshots.push(snapshots.build(spec("flights")), "watch", ecr)
    role = iam.create_role(RoleName="watch", AssumeRolePolicyDocument=trust("lambda.amazonaws.com"))
    functions.create_function(
        FunctionName="watch",
        PackageType="Image",
        Code={"ImageUri": f"{ACCOUNT}/watch@{digest}"},
        Role=role["Role"]["Arn"],
        Timeout=60,
        Environment={"Variables": {"SLUICE_LAG_SECONDS": "0"}},
    )
    functions.get_waiter("function_active_v2").wait(
        FunctionName="watch", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    world = World(s3, None, None)  # type: ignore[arg-type]
    world.put(many(80))
    answer = functions.invoke(FunctionName="watch", Payload=json.dumps(EVENT).encode(), LogType="Tail")
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    assert (said["pairs"], said["looks"], said["outcome"]) == (80, 1, "undecided")
    names = {
        each["MetricName"]
        for each in emulator.client("cloudwatch").list_metrics(Namespace="Sluice/Judge")["Metrics"]
    }
    assert names == {"judge_heartbeat", "judge_verdict", "judge_log10_e"}
    # On a schedule: the same subject, looked at by the rule.
    events = emulator.client("events")
    arn = events.put_rule(Name="watch", ScheduleExpression="rate(1 minute)")["RuleArn"]
    functions.add_permission(
        FunctionName="watch",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=arn,
    )
    function = functions.get_function(FunctionName="watch")["Configuration"]["FunctionArn"]
    events.put_targets(Rule="watch", Targets=[{"Id": "watch", "Arn": function, "Input": json.dumps(EVENT)}])
    world.put(many(20, 200))
    key = SUBJECT.key("state.json.gz")

    def looked() -> bool:
        return bool(memory.Keeper.read(s3, "captures", key).looks >= 2)

    until(looked)
    assert memory.Keeper.read(s3, "captures", key).judge.paired.units == 100


def test_an_error_of_the_handler_is_told_and_the_next_event_comes() -> None:
    api = RuntimeApi()
    first, second = (Work(name, b'{"x": 1}', "arn", 0) for name in ("one", "two"))
    api.give(first)
    api.give(second)

    def once(event: dict[str, Any]) -> dict[str, Any]:
        if not first.done.is_set():
            raise ValueError("no")
        return event

    thread = threading.Thread(target=serve, args=(once, api.address), daemon=True)
    thread.start()
    assert second.done.wait(10)
    assert json.loads(first.error or b"{}")["errorType"] == "ValueError"
    assert json.loads(second.answer or b"{}") == {"x": 1}
    api.close()
    # No event will come any more: it ends by itself.
    thread.join(10)
    assert not thread.is_alive()
