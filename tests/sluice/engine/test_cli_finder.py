"""Finding and building Pulumi's command line."""

import os
import re
import shutil
from pathlib import Path

import pytest

from sluice import paths
from sluice.engine import cli
from sluice.errors import SluiceError


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing but the shell's own tools: its PATH folder, to put things in."""
    folder = tmp_path / "path"
    folder.mkdir()
    for name in ("sh", "cat", "dirname", "chmod", "sleep"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path / "cache"))
    return folder


def script(file: Path, body: str) -> None:
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)


def fake_go(folder: Path, sdk: Path, build: str) -> None:
    """A `go` that answers what is asked of it while the CLI is built."""
    exec_file = sdk / "python" / "cmd" / "pulumi-language-python-exec"
    exec_file.parent.mkdir(parents=True, exist_ok=True)
    exec_file.write_text("exec")
    script(
        folder / "go",
        f"""case "$1" in
mod) echo '{{"Dir": "{sdk}"}}' ;;
list) echo a; echo b ;;
build) while [ "$1" != -o ]; do shift; done
{build}
;;
esac""",
    )


def test_versions_pinned_in_three_places_agree() -> None:
    module = (cli.tools() / "go.mod").read_text(encoding="utf-8")
    assert re.search(rf"github.com/pulumi/pulumi/pkg/v3 {re.escape(cli.VERSION)}\b", module)
    assert re.search(rf"github.com/pulumi/pulumi/sdk/v3 {re.escape(cli.VERSION)}\b", module)
    lock = (paths.ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert f"\npulumi=={cli.VERSION.removeprefix('v')} " in lock


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        ("v3.250.0", True),
        ("3.251.0-alpha.1", True),
        ("v3.199.0", False),
        ("v2.25.0", False),
        ("v4.0.0", False),
        ("dev", False),
    ],
)
def test_compatible_versions(version: str, fits: bool) -> None:
    assert cli.compatible(version) is fits


def test_cli_on_path_is_used(machine: Path) -> None:
    script(machine / "pulumi", "echo v3.251.0")
    assert cli.ensure() == cli.Cli(machine / "pulumi", "v3.251.0", built=False)


def test_cli_on_path_that_is_too_old_is_passed_over(machine: Path) -> None:
    script(machine / "pulumi", "echo v2.0.0")
    assert cli.find() is None


def test_neither_cli_nor_go(machine: Path) -> None:
    with pytest.raises(SluiceError) as caught:
        cli.ensure()
    assert "no Pulumi CLI" in caught.value.problem
    assert caught.value.way_out is not None
    assert "go.dev" in caught.value.way_out


def test_cli_is_built_once_with_its_language_host(
    machine: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fake_go(machine, tmp_path / "sdk", 'echo a >&2; echo b >&2; echo binary > "$2"')
    killed = tmp_path / "cache" / f"pulumi-{cli.VERSION}-abc"
    killed.mkdir(parents=True)
    built = cli.ensure()
    assert built == cli.Cli(cli.bin_folder() / "pulumi", cli.VERSION, built=True)
    assert built.path.read_text() == "binary\n"
    assert (cli.bin_folder() / "pulumi-language-python-exec").read_text() == "exec"
    assert os.access(cli.bin_folder() / "pulumi-language-python", os.X_OK)
    assert not killed.exists()
    assert "building the Pulumi CLI" in capfd.readouterr().err

    (machine / "go").unlink()
    assert cli.ensure() == built  # found, not built again


def test_newer_checkout_renews_the_language_host(machine: Path, tmp_path: Path) -> None:
    fake_go(machine, tmp_path / "sdk", 'echo binary > "$2"')
    cli.ensure()
    installed = cli.bin_folder() / "language_host.py"
    installed.write_text("old")
    cli.ensure()
    assert installed.read_bytes() == (cli.tools() / "language_host" / "language_host.py").read_bytes()


def test_failed_build_says_why_and_leaves_nothing(machine: Path, tmp_path: Path) -> None:
    fake_go(machine, tmp_path / "sdk", 'echo half > "$2"; echo "no space left on device" >&2; exit 1')
    with pytest.raises(SluiceError, match="no space left on device"):
        cli.ensure()
    assert cli.find() is None
    assert [
        file for file in (tmp_path / "cache").rglob("*") if file.is_file() and file.suffix != ".lock"
    ] == []
