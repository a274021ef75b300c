"""A patched image, from the comparison to live: with AWS in memory, and ended wherever it can be."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError

from endpoints.release import operations, runner
from endpoints.release.comparison import Replayed, Verdict, Workshop, verdict
from endpoints.release.file import ReleaseFile
from endpoints.release.patch import next_version, patch
from endpoints.release.target import Target
from endpoints.release.transitions import IllegalTransitionError
from sluice.clock import iso
from sluice.errors import SluiceError
from tests.endpoints.release.simulation import ENDPOINT, IMAGE, Aws, Simulation, arn, model_of
from tests.endpoints.rollout.fake import _Client, refuse

DIGEST = "sha256:" + "1" * 64
PATCHED = f"{IMAGE.partition('@')[0]}@{DIGEST}"
OTHER = f"{IMAGE.partition('@')[0]}@sha256:{'2' * 64}"
MODEL = "s3://artifacts/flights/models/1.0/model.tar.gz"
EQUAL = {"requests": 600, "rows": 600, "equal": 600}
WORKSHOP = Workshop(
    "arn:aws:iam::123456789012:role/serving", ("subnet-1", "subnet-2"), ("sg-1",), "volume-key"
)


class Registry(Aws):
    """With packages as they are registered, jobs that take half a minute, and objects."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.packages: dict[int, dict[str, Any]] = {}
        self.tokens: dict[str, int] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.objects: dict[str, bytes] = {}
        self.counts: dict[str, Any] = dict(EQUAL)
        self.failure: str | None = None

    def on_DescribeModelPackage(self, ModelPackageName: str) -> Any:
        described = super().on_DescribeModelPackage(ModelPackageName)
        given = self.packages.get(int(ModelPackageName.rpartition("/")[2]))
        if given is None:
            container = {
                "Image": IMAGE,
                "ImageDigest": "old",
                "ModelDataUrl": MODEL,
                "Environment": {"A": "b"},
            }
            described["InferenceSpecification"] = {
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
            }
            described["CustomerMetadataProperties"] |= {"code_hash": "c0de", "change": "data"}
            return described
        return {**described, **given}

    def on_CreateModelPackage(self, ClientToken: str, ModelApprovalStatus: str, **given: Any) -> Any:
        number = self.tokens.setdefault(ClientToken, max(self.versions) + 1)
        self.packages[number] = given
        self.versions[number] = given["CustomerMetadataProperties"]["version"]
        self.approvals.setdefault(number, ModelApprovalStatus)
        return {"ModelPackageArn": arn(number)}

    def on_DescribeEndpoint(self, EndpointName: str) -> Any:
        capture = {"DestinationS3Uri": "s3://capture/flights", "KmsKeyId": "capture-key"}
        return {**super().on_DescribeEndpoint(EndpointName), "DataCaptureConfig": capture}

    def on_ListProcessingJobs(self, NameContains: str, SortBy: str, SortOrder: str) -> Any:
        assert (SortBy, SortOrder) == ("CreationTime", "Descending")
        found = [job for name, job in reversed(self.jobs.items()) if NameContains in name]
        return {"ProcessingJobSummaries": found}

    def on_CreateProcessingJob(self, ProcessingJobName: str, **given: Any) -> Any:
        if ProcessingJobName in self.jobs:
            raise refuse("CreateProcessingJob", "names must be unique", "ResourceInUse")
        job = {"ProcessingJobName": ProcessingJobName, "ProcessingJobStatus": "InProgress", **given}
        self.jobs[ProcessingJobName] = job

        def end() -> None:
            if self.failure is not None:
                job.update(ProcessingJobStatus="Failed", FailureReason=self.failure)
                return
            job["ProcessingJobStatus"] = "Completed"
            [output] = given["ProcessingOutputConfig"]["Outputs"]
            uri = f"{output['S3Output']['S3Uri']}/replayed.json"
            self.objects[uri] = json.dumps(self.counts).encode()

        self.after(30, end)
        return {}

    def on_DescribeProcessingJob(self, ProcessingJobName: str) -> Any:
        return self.jobs[ProcessingJobName]

    def on_ListObjectsV2(self, Bucket: str, Prefix: str, StartAfter: str) -> Any:
        begin, after = f"s3://{Bucket}/{Prefix}", f"s3://{Bucket}/{StartAfter}"
        keys = sorted(uri for uri in self.objects if uri.startswith(begin) and uri > after)
        return {"Contents": [{"Key": uri.removeprefix(f"s3://{Bucket}/"), "Size": 1} for uri in keys]}

    def on_PutObject(self, Bucket: str, Key: str, Body: bytes, **more: str) -> Any:
        assert more["SSEKMSKeyId"] == "capture-key"
        self.objects[f"s3://{Bucket}/{Key}"] = Body
        return {"VersionId": "v/1"}

    def on_GetObject(self, Bucket: str, Key: str) -> Any:
        return {"Body": io.BytesIO(self.objects[f"s3://{Bucket}/{Key}"])}


class World(Simulation):
    kind = Registry
    aws: Registry

    def __post_init__(self) -> None:
        super().__post_init__()
        self.target.__dict__["clients"]["s3"] = _Client(self.aws, "s3")
        declared = self.target.workload
        rules = declared.release.model_copy(update={"minimum_pairs": 500})
        self.target = self.varied(workload=declared.model_copy(update={"release": rules}))

    def captured(self, *names: str) -> None:
        """Objects of production's captures."""
        for name in names:
            self.aws.objects[f"s3://capture/flights/{ENDPOINT}/AllTraffic/{name}.jsonl"] = b"{}"

    def patch(self, image: str = PATCHED, target: Target | None = None) -> ReleaseFile:
        return patch(target or self.target, image, lambda: WORKSHOP, "CVE-2026-1")

    def varied(self, **changes: Any) -> Target:
        """The target with other fields, on the same AWS."""
        made = replace(self.target, **changes)
        made.__dict__.update(self.target.__dict__ | made.__dict__ | changes)
        return made


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Version 1.0 is champion after 0, an hour ago, and answered."""
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path / "local"))
    made = World()
    made.package(1, "0")
    made.package(2, "1.0")
    operations.initialise(made.target, None, "start")
    operations.propose(made.target, "1.0", "new")
    made.target.change(
        lambda release: operations.transitions.advance(release, made.clock.now()), "canary", "good"
    )
    operations.advance(made.target, "good")
    made.clock.sleep(3600)
    made.captured("2026/11/21/10/00-00-a", "2026/11/21/12/30-00-b", "2026/11/21/12/45-00-c")
    return made


@pytest.mark.parametrize(
    ("version", "known", "expected"),
    [
        ("1.3", ["0", "1.0", "1.3"], "1.4"),
        ("1.3", ["1.3", "1.4", "2.0"], "1.5"),
        ("1.3", [], "1.4"),
        ("1.9", ["1.9"], "1.10"),
        ("0", ["0"], "0.1"),
        ("0.1", ["0", "0.1", "1.0"], "0.2"),
    ],
)
def test_a_patch_takes_the_next_minor_version_of_its_method(
    version: str, known: list[str], expected: str
) -> None:
    assert next_version(version, known) == expected


@pytest.mark.parametrize(
    ("equal", "different", "expected"),
    [
        (500, 0, "equal"),
        (499, 0, "unknown"),
        (0, 0, "unknown"),
        (100_000, 1, "different"),
        (0, 1, "different"),
    ],
)
def test_too_few_rows_are_never_equal_and_one_difference_is_enough(
    equal: int, different: int, expected: Verdict
) -> None:
    assert verdict(Replayed(equal=equal, different=different), 500) == expected


def test_what_answers_the_same_is_live_by_a_canary_without_a_shadow(world: World) -> None:
    before = world.deployed
    release = world.patch()
    assert release.champion is not None and release.champion.evidence is not None
    assert (release.champion.package, release.champion.version) == (arn(3), "1.1")
    assert (release.challenger, release.history) == (None, (arn(2), arn(1)))
    assert (world.live(), world.deployed - before) == (model_of(arn(3)), 2)
    # In one update with alarms, and with no shadow before it.
    update = world.aws.named("UpdateEndpoint")[-1]
    assert (
        update["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"] == "CANARY"
    )
    assert [line.partition("flights: ")[2] for line in world.target.store.log("flights")][:2] == [
        "1.1 is champion",
        "1.1 in canary, a patched image",
    ]

    [made] = world.aws.packages.values()
    assert made["InferenceSpecification"] == {
        "Containers": [
            {
                "Image": PATCHED,
                "ModelDataUrl": MODEL,
                "Environment": {"A": "b", "SLUICE_VERSION": "1.1"},
            }
        ],
        "SupportedContentTypes": ["text/csv"],
    }
    assert made["CustomerMetadataProperties"] == {
        "workload": "flights",
        "kind": "model",
        "code_hash": "c0de",
        "version": "1.1",
        "change": "image",
        "patches": arn(2),
        "image_digest": DIGEST,
    }
    uri, _, asked = release.champion.evidence.partition("?")
    assert asked == "versionId=v/1"
    evidence = json.loads(world.aws.objects[uri])
    [job] = world.aws.jobs
    assert evidence == {
        "kind": "replayed",
        "champion": arn(2),
        "challenger": arn(3),
        "image": DIGEST,
        "instance_type": "ml.m5.large",
        "verdict": "equal",
        "minimum": 500,
        "job": job,
        "replayed": f"s3://capture/flights/replayed/{ENDPOINT}/{job}/replayed.json",
        **Replayed.model_validate(EQUAL).model_dump(mode="json"),
    }


def test_the_job_sees_the_newest_captures_the_model_and_no_network(world: World) -> None:
    champion = world.target.read().champion
    assert champion is not None and champion.since is not None
    promoted = iso(champion.since)
    world.patch()
    [job] = world.aws.named("CreateProcessingJob")
    assert job["AppSpecification"]["ImageUri"] == PATCHED
    assert job["RoleArn"] == WORKSHOP.role_arn
    assert job["NetworkConfig"] == {
        "EnableNetworkIsolation": True,
        "EnableInterContainerTrafficEncryption": True,
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]},
    }
    cluster = job["ProcessingResources"]["ClusterConfig"]
    assert (cluster["InstanceType"], cluster["VolumeKmsKeyId"]) == ("ml.m5.large", "volume-key")
    assert job["ProcessingOutputConfig"]["KmsKeyId"] == "capture-key"
    assert job["Environment"] == {"A": "b", "ANSWERED_BY": "1.0", "ANSWERED_SINCE": promoted}
    captures, model = (given["S3Input"] for given in job["ProcessingInputs"])
    assert (model["S3DataType"], model["S3Uri"]) == ("S3Prefix", MODEL)
    assert captures["S3DataType"] == "ManifestFile"
    # The oldest object ended before 1.0 was champion.
    assert json.loads(world.aws.objects[captures["S3Uri"]]) == [
        {"prefix": f"s3://capture/flights/{ENDPOINT}/AllTraffic/"},
        "2026/11/21/12/30-00-b.jsonl",
        "2026/11/21/12/45-00-c.jsonl",
    ]


def test_of_a_champion_of_unknown_age_answers_count_since_the_endpoint_changed(world: World) -> None:
    world.target.change(
        lambda release: release.model_copy(
            update={"champion": release.champion and release.champion.model_copy(update={"since": None})}
        ),
        "since",
        "unknown",
    )
    changed = world.aws.endpoints[ENDPOINT]["LastModifiedTime"]
    world.patch()
    [job] = world.aws.named("CreateProcessingJob")
    assert job["Environment"]["ANSWERED_SINCE"] == iso(changed)
    captures = job["ProcessingInputs"][0]["S3Input"]
    assert len(json.loads(world.aws.objects[captures["S3Uri"]])) == 4


def refused(world: World, says: str, image: str = PATCHED, target: Target | None = None) -> None:
    """The patch is refused, and neither the release, nor the endpoint, nor the registry has changed."""
    release, live, packages = world.target.read(), world.live(), dict(world.aws.packages)
    deployed = world.deployed
    with pytest.raises(SluiceError, match=says):
        world.patch(image, target)
    assert (world.target.read(), world.live(), world.aws.packages) == (release, live, packages)
    assert world.deployed == deployed


def test_what_may_not_be_patched_is_refused_before_anything_is_run(world: World) -> None:
    refused(world, "runs in sha256:0+ already.*sluice images push", image=IMAGE)
    operations.hold(world.target, "an incident")
    refused(world, "held by ada")
    operations.resume(world.target, "over")
    world.package(7, "1.5")
    operations.propose(world.target, "1.5", "new")
    refused(world, r"1\.5 is in shadow.*sluice release withdraw flights")
    world.target.change(
        lambda release: operations.transitions.advance(release, world.clock.now()), "canary", "good"
    )
    refused(world, r"1\.5 is in canary.*sluice release abort flights")
    assert world.aws.jobs == {}


def test_without_a_champion_there_is_nothing_to_patch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path / "local"))
    with pytest.raises(IllegalTransitionError, match=r"no champion .*sluice release init"):
        World().patch()


def test_what_answers_otherwise_is_refused_however_often_it_is_tried(world: World) -> None:
    world.aws.counts = {**EQUAL, "equal": 599, "different": 1, "largest_difference": 0.25}
    says = r"answers otherwise: 1 of 600 rows differ, scores by up to 0\.25; s3://capture/.*replayed\.json has ex"
    refused(world, says)
    # Newer captures that happen to show no difference take nothing back.
    world.aws.counts = dict(EQUAL)
    world.captured("2026/11/21/13/01-00-d")
    refused(world, says)
    assert len(world.aws.jobs) == 1
    # Another image is another question.
    release = world.patch(OTHER)
    assert release.champion is not None and release.champion.version == "1.1"


def test_too_little_to_compare_is_unknown_until_there_is_more(world: World) -> None:
    world.aws.counts = {"requests": 400, "rows": 400, "equal": 400, "others": 7}
    says = r"400 captured rows were answered the same, 500 have to be.*7 are another.*sluice replay flights"
    refused(world, says)
    refused(world, says)
    assert len(world.aws.jobs) == 1
    world.captured("2026/11/21/12/50-00-d")
    world.aws.counts = dict(EQUAL)
    assert world.patch().challenger is None
    assert len(world.aws.jobs) == 2


def test_without_captures_nothing_is_run_and_nothing_is_known(world: World) -> None:
    world.aws.objects.clear()
    refused(world, "0 captured rows .*sluice replay flights")
    assert world.aws.jobs == {}


def test_an_image_that_cannot_answer_says_why_and_may_be_tried_again(world: World) -> None:
    world.aws.failure = "AlgorithmError: the model 1.0 was trained on other features, exit code: 1"
    refused(world, "could not be compared, .* is Failed: AlgorithmError: the model 1.0 was trained on other")
    world.aws.failure = None
    assert world.patch().challenger is None
    assert len(world.aws.jobs) == 2


def test_where_a_person_approves_it_waits_for_them(world: World) -> None:
    manual = world.varied(workload=world.target.workload.model_copy(update={"approval": "manual"}))
    before = world.target.read()
    for _ in range(2):
        with pytest.raises(
            SluiceError, match=r"version 1\.1.*Approve it by `sluice release approve flights 1\.1`"
        ):
            world.patch(target=manual)
    assert (world.target.read(), world.aws.approvals[3]) == (before, "PendingManualApproval")
    operations.approve(world.target, "1.1", "read the advisory")
    release = world.patch(target=manual)
    assert release.champion is not None and release.champion.package == arn(3)
    assert (len(world.aws.jobs), list(world.aws.packages)) == (1, [3])


def test_a_package_that_only_says_that_it_patches_is_not_deployed(world: World) -> None:
    world.patch(target=world.varied(deploy=None))
    operations.withdraw(world.target, "a test")
    [container] = world.aws.packages[3]["InferenceSpecification"]["Containers"]
    container["ModelDataUrl"] = "s3://artifacts/flights/another/model.tar.gz"
    refused(world, "flights/3 says that it patches the champion and has another model")
    container |= {"ModelDataUrl": MODEL, "Environment": {"A": "c", "SLUICE_VERSION": "1.1"}}
    refused(world, "another model or environment")
    container["Environment"] = {"A": "b", "SLUICE_VERSION": "1.1"}
    assert world.patch().challenger is None


def test_what_was_turned_back_is_rejected_and_not_patched_in_again(world: World) -> None:
    world.aws.ends = ["alarm"]
    with pytest.raises(SluiceError, match=r"SageMaker turned 1\.1 back in canary; it is rejected"):
        world.patch()
    assert world.target.read().rejected == (arn(3),)
    assert world.live() == model_of(arn(2))
    refused(world, r"flights/3, the champion in this image, was rejected.*sluice images push")
    release = world.patch(OTHER)
    assert release.champion is not None and release.champion.version == "1.2"


def test_without_deploying_it_is_in_canary_for_whoever_deploys(world: World) -> None:
    apart = world.varied(deploy=None)
    release = world.patch(target=apart)
    assert release.challenger is not None and release.challenger.stage == "canary"
    assert world.patch(target=apart) == release
    # The automatic flow takes it from there.
    runner.once(world.target)
    after = world.target.read()
    assert after.champion is not None and after.champion.package == arn(3)


def test_a_champion_that_was_replaced_meanwhile_is_not_patched(world: World) -> None:
    def rollback(_: Any) -> None:
        world.clock._on_sleep = None
        world.target.change(lambda r: operations.transitions.rollback(r, "0"), "0 is champion again", "bad")

    world.clock._on_sleep = rollback
    with pytest.raises(SluiceError, match="champion was replaced in the meantime"):
        world.patch()


class KilledError(Exception):
    pass


@pytest.mark.parametrize("how", ["lost", "dropped"])
@pytest.mark.parametrize(
    "operation",
    ["PutObject", "CreateProcessingJob", "DescribeProcessingJob", "CreateModelPackage", "UpdateModelPackage"],
)
def test_cut_off_at_a_call_it_goes_on_where_it_was(world: World, operation: str, how: str) -> None:
    world.aws.faults[operation] = [how]
    with pytest.raises(BotoCoreError):
        world.patch()
    world.clock.sleep(3600)
    world.captured("2026/11/21/13/59-00-later")
    release = world.patch()
    assert release.champion is not None and release.champion.package == arn(3)
    assert list(world.aws.packages) == [3]
    # What had begun is taken up, though there are newer captures by now.
    assert len(world.aws.jobs) == 1


@pytest.mark.parametrize("moment", ["before the deployment", "before Pulumi writes its state"])
def test_killed_in_its_canary_it_goes_on_there(world: World, moment: str) -> None:
    def kill(where: str) -> None:
        if where == moment:
            raise KilledError

    world.crash = kill
    with pytest.raises(KilledError):
        world.patch()
    assert world.target.read().challenger is not None
    world.crash = lambda _: None
    release = world.patch()
    assert release.champion is not None and release.champion.package == arn(3)
    assert (len(world.aws.jobs), list(world.aws.packages)) == (1, [3])
    assert world.live() == model_of(arn(3))
