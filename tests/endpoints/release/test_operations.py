"""Whole releases, with AWS as plain dictionaries and a deployment that does what the test says."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from endpoints import registry
from endpoints.plan import plan
from endpoints.release import live, operations
from endpoints.release.opinion import look
from endpoints.release.status import describe, tables
from endpoints.release.target import Target
from endpoints.release.transitions import IllegalTransitionError
from sluice.clock import ManualClock
from sluice.errors import SluiceError
from tests.endpoints.release import judged as judging
from workloads.contract import Workload

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package/flights"
DIGEST = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sluice@sha256:" + "0" * 64


def arn(number: int) -> str:
    return f"{GROUP}/{number}"


class Pages:
    def __init__(self, page: Callable[..., dict[str, Any]]) -> None:
        self._page = page

    def paginate(self, **arguments: Any) -> Iterator[dict[str, Any]]:
        yield self._page(**arguments)


@dataclass
class World:
    """SageMaker, S3 and CloudWatch, as far as a release looks at them."""

    versions: dict[int, str] = field(default_factory=lambda: {1: "0", 2: "1.0", 3: "1.1"})
    approvals: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    endpoint: dict[str, Any] = field(default_factory=dict)
    published: list[dict[str, Any]] = field(default_factory=list)

    def client(self, service: str, **_: Any) -> Any:
        if service == "application-autoscaling":
            return None
        return {"sagemaker": SageMaker(self), "s3": S3(self), "cloudwatch": CloudWatch(self)}[service]


@dataclass
class SageMaker:
    world: World

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:
        number = int(ModelPackageName.rpartition("/")[2])
        if number not in self.world.versions:
            raise ClientError(
                {"Error": {"Code": "ValidationException", "Message": "no"}}, "DescribeModelPackage"
            )
        version = self.world.versions[number]
        return {
            "ModelPackageArn": ModelPackageName,
            "ModelPackageGroupName": "flights",
            "CreationTime": NOON,
            "ModelApprovalStatus": self.world.approvals.get(ModelPackageName, "Approved"),
            "InferenceSpecification": {"Containers": [{"Image": DIGEST}]},
            "CustomerMetadataProperties": {
                "workload": "flights",
                "version": version,
                "kind": "incumbent" if version == "0" else "model",
            },
        }

    def update_model_package(
        self, ModelPackageArn: str, ModelApprovalStatus: str, ApprovalDescription: str
    ) -> None:
        assert ApprovalDescription == "tester: looks good"
        self.world.approvals[ModelPackageArn] = ModelApprovalStatus

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        if not self.world.endpoint:
            raise ClientError(
                {"Error": {"Code": "ValidationException", "Message": "Could not find"}}, "DescribeEndpoint"
            )
        return {"EndpointName": EndpointName, **self.world.endpoint}

    def get_paginator(self, name: str) -> Pages:
        if name == "list_model_packages":
            found = [{"ModelPackageArn": arn(number)} for number in self.world.versions]
            return Pages(lambda ModelPackageGroupName: {"ModelPackageSummaryList": found})
        assert name == "list_tags"
        tags = [{"Key": key, "Value": value} for key, value in self.world.tags.items()]
        return Pages(lambda ResourceArn: {"Tags": tags})


@dataclass
class Body:
    content: bytes

    def read(self) -> bytes:
        return self.content


@dataclass
class S3:
    world: World

    def get_object(self, Bucket: str, Key: str, VersionId: str = "1") -> dict[str, Any]:
        assert (Bucket, VersionId) == ("capture", "1")
        if Key not in self.world.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "no"}}, "GetObject")
        return {"Body": Body(self.world.objects[Key]), "ETag": "1"}

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        if Key not in self.world.objects:
            raise ClientError({"Error": {"Code": "404", "Message": "no"}}, "HeadObject")
        return {"VersionId": "1"}


@dataclass
class CloudWatch:
    world: World

    def get_paginator(self, name: str) -> Pages:
        assert name == "describe_alarms"
        return Pages(lambda AlarmNamePrefix: {"MetricAlarms": []})

    def put_metric_data(self, Namespace: str, MetricData: list[dict[str, Any]]) -> None:
        self.world.published.append({"Namespace": Namespace, **MetricData[0]})


ENDPOINT: dict[str, Any] = {
    "EndpointArn": "arn:endpoint",
    "EndpointStatus": "InService",
    "EndpointConfigName": "config-1",
    "DataCaptureConfig": {"DestinationS3Uri": "s3://capture/flights", "KmsKeyId": "key"},
    "ProductionVariants": [
        {
            "VariantName": "AllTraffic",
            "CurrentInstanceCount": 2,
            "DesiredInstanceCount": 2,
            "CurrentWeight": 1.0,
        }
    ],
}


@dataclass
class Rig:
    world: World
    target: Target
    deployed: list[str] = field(default_factory=list)
    faults: list[Callable[[], None]] = field(default_factory=list)

    def deploy(self, target: Target) -> None:
        release = target.read()
        self.deployed.append(release.challenger.stage if release.challenger else "live")
        self.world.endpoint = dict(ENDPOINT)
        if self.faults:
            self.faults.pop(0)()

    def turn_back(self) -> None:
        wanted = plan(self.target.read())
        assert wanted is not None
        self.world.tags["sluice:refused"] = f"config-2 {wanted.release}"
        raise SluiceError("flights-local-rollback-5xx went off")


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path / "local"))
    world = World()
    monkeypatch.setattr("sluice.aws.client", world.client)
    monkeypatch.setattr("endpoints.rollout.cloud.client", world.client)
    clock = ManualClock(NOON)
    target = Target(Workload.load("flights"), "local", "us-east-1", None, clock=clock, who="tester")
    made = Rig(world, target)
    made.target = replace(target, deploy=made.deploy)
    return made


def judged(rig: Rig, outcome: judging.Outcome = "pass") -> str:
    """The judge has just looked at what is on trial, and thinks so; the URI of his report."""
    subject = look(rig.target, rig.target.read()).subject
    assert subject is not None
    now = rig.target.clock.now()
    return judging.leave(rig.world.objects, subject, rig.target.workload, outcome, now)


def shadowing(rig: Rig) -> Target:
    operations.initialise(rig.target, None, "start")
    operations.propose(rig.target, "1.0", "new")
    rig.deployed.clear()
    clock = rig.target.clock
    clock.sleep(3600)
    return rig.target


def test_from_nothing_to_the_second_version(rig: Rig) -> None:
    target = rig.target
    release = operations.initialise(target, None, "what decided before")
    assert release.champion is not None
    assert (release.champion.package, release.champion.version) == (arn(1), "0")
    release = operations.propose(target, "1.0", "first model")
    assert release.challenger is not None
    assert release.challenger.stage == "shadow"
    target.clock.sleep(3600)
    report = judged(rig)

    release = operations.advance(target, "its checks passed")
    assert release.champion is not None
    assert (release.champion.version, release.challenger, release.history) == ("1.0", None, (arn(1),))
    assert release.champion.evidence == f"{report}?versionId=1"
    # The deployment is the champion's from the canary on, so the last one changes nothing.
    assert rig.deployed == ["live", "shadow", "canary", "live"]

    release = operations.propose(target, None, "the newest")
    assert release.challenger is not None
    assert release.challenger.version == "1.1"
    assert [line.partition(" ")[2] for line in target.store.log("flights")] == [
        "flights: 1.1 in shadow",
        "flights: 1.0 is champion",
        "flights: 1.0 in canary",
        "flights: 1.0 in shadow",
        "flights: 0 is the first champion",
    ]


def test_without_a_pass_it_stays_in_shadow_and_says_why(rig: Rig) -> None:
    target = shadowing(rig)
    before = target.read()
    for arrange, says in (
        (lambda: None, "the judge has not looked at 1.0 in shadow yet"),
        (lambda: judged(rig, "undecided"), "960 more pairs"),
        (lambda: judged(rig, "fail"), "shows it to be worse than tolerated"),
    ):
        arrange()
        with pytest.raises(SluiceError, match=says):
            operations.advance(target, "hope")
        assert (target.read(), rig.deployed) == (before, [])


def test_a_judge_who_fell_silent_passes_nothing(rig: Rig) -> None:
    target = shadowing(rig)
    judged(rig)
    target.clock.sleep(200)
    assert look(target, target.read()).opinion.verdict == "pass"
    target.clock.sleep(200)
    seen = look(target, target.read()).opinion
    assert (seen.verdict, "nothing of the last 0:06:50" in seen.reason) == ("undecided", True)
    assert "flights-local-judge-heartbeat" in seen.reason
    judged(rig, "fail")
    target.clock.sleep(4000)
    assert look(target, target.read()).opinion.verdict == "fail", "a fail is for ever"


def test_margins_that_changed_on_the_way_pass_nothing(rig: Rig) -> None:
    target = shadowing(rig)
    judged(rig)
    release = target.workload.release.model_copy(update={"minimum_pairs": 1})
    other = replace(target, workload=target.workload.model_copy(update={"release": release}))
    seen = look(other, other.read()).opinion
    assert (seen.verdict, "margins in workload.yaml" in seen.reason) == ("undecided", True)


def test_forced_it_goes_on_and_the_file_says_why_for_ever(rig: Rig) -> None:
    target = replace(shadowing(rig), deploy=None)
    judged(rig, "undecided")
    release = operations.advance(target, "the incident of Monday", force=True)
    assert release.challenger is not None
    assert (release.challenger.stage, release.challenger.forced) == ("canary", "the incident of Monday")
    assert release.challenger.evidence is not None


def test_a_report_that_is_about_to_be_written_anew_is_no_evidence(rig: Rig) -> None:
    target = shadowing(rig)
    report = judged(rig)
    key = report.removeprefix("s3://capture/")
    rig.world.objects[key] = rig.world.objects[key].replace(b'"outcome": "pass"', b'"outcome": "undecided"')
    with pytest.raises(SluiceError, match=r"says undecided, and it now says pass.*again in a minute"):
        operations.advance(target, "now")
    assert rig.deployed == []


def test_what_sagemaker_turned_back_is_rejected_in_one_commit(rig: Rig) -> None:
    target = shadowing(rig)
    judged(rig)
    rig.faults.append(rig.turn_back)
    with pytest.raises(
        SluiceError, match=r"turned 1.0 back in canary; it is rejected.*rollback-5xx went off"
    ):
        operations.advance(target, "its checks passed")
    release = target.read()
    assert release.champion is not None
    assert (release.champion.version, release.challenger, release.rejected) == ("0", None, (arn(2),))
    assert rig.deployed == ["canary", "live"]
    assert target.store.log("flights")[0].endswith("flights: 1.0 was turned back and is rejected")
    with pytest.raises(IllegalTransitionError, match="was rejected"):
        operations.propose(target, "1.0", "again")
    assert operations.propose(target, None, "the next").challenger is not None


def test_another_fault_of_the_deployment_rejects_nothing(rig: Rig) -> None:
    target = shadowing(rig)
    judged(rig)

    def fail() -> None:
        raise SluiceError("the state is locked")

    rig.faults.append(fail)
    with pytest.raises(SluiceError, match="state is locked"):
        operations.advance(target, "its checks passed")
    release = target.read()
    assert release.challenger is not None
    assert release.challenger.stage == "canary"
    # Run again it goes on from there.
    assert operations.advance(target, "again").challenger is None


def test_without_deploying_each_call_is_one_step(rig: Rig) -> None:
    target = replace(shadowing(rig), deploy=None)
    judged(rig)
    release = operations.advance(target, "checks passed")
    assert release.challenger is not None
    assert (release.challenger.stage, release.challenger.evidence is None) == ("canary", False)
    assert operations.advance(target, "deployed").challenger is None


def test_an_unapproved_package_is_not_proposed_until_it_is_approved(rig: Rig) -> None:
    rig.world.approvals[arn(2)] = "PendingManualApproval"
    operations.initialise(rig.target, None, "start")
    with pytest.raises(SluiceError, match="sluice release approve flights"):
        operations.propose(rig.target, "1.0", "new")
    assert operations.approve(rig.target, "1.0", "looks good").approval == "Approved"
    assert operations.propose(rig.target, "1.0", "new").challenger is not None


def test_without_a_name_the_newest_approved_one_is_proposed(rig: Rig) -> None:
    rig.world.approvals[arn(3)] = "PendingManualApproval"
    operations.initialise(rig.target, None, "start")
    challenger = operations.propose(rig.target, None, "new").challenger
    assert challenger is not None
    assert challenger.package == arn(2)


def test_abort_raises_the_alarm_until_the_deployment_turns(rig: Rig) -> None:
    rig.world.endpoint = dict(ENDPOINT)
    clients = rig.target.clients
    with pytest.raises(SluiceError, match="nothing is being deployed"):
        live.abort("flights-local", clients, rig.target.clock)

    def turn(now: datetime) -> None:
        if now - NOON >= timedelta(seconds=20):
            rig.world.endpoint["EndpointStatus"] = "RollingBack"

    rig.world.endpoint |= {
        "EndpointStatus": "Updating",
        "PendingDeploymentSummary": {"EndpointConfigName": "config-2"},
    }
    assert live.abort("flights-local", clients, ManualClock(NOON, turn)) == "config-2"
    assert len(rig.world.published) == 10
    assert rig.world.published[0] == {
        "Namespace": "Sluice/Release",
        "MetricName": "Abort",
        "Dimensions": [
            {"Name": "EndpointName", "Value": "flights-local"},
            {"Name": "EndpointConfigName", "Value": "config-2"},
        ],
        "Value": 1,
        "StorageResolution": 1,
    }

    rig.world.endpoint["EndpointStatus"] = "Updating"
    with pytest.raises(SluiceError, match="goes on though its abort alarm"):
        live.abort("flights-local", clients, ManualClock(NOON))


def test_status_says_it_all(rig: Rig) -> None:
    assert describe(rig.target)["endpoint"] is None
    target = shadowing(rig)
    judged(rig)
    said = json.loads(json.dumps(describe(target)))
    assert said["release"]["challenger"]["stage"] == "shadow"
    assert said["endpoint"]["status"] == "InService"
    assert said["opinion"]["verdict"] == said["judge"]["outcome"] == "pass"
    assert {each["outcome"] for each in said["judge"]["checks"] if each["role"] == "required"} == {"pass"}


def test_status_tells_the_reason_of_what_was_forced(rig: Rig) -> None:
    target = shadowing(rig)
    operations.advance(target, "the incident of Monday", force=True)
    console = Console(record=True, width=200)
    console.print(tables([describe(target)]))
    [line] = [line for line in console.export_text().splitlines() if "forced" in line]
    assert "1.0: the incident of Monday" in line


def test_what_may_not_be_deployed_is_refused_with_every_reason(rig: Rig) -> None:
    target = shadowing(rig)
    release = target.read()
    assert set(registry.refuse_undeployable(release, "flights")) == {arn(1), arn(2)}
    rig.world.approvals[arn(1)] = "Rejected"
    del rig.world.versions[2]
    with pytest.raises(
        SluiceError, match=r"flights/1 is not approved, it is Rejected; .*flights/2 is not in the reg"
    ):
        registry.refuse_undeployable(release, "flights")
    with pytest.raises(SluiceError, match="flights/1 is a model of flights"):
        registry.refuse_undeployable(release, "weld")
