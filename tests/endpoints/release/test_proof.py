"""Evidence is of the very thing that it promotes, or it is none."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from endpoints.registry import Package
from endpoints.release import proof
from endpoints.release.file import Challenger, Champion, ReleaseFile
from endpoints.release.proof import Proof
from sluice.errors import SluiceError

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package/flights"
OLD, NEW = f"{GROUP}/2", f"{GROUP}/3"
IMAGE, KIND = "sha256:" + "3" * 64, "ml.m5.large"
URI = "s3://audit/flights/report.json?versionId=a%2Fb"
GOOD = Proof(champion=OLD, challenger=NEW, image=IMAGE, instance_type=KIND, outcome="pass")
PACKAGES = {
    NEW: Package(
        arn=NEW,
        workload="flights",
        version="1.1",
        kind="model",
        approval="Approved",
        image=f"123456789012.dkr.ecr.us-east-1.amazonaws.com/sluice@{IMAGE}",
        created="now",
        properties={},
    )
}


def canary(evidence: str | None = URI, forced: str | None = None, stage: str = "canary") -> ReleaseFile:
    challenger = {"package": NEW, "version": "1.1", "stage": stage, "since": NOON}
    return ReleaseFile(
        champion=Champion(package=OLD, version="1.0"),
        challenger=Challenger.model_validate({**challenger, "evidence": evidence, "forced": forced}),
    )


def report(**changes: Any) -> dict[str, Any]:
    subject = {
        "champion": {"package": OLD, "version": "1.0"},
        "challenger": {"package": NEW, "version": "1.1"},
        "image": IMAGE,
        "instance_type": KIND,
    }
    return {"subject": {**subject, **changes}, "verdict": {"outcome": "pass"}}


def test_evidence_of_the_very_release_lets_it_go() -> None:
    assert proof.of_document(report()) == GOOD
    assert proof.refuse(canary(), PACKAGES, KIND, GOOD) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"image": "sha256:" + "4" * 64}, "of the image"),
        ({"instance_type": "ml.c5.large"}, "of the instance type ml.c5.large"),
        ({"challenger": {"package": f"{GROUP}/4"}}, "of the challenger"),
        ({"champion": {"package": f"{GROUP}/1"}}, "of the champion"),
    ],
)
def test_evidence_of_something_else_does_not_even_if_it_is_forced(changes: dict[str, Any], says: str) -> None:
    found = proof.of_document(report(**changes))
    for release in (canary(), canary(forced="an incident")):
        [reason] = proof.refuse(release, PACKAGES, KIND, found)
        assert says in reason and reason.startswith("flights/3: ")


def test_a_verdict_that_is_no_pass_needs_a_person_who_says_why() -> None:
    found = proof.of_document({**report(), "verdict": {"outcome": "undecided"}})
    assert proof.refuse(canary(), PACKAGES, KIND, found) == [
        "flights/3: its evidence says undecided, and nobody forced it"
    ]
    assert proof.refuse(canary(forced="an incident"), PACKAGES, KIND, found) == []


def test_without_evidence_it_needs_a_person_too() -> None:
    assert proof.refuse(canary(evidence=None), PACKAGES, KIND, None) == [
        "flights/3 is in canary and its evidence is none"
    ]
    assert "nothing is there" in proof.refuse(canary(), PACKAGES, KIND, None)[0]
    assert proof.refuse(canary(evidence=None, forced="an incident"), PACKAGES, KIND, None) == []


def test_only_a_canary_is_asked() -> None:
    assert proof.refuse(canary(evidence=None, stage="shadow"), PACKAGES, KIND, None) == []
    assert proof.refuse(ReleaseFile(), {}, KIND, None) == []


@pytest.mark.parametrize(
    ("verdict", "outcome"), [("equal", "pass"), ("unknown", "undecided"), ("different", "fail")]
)
def test_the_comparison_of_a_patched_image_is_evidence_too(verdict: str, outcome: str) -> None:
    said = {"kind": "replayed", "champion": OLD, "challenger": NEW, "image": IMAGE, "instance_type": KIND}
    assert proof.of_document({**said, "verdict": verdict}).outcome == outcome


@pytest.mark.parametrize(
    "document", [{}, {"kind": "replayed"}, {"subject": {}, "verdict": {"outcome": "fine"}}]
)
def test_what_is_no_evidence_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(SluiceError):
        proof.of_document(document)


class S3:
    def __init__(self, body: bytes | None) -> None:
        self.body, self.asked = body, {}

    def get_object(self, **place: str) -> Any:
        self.asked = place
        if self.body is None:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": ""}}, "GetObject")
        return {"Body": self}

    def read(self) -> bytes | None:
        return self.body


def test_it_is_read_in_the_version_that_the_file_names() -> None:
    s3 = S3(json.dumps(report()).encode())
    proof.refuse_unproved(canary(), PACKAGES, KIND, s3)
    assert s3.asked == {"Bucket": "audit", "Key": "flights/report.json", "VersionId": "a/b"}


def test_a_refusal_says_what_to_do() -> None:
    with pytest.raises(SluiceError, match=r"nothing is there.*sluice release withdraw"):
        proof.refuse_unproved(canary(), PACKAGES, KIND, S3(None))
    with pytest.raises(SluiceError, match="is no evidence of a release"):
        proof.refuse_unproved(canary(), PACKAGES, KIND, S3(b"<html>"))


def alone(**champion: Any) -> ReleaseFile:
    return ReleaseFile(champion=Champion.model_validate({"package": NEW, "version": "1.1", **champion}))


def never() -> frozenset[str]:
    raise AssertionError("nobody has to ask the endpoint")


def test_a_champion_with_evidence_or_a_reason_may_be_one() -> None:
    s3 = S3(json.dumps(report()).encode())
    proof.refuse_unknown(alone(evidence=URI), s3, "flights-local", never)
    proof.refuse_unknown(alone(forced="an incident"), s3, "flights-local", never)
    proof.refuse_unknown(ReleaseFile(), s3, "flights-local", never)
    proof.refuse_unknown(canary(), s3, "flights-local", never)


@pytest.mark.parametrize("known", [None, {NEW}, {OLD, NEW}])
def test_a_champion_that_answered_or_is_the_first_may_be_one(known: set[str] | None) -> None:
    proof.refuse_unknown(alone(), S3(None), "flights-local", lambda: known)


@pytest.mark.parametrize(
    ("evidence", "there"),
    [
        (None, None),
        (URI, None),
        (URI, report(challenger={"package": OLD, "version": "1.0"})),
        (URI, {**report(), "verdict": {"outcome": "undecided"}}),
    ],
)
def test_a_champion_that_somebody_wrote_into_the_file_is_refused(
    evidence: str | None, there: dict[str, Any] | None
) -> None:
    s3 = S3(None if there is None else json.dumps(there).encode())
    with pytest.raises(
        SluiceError, match=r"nothing shows that it may be: .* never answered on flights-local"
    ):
        proof.refuse_unknown(alone(evidence=evidence), s3, "flights-local", lambda: {OLD})


def test_beside_a_shadow_the_champion_is_asked_for_too() -> None:
    with pytest.raises(SluiceError, match=r"flights/2 is champion, and nothing shows"):
        proof.refuse_unknown(canary(stage="shadow"), S3(None), "flights-local", lambda: {NEW})
