"""The frame of the command."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from sluice import cli, output
from sluice.errors import SluiceError


class Point:
    """An entry point of another folder."""

    def __init__(self, name: str, register: Any) -> None:
        self.name = name
        self.value = f"{name}.commands:register"
        self._register = register

    def load(self) -> Any:
        if isinstance(self._register, Exception):
            raise self._register
        return self._register


@pytest.fixture(autouse=True)
def frame(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A process whose environment and state the command may change."""
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path / "local"))
    monkeypatch.setattr("sluice.engine.environment.apply", lambda name=None: None)
    cli.broken.clear()
    yield
    output.use_json(False)
    cli.broken.clear()


def with_commands(monkeypatch: pytest.MonkeyPatch, *points: Point) -> None:
    monkeypatch.setattr(cli, "points", lambda: list(points))


def raising(error: Exception) -> Point:
    def register(app: Any) -> None:
        @app.command()
        def train() -> None:
            raise error

    return Point("training", register)


def test_every_command_teaches(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with_commands(monkeypatch)
    assert cli.run(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in cli.OWN:
        assert f"\n  {command} " in shown
    assert 'eval "$(sluice env)"' in shown


def test_commands_of_other_folders_come_from_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []

    def register(app: Any) -> None:
        @app.command()
        def train(workload: str) -> None:
            called.append(workload)

    with_commands(monkeypatch, Point("training", register))
    assert cli.run(["train", "flights"]) == 0
    assert called == ["flights"]


def test_a_folder_that_cannot_be_imported_takes_nothing_else_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_commands(monkeypatch, Point("broken", ImportError("no module x")), raising(SluiceError("no data")))
    assert cli.run(["train"]) == 1
    told = capsys.readouterr().err
    assert "broken.commands:register: ImportError: no module x" in told
    assert "no data" in told
    assert cli.run(["logs"]) == 0
    assert "no module x" not in capsys.readouterr().err


def test_an_error_is_told_with_its_way_out_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_commands(monkeypatch, raising(SluiceError("the data is late", "Wait for it.")))
    assert cli.run(["train"]) == 1
    shown = capsys.readouterr()
    assert shown.err == "error: the data is late.\n       Wait for it.\n"
    assert shown.out == ""


@pytest.mark.parametrize("arguments", [["--json", "train"], ["train", "--json"]])
def test_an_error_is_json_for_machines(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_commands(monkeypatch, raising(SluiceError("the data is late", "Wait for it.")))
    assert cli.run(arguments) == 1
    assert json.loads(capsys.readouterr().out) == {"error": "the data is late", "way_out": "Wait for it."}


def test_json_after_two_dashes_belongs_to_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def register(app: Any) -> None:
        @app.command()
        def train(words: list[str]) -> None:
            given.extend([*words, output.is_json()])

    with_commands(monkeypatch, Point("training", register))
    assert cli.run(["train", "--", "--json"]) == 0
    assert given == ["--json", False]


def test_what_is_typed_wrong_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_commands(monkeypatch)
    assert cli.run(["trian"]) == 2
    assert "trian" in capsys.readouterr().err
    assert cli.run(["logs", "--lines", "many"]) == 2


def test_ctrl_c_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def register(app: Any) -> None:
        @app.command()
        def train() -> None:
            raise KeyboardInterrupt

    with_commands(monkeypatch, Point("training", register))
    assert cli.run(["train"]) == 130


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with_commands(monkeypatch, raising(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        cli.run(["train"])


def test_the_command_itself_imports_nothing_heavy() -> None:
    """Help and completion are asked for often; each of these takes a good part of a second."""
    code = """
        import sys
        from sluice import cli
        cli.build(extensions=False)
        heavy = {"pulumi", "boto3", "numpy", "polars", "grpc", "rich.table", "yaml", "pydantic"}
        print(sorted(heavy & set(sys.modules)))
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
