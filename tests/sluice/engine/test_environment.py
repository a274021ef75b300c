"""The variables of a run."""

import os
import subprocess
from pathlib import Path

import pytest

from sluice.engine import environment

CLI = Path("/cache/bin/pulumi")


def test_local_goes_to_the_emulator_and_nowhere_else(local: Path) -> None:
    values = environment.variables("local", {"PATH": "/usr/bin"}, cli=CLI)
    assert values["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert values["PULUMI_BACKEND_URL"] == (local / "state").as_uri()
    assert values["PATH"].split(os.pathsep)[1:] == [str(local / "bin"), "/cache/bin", "/usr/bin"]


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_other_environments_keep_the_accounts_own(local: Path, name: str) -> None:
    """With an endpoint, keys or the emulator's provider, `sluice` would deploy production into the emulator."""
    values = environment.variables(name, {"PATH": "/usr/bin"}, cli=CLI)
    assert not [key for key in values if key.startswith("AWS_")]
    assert "PULUMI_BACKEND_URL" not in values
    assert "PULUMI_CONFIG_PASSPHRASE" not in values
    assert str(local / "bin") not in values["PATH"].split(os.pathsep)
    kept = environment.complete(name, {"PATH": "/usr/bin", "AWS_PROFILE": "prod"}, cli=CLI)
    assert kept["AWS_PROFILE"] == "prod"


def test_a_profile_of_the_users_does_not_reach_local(local: Path) -> None:
    base = {"PATH": "/usr/bin", "AWS_PROFILE": "prod", "AWS_SESSION_TOKEN": "t", "AWS_ACCESS_KEY_ID": "real"}
    values = environment.complete("local", base, cli=CLI)
    assert "AWS_PROFILE" not in values
    assert "AWS_SESSION_TOKEN" not in values
    assert values["AWS_ACCESS_KEY_ID"] == "test"


def test_applying_twice_changes_nothing(local: Path) -> None:
    once = environment.complete("local", {"PATH": "/usr/bin:/bin"}, cli=CLI)
    assert environment.complete("local", once, cli=CLI) == once


def test_only_an_endpoint_on_this_machine_is_kept(local: Path) -> None:
    assert environment.endpoint({"AWS_ENDPOINT_URL": "http://127.0.0.1:5000/"}) == "http://127.0.0.1:5000"
    assert environment.endpoint({"AWS_ENDPOINT_URL": "https://sagemaker.us-east-1.amazonaws.com"}).endswith(
        ":4566"
    )


def test_a_shell_takes_the_exports() -> None:
    lines = environment.exports({"A": "it's $HOME", "AWS_PROFILE": ""})
    result = subprocess.run(
        ["sh", "-c", f'{lines}\nprintf "%s|%s" "$A" "${{AWS_PROFILE-none}}"'],
        env={"AWS_PROFILE": "prod"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "it's $HOME|none"
