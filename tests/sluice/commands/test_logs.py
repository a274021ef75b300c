"""Finding and reading logs."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from sluice.commands import logs
from sluice.errors import SluiceError


def write(file: Path, text: str, age: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    moment = 1_700_000_000 - age
    os.utime(file, (moment, moment))


def test_logs_are_listed_newest_first_without_what_is_no_log(tmp_path: Path) -> None:
    write(tmp_path / "logs" / "emulator.log", "a", age=10)
    write(tmp_path / "emulator" / "instances" / "i-1" / "serving.log", "b", age=5)
    write(tmp_path / "emulator" / "jobs" / "j-1" / "job.log", "c", age=7)
    write(tmp_path / "logs" / "empty.log", "")
    write(tmp_path / "venv" / "lib" / "x.log", "not ours")
    write(tmp_path / "emulator" / "images" / "sha" / "y.log", "not ours")
    assert list(logs.available(tmp_path)) == [
        "emulator/instances/i-1/serving",
        "emulator/jobs/j-1/job",
        "emulator",
    ]


def test_a_part_of_a_name_is_enough_if_it_is_the_only_one() -> None:
    found = {"emulator": Path("a"), "emulator/jobs/j-1/job": Path("b"), "emulator/jobs/j-2/job": Path("c")}
    assert logs.choose(found, "emulator") == Path("a")
    assert logs.choose(found, "j-2") == Path("c")
    with pytest.raises(SluiceError, match="2 logs"):
        logs.choose(found, "job")
    with pytest.raises(SluiceError, match="no log 'zz'"):
        logs.choose(found, "zz")


@given(st.data())
def test_the_last_lines_are_the_last_lines(
    tmp_path_factory: pytest.TempPathFactory, data: DataObject
) -> None:
    written = data.draw(st.lists(st.text("ab é", max_size=390), max_size=60))
    count = data.draw(st.integers(0, 70))
    file = tmp_path_factory.mktemp("logs") / "a.log"
    file.write_text("".join(f"{line}\n" for line in written), encoding="utf-8")
    shown = logs.tail(file, count)
    assert len(shown) <= count
    assert written[len(written) - len(shown) :] == shown
    if all(len(line.encode()) < 390 for line in written):
        assert len(shown) >= min(count, len(written)) - 1
