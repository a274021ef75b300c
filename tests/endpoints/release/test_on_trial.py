"""Who is judged follows from the release file alone, whoever asks."""

from datetime import UTC, datetime
from typing import Any

import pytest

from endpoints.registry import Package
from endpoints.release.file import Challenger, Champion, ReleaseFile
from endpoints.release.on_trial import Places, subject_of
from endpoints.watch.subject import Subject

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package/flights"
PLACES = Places(
    captures="s3://capture/flights", labels="s3://data/flights/labels/", audit="s3://audit/flights/"
)


def arn(number: int) -> str:
    return f"{GROUP}/{number}"


def package(number: int) -> Package:
    return Package(
        arn=arn(number),
        workload="flights",
        version=f"1.{number}",
        kind="model",
        approval="Approved",
        image=f"123456789012.dkr.ecr.us-east-1.amazonaws.com/sluice@sha256:{number:064d}",
        created="now",
        properties={},
    )


PACKAGES = {arn(number): package(number) for number in (1, 2, 3)}


def champion(number: int, **more: Any) -> Champion:
    return Champion(package=arn(number), version=f"1.{number}", **more)


def found(release: ReleaseFile, **more: Any) -> Subject | None:
    return subject_of(release, PACKAGES, "flights-prod", "config-1", "ml.m5.large", PLACES, **more)


@pytest.mark.parametrize("stage", ["shadow", "canary"])
def test_a_challenger_is_judged_beside_its_champion(stage: str) -> None:
    challenger = Challenger.model_validate(
        {"package": arn(3), "version": "1.3", "stage": stage, "since": NOON}
    )
    before = datetime(2026, 11, 1, tzinfo=UTC)
    subject = found(
        ReleaseFile(champion=champion(2, since=before, evidence="s3://old"), challenger=challenger),
        expectation={"brier": 0.1},
    )
    assert subject is not None
    assert (subject.stage, subject.since) == (stage, NOON)
    assert (subject.champion, subject.challenger) == (champion(2), champion(3))
    assert (subject.image, subject.instance_type) == (f"sha256:{3:064d}", "ml.m5.large")
    assert (subject.expected, subject.expectation) == (None, {})
    assert subject.report_uri.startswith("s3://audit/flights/flights-prod/1.3-")


def test_what_was_promoted_is_judged_by_what_it_promised() -> None:
    release = ReleaseFile(
        champion=champion(3, since=NOON, evidence="s3://audit/3.json"), history=(arn(2), arn(1))
    )
    subject = found(release, expectation={"brier": 0.1})
    assert subject is not None
    assert (subject.stage, subject.since) == ("live", NOON)
    assert (subject.champion, subject.challenger) == (champion(2), champion(3))
    assert (subject.expected, subject.expectation) == ("s3://audit/3.json", {"brier": 0.1})


@pytest.mark.parametrize(
    "release",
    [
        ReleaseFile(),
        ReleaseFile(champion=champion(1)),
        # One that came back was not promoted, and promised nothing.
        ReleaseFile(champion=champion(2), history=(arn(1),)),
        ReleaseFile(champion=champion(2, since=NOON), history=(arn(9),)),
    ],
)
def test_where_nothing_is_known_to_compare_with_nobody_is_judged(release: ReleaseFile) -> None:
    assert found(release) is None


def test_each_stage_is_judged_anew() -> None:
    challenger = {"package": arn(3), "version": "1.3", "since": NOON}
    stages = [
        found(
            ReleaseFile(
                champion=champion(2), challenger=Challenger.model_validate({**challenger, "stage": stage})
            )
        )
        for stage in ("shadow", "canary")
    ]
    live = found(ReleaseFile(champion=champion(3, since=NOON), history=(arn(2),)))
    assert len({subject.id for subject in (*stages, live) if subject is not None}) == 3
