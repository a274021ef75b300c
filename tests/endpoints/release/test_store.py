import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from endpoints.release import store, transitions
from endpoints.release.file import ReleaseFile
from sluice.errors import SluiceError

ONE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/flights/1"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def first(release: ReleaseFile) -> ReleaseFile:
    return transitions.initialise(release, ONE, "0")


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> store.Store:
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path / "local"))
    # What the user set for other repositories must have no say: a hook that fails, signing without a key.
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(
        f"[core]\n\thooksPath = {hooks}\n\texcludesFile = {tmp_path / 'ignore'}\n[commit]\n\tgpgsign = true\n"
    )
    (tmp_path / "ignore").write_text("*.yaml\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    return store.open("local", "us-east-1")


def git(repository: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(repository), *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin"},
    ).stdout


def test_each_change_is_a_commit_that_says_who_and_why(local: store.Store) -> None:
    assert local.read("flights") == ReleaseFile()
    assert not local.repository.exists()
    local.change("flights", first, "0 is the first champion", "ada", "it decided before")
    assert local.change("flights", lambda release: release, "nothing", "ada", "twice").champion is not None
    local.note("flights", "deployment of x aborted", "bob", "errors")
    assert git(local.repository, "log", "--format=%an|%s|%b").split("\n\n") == [
        "Sluice|flights: deployment of x aborted|By: bob\nWhy: errors\n".rstrip(),
        "Sluice|flights: 0 is the first champion|By: ada\nWhy: it decided before\n".rstrip(),
        "",
    ]
    assert git(local.repository, "status", "--porcelain") == ""
    assert len(local.log("flights")) == 1


def test_a_refused_step_changes_nothing(local: store.Store) -> None:
    local.change("flights", first, "first", "ada", "start")
    with pytest.raises(SluiceError):
        local.change("flights", first, "second", "ada", "again")
    assert len(local.log("flights")) == 1


@pytest.mark.parametrize("again", [True, False], ids=["the same step again", "another step"])
def test_a_change_that_was_killed_before_its_commit_is_a_commit_of_its_own(
    local: store.Store, again: bool
) -> None:
    local.change("flights", first, "first", "ada", "start")
    path = local.path("flights")
    path.write_text(path.read_text().replace("'0'", "'0.1'"))

    def step(release: ReleaseFile) -> ReleaseFile:
        return release if again else transitions.hold(release, "bob", "an incident", NOON)

    local.change("flights", step, "go on", "bob", "after a crash")
    assert git(local.repository, "status", "--porcelain") == ""
    said = git(local.repository, "log", "--reverse", "--format=%s, %b").replace("\n", " ")
    assert said.startswith(
        "flights: first, By: ada Why: start  flights: a change that was not committed, By: unknown"
    )
    assert ("bob" in said) == (not again)


def test_elsewhere_the_file_is_in_the_checkout_and_nothing_is_committed_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path / "local"))
    real = store.open("prod", "eu-west-1")
    assert real.path("flights").parts[-4:] == ("endpoints", "releases", "prod-eu-west-1", "flights.yaml")
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for arguments in (
        ["init", "-q"],
        ["config", "user.name", "Ada"],
        ["config", "user.email", "ada@example.org"],
    ):
        git(checkout, *arguments)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    mine = store.Store(checkout, checkout / "endpoints" / "releases" / "prod-eu-west-1", own=False)
    mine.change("flights", first, "first", "ada", "start")
    assert git(checkout, "status", "--porcelain") == "?? endpoints/\n"
    mine.change("flights", lambda release: release, "first", "ada", "start", commit=True)
    assert git(checkout, "log", "--format=%an %s").strip() == "Ada flights: first"
