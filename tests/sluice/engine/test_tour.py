"""The tour types commands; here they are answered by a script of what a machine would say."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from sluice import paths
from sluice.engine import tour
from sluice.errors import SluiceError

FIRST, SECOND = "arn:…/flights/1", "arn:…/flights/2"


class Machine:
    """A machine with one workload whose tour is 1.0; every command is noted."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.release: dict[str, Any] = {"champion": None, "challenger": None, "history": []}
        self.trains = "1.0"
        self.ends: dict[str, Any] = {"step": "advance", "why": "the judge says pass"}

    def __call__(self, *arguments: str) -> dict[str, Any]:
        self.said.append(" ".join(arguments[:2]))
        match arguments[:2]:
            case ("release", "status"):
                endpoint = {"name": "flights-local", "status": "InService"}
                return {"release": self.release, "endpoint": endpoint}
            case ("packages", _):
                return {"version": "0", "package": FIRST}
            case ("release", "init"):
                self.release["champion"] = {"version": "0", "package": FIRST}
            case ("train", _):
                return {"version": self.trains, "package": SECOND}
            case ("release", "run"):
                if self.ends["step"] == "advance":
                    self.release |= {
                        "champion": {"version": "1.0", "package": SECOND},
                        "challenger": None,
                        "history": [FIRST],
                    }
                return {"steps": [self.ends]}
        return {}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    folder = tmp_path / "workloads" / "flights"
    folder.mkdir(parents=True)
    stop = {"version": "1.0", "train_until": "2013-04-01", "evaluated_until": "2013-04-15"}
    (folder / "workload.yaml").write_text(json.dumps({"approval": "automatic", "tour": [stop]}))
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path / "local"))
    made = Machine()
    monkeypatch.setattr(tour, "_ask", made)
    sender = tmp_path / "sender.py"
    sender.write_text(
        "import json, pathlib, signal, sys, time\n"
        "def end(*_): sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "draft = pathlib.Path(sys.argv[-1] + '.draft')\n"
        "draft.write_text(json.dumps({'sent': 7, 'failed': 0}))\n"
        "draft.rename(sys.argv[-1])\n"
        "time.sleep(60)\n"
    )
    monkeypatch.setattr(tour, "_command", lambda *arguments: [tour.sys.executable, str(sender), *arguments])
    return made


def wait_for_the_sender(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The evidence comes when the sender has sent."""
    summary = paths.local() / "logs" / "replay-flights.json"
    original = machine.__call__

    def ask(*arguments: str) -> dict[str, Any]:
        if arguments[:2] == ("release", "run"):
            while not summary.exists():
                time.sleep(0.01)
        return original(*arguments)

    monkeypatch.setattr(tour, "_ask", ask)


def test_a_fresh_machine_is_taken_from_the_incumbent_to_the_first_version(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for_the_sender(machine, monkeypatch)
    facts = tour.walk("flights")
    steps = [step for step in machine.said if step != "release status"]
    assert steps == [
        "packages flights",
        *("release approve", "release init", "data arrive", "train flights", "release run"),
    ]
    assert facts["live"].startswith("version 1.0")
    assert facts["traffic"] == "7 requests sent while releasing, 0 failed"


def test_what_is_done_is_not_done_again(machine: Machine) -> None:
    machine.release |= {"champion": {"version": "1.0", "package": SECOND}, "history": [FIRST]}
    facts = tour.walk("flights")
    assert set(machine.said) == {"release status"}
    assert "traffic" not in facts


def test_a_killed_one_goes_on_with_the_challenger_it_had(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.release |= {
        "champion": {"version": "0", "package": FIRST},
        "challenger": {"version": "1.0", "package": SECOND, "stage": "shadow"},
    }
    wait_for_the_sender(machine, monkeypatch)
    tour.walk("flights")
    assert [step for step in machine.said if step != "release status"] == ["release run"]


def test_a_version_that_was_not_expected_stops_it(machine: Machine) -> None:
    machine.trains = "2.0"
    with pytest.raises(SluiceError, match=r"expects version 1\.0 here, and training made 2\.0"):
        tour.walk("flights")
    assert "release run" not in machine.said


def test_a_version_that_did_not_go_live_stops_it_with_the_reason(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.ends = {"step": "reject", "why": "errors shows it to be worse than tolerated"}
    wait_for_the_sender(machine, monkeypatch)
    with pytest.raises(
        SluiceError, match=r"1\.0 of flights did not go live; the last step was reject: errors"
    ):
        tour.walk("flights")
