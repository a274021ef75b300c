"""A job's environment and command, without running one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.sagemaker.jobs.environment import command, variables
from emulator.sagemaker.jobs.plan import below, relative_name
from emulator.sagemaker.jobs.training import metrics
from sluice.clock import parse_iso

KEYS = st.sampled_from(["AWS_REGION", "AWS_PROFILE", "COLOUR", "PATH", "HOME", "PYTHONPATH", "SLUICE_OPT_ML"])
VALUES = st.dictionaries(KEYS, st.text("abc", min_size=1, max_size=3))
AWS = {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://x"}


def made(image: dict[str, str], given_: dict[str, str], aws: dict[str, str] | None) -> dict[str, str]:
    return variables(
        image=image,
        given=given_,
        aws=aws,
        python=Path("/env/bin/python"),
        home=Path("/job/home"),
        opt_ml=Path("/job/opt/ml"),
        program=Path("/job/image/opt/program"),
        threads=2,
    )


@given(VALUES, VALUES)
def test_an_isolated_job_has_no_aws_whoever_gives_it(image: dict[str, str], given_: dict[str, str]) -> None:
    found = made(image, given_, None)
    assert [key for key in found if key.startswith("AWS_")] == ["AWS_EC2_METADATA_DISABLED"]


@given(VALUES, VALUES, st.sampled_from([None, AWS]))
def test_where_things_lie_is_this_machines_affair(
    image: dict[str, str], given_: dict[str, str], aws: dict[str, str] | None
) -> None:
    found = made(image, given_, aws)
    assert found["PATH"].split(":")[0] == "/env/bin"
    assert found["PYTHONPATH"] == "/job/image/opt/program"
    assert found["SLUICE_OPT_ML"] == "/job/opt/ml"
    assert found["HOME"] == "/job/home"
    if "COLOUR" in given_:
        assert found["COLOUR"] == given_["COLOUR"]
    if aws is not None:
        assert found["AWS_ENDPOINT_URL"] == "http://x"


@pytest.mark.parametrize("name", ["python", "python3", "/usr/bin/python3"])
def test_python_is_the_images(name: str, tmp_path: Path) -> None:
    assert command([name, "-m", "a"], ["--b"], Path("/env/bin/python"), tmp_path) == (
        "/env/bin/python",
        "-m",
        "a",
        "--b",
    )


def test_nothing_to_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no entrypoint"):
        command([], ["--b"], Path("/env/bin/python"), tmp_path)


@pytest.mark.parametrize(
    ("prefix", "key", "name"),
    [
        ("data/train", "data/train/a.csv", "a.csv"),
        ("data/train/", "data/train/x/a.csv", "x/a.csv"),
        ("data/a.csv", "data/a.csv", "a.csv"),
        ("data/part-", "data/part-01", "part-01"),
        ("", "a/b.csv", "a/b.csv"),
    ],
)
def test_where_objects_land(prefix: str, key: str, name: str) -> None:
    assert relative_name(prefix, key) == name


@pytest.mark.parametrize("path", ["/etc", "/opt/ml/processing/../x", "relative", "/opt/ml"])
def test_a_path_outside_is_refused(path: str) -> None:
    with pytest.raises(Exception, match="must be within"):
        below(path, "/opt/ml/processing")


def test_the_last_value_of_a_metric_counts() -> None:
    definitions = [{"Name": "auc", "Regex": "auc=([0-9.]+)"}, {"Name": "none", "Regex": "none=(.*)"}]
    now = parse_iso("2026-11-21T10:00:00Z")
    assert metrics("auc=0.5\nauc=0.7\n", definitions, now) == [
        {"MetricName": "auc", "Value": 0.7, "Timestamp": now}
    ]
