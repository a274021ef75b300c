"""What the doctor sees."""

import json
import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest

from sluice import cli, output
from sluice.commands import doctor
from sluice.engine import cli as pulumi_cli


@pytest.fixture(autouse=True)
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path / "local"))
    monkeypatch.setattr("sluice.engine.environment.apply", lambda name=None: None)
    yield
    output.use_json(False)


def test_a_port_in_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{number}")
        check = doctor.port()
        assert not check.ok
        assert str(number) in check.name
        assert check.way_out
    assert doctor.port().ok


def test_neither_pulumi_nor_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi_cli, "find", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    check = doctor.pulumi()
    assert not check.ok
    assert "go.dev" in check.way_out
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    assert doctor.pulumi().ok


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10, 9, 1))
    assert not doctor.disk().ok


def test_exit_code_is_of_what_is_required_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "extend", lambda app: None)
    optional = doctor.Check("isolation", False, "no", "Linux.", required=False)
    monkeypatch.setattr(doctor, "LOOKS", (lambda: optional,))
    assert cli.run(["doctor"]) == 0
    needed = doctor.Check("git", False, "not on PATH", "Install git.")
    monkeypatch.setattr(doctor, "LOOKS", (lambda: optional, lambda: needed))
    capsys.readouterr()
    assert cli.run(["doctor", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [(check["name"], check["ok"]) for check in told] == [("isolation", False), ("git", False)]
    assert told[1]["way_out"] == "Install git."


def test_a_folder_that_cannot_be_imported_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "extend", lambda app: cli.broken.update({"release": "no module x"}))
    monkeypatch.setattr(doctor, "LOOKS", ())
    assert cli.run(["doctor"]) == 0
    assert "no module x" in capsys.readouterr().out
    cli.broken.clear()
