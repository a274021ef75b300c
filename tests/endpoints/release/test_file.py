from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoints.release.file import Challenger, Champion, ReleaseFile, dump, load, number, save, short
from sluice.errors import SluiceError

GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package/flights"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def arn(version: int) -> str:
    return f"{GROUP}/{version}"


FULL = ReleaseFile(
    champion=Champion(package=arn(12), version="1.3"),
    challenger=Challenger(package=arn(13), version="1.4", stage="shadow", since=NOON),
    history=(arn(11), arn(10)),
    rejected=(arn(9),),
)


def test_text_is_what_a_review_reads() -> None:
    assert dump(FULL) == (
        f"champion:\n  package: {arn(12)}\n  version: '1.3'\n"
        f"challenger:\n  package: {arn(13)}\n  version: '1.4'\n  stage: shadow\n"
        "  since: '2026-11-21T12:00:00Z'\n  evidence: null\n"
        f"history:\n- {arn(11)}\n- {arn(10)}\nrejected:\n- {arn(9)}\n"
    )


def test_how_it_got_there_is_in_the_text_where_it_is_known() -> None:
    forced = FULL.model_copy(
        update={
            "champion": Champion(package=arn(12), version="1.3", since=NOON, evidence="s3://audit/1.json"),
            "challenger": Challenger(
                package=arn(13), version="1.4", stage="canary", since=NOON, forced="an incident"
            ),
        }
    )
    text = dump(forced)
    assert "  since: '2026-11-21T12:00:00Z'\n  evidence: s3://audit/1.json\nchallenger:" in text
    assert "  forced: an incident\n" in text


def test_none_yet_is_an_empty_release(tmp_path: Path) -> None:
    assert load(tmp_path / "flights.yaml") == ReleaseFile()


moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)).map(
    lambda d: d.replace(microsecond=0, tzinfo=UTC)
)


@given(
    numbers=st.lists(st.integers(1, 99), min_size=2, max_size=12, unique=True),
    since=moments,
    stage=st.sampled_from(["shadow", "canary"]),
    evidence=st.none() | st.just("s3://audit/flights/evidence.json"),
)
def test_written_and_read_is_the_same_to_the_byte(
    tmp_path_factory: pytest.TempPathFactory,
    numbers: list[int],
    since: datetime,
    stage: str,
    evidence: str | None,
) -> None:
    first, second, *rest = map(arn, numbers)
    half = len(rest) // 2
    release = ReleaseFile(
        champion=Champion(package=first, version="1.10"),
        challenger=Challenger.model_validate(
            {"package": second, "version": "2.0", "stage": stage, "since": since, "evidence": evidence}
        ),
        history=tuple(rest[:half]),
        rejected=tuple(rest[half:]),
    )
    path = tmp_path_factory.mktemp("release") / "flights.yaml"
    save(release, path)
    text = path.read_bytes()
    assert load(path) == release
    save(load(path), path)
    assert path.read_bytes() == text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"champion": None}, "no champion to compare"),
        ({"champion": {"package": arn(13), "version": "1.4"}}, "same package"),
        ({"rejected": [arn(12)]}, "champion .*/12 is rejected"),
        ({"rejected": [arn(13)]}, "challenger .*/13 is rejected"),
        ({"history": [arn(12)]}, "in its own history"),
        ({"history": [arn(9)]}, "in history and in rejected"),
        ({"history": [arn(3), arn(3)]}, "history names a package twice"),
        ({"history": [arn(n) for n in range(20, 31)]}, "history is longer"),
        ({"champion": {"package": "flights/12", "version": "1.3"}}, "no ARN of a model package"),
        ({"stage": "live"}, "Extra inputs"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    import yaml

    path = tmp_path / "flights.yaml"
    path.write_text(yaml.safe_dump({**FULL.model_dump(mode="json"), **change}))
    with pytest.raises(SluiceError, match=says):
        load(path)


def test_names() -> None:
    assert (number(arn(12)), short(arn(12))) == (12, "flights/12")
