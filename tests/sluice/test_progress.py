"""Progress away from a terminal: lines that stay readable in a log."""

import pytest

from sluice import progress


def test_a_step_has_a_first_and_a_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.step("building") as step:
        step.update("1 of 2")
        step.line("  a remark")
        step.done("built")
    shown = capsys.readouterr()
    lines = shown.err.splitlines()
    assert lines[0] == "▸ building"
    assert lines[1] == "  a remark"
    assert lines[-1].startswith("✓ building: built (")
    assert shown.out == ""


def test_a_failed_step_has_a_cross(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), progress.step("building") as step:
        step.update("2 of 2")
        raise RuntimeError
    assert "✗ building: 2 of 2 (" in capsys.readouterr().err


def test_a_long_step_speaks_up_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    with progress.step("building") as step:
        step.update("1 of 2")
    assert "  … building: 1 of 2 (" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.9, "59 s"), (61, "1 min 01 s"), (600, "10 min 00 s")]
)
def test_times_are_read_easily(seconds: float, text: str) -> None:
    assert progress.elapsed(seconds) == text
