"""The walk of `sluice up` on one machine: each version that a workload's `tour` names is trained and released.

It knows no workload and decides nothing: it types the commands that a person would type, and skips what is done. So it
goes on where a killed one stopped.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import yaml

from sluice import paths, progress
from sluice.errors import SluiceError

RATE = 40
"""Requests a second while a release is on its way: a shadow then has what its judge needs within a minute."""
PATIENCE_SECONDS = 300
"""How long a shadow may be undecided; at `RATE` a minute is enough."""


def walk(workload: str) -> Mapping[str, str]:
    """Take the workload through its tour; what there is to say at its end.

    Raises:
        SluiceError: if a version is refused on its way, with the reason.
    """
    file = paths.ROOT / "workloads" / workload / "workload.yaml"
    declared = yaml.safe_load(file.read_text(encoding="utf-8"))
    _first_champion(workload)
    sent = {"requests": 0, "failed": 0}
    for stop in declared["tour"]:
        if _number(str(stop["version"])) > _number(_live(workload)):
            for key, value in _release(workload, stop).items():
                sent[key] += value
    release = _ask("release", "status", workload)
    facts = {
        "live": f"version {_live(workload)} on {release['endpoint']['name']}, {release['endpoint']['status']}",
        "way back": ", ".join(arn.rpartition("/")[2] for arn in release["release"]["history"]) or "none",
    }
    if sent["requests"]:
        facts["traffic"] = f"{sent['requests']} requests sent while releasing, {sent['failed']} failed"
    return facts


def _first_champion(workload: str) -> None:
    """What decides today answers before any model does."""
    if _ask("release", "status", workload)["release"]["champion"] is not None:
        return
    with progress.step(f"{workload}: the incumbent becomes version 0"):
        incumbent = _ask("packages", workload, "--register-incumbent")
        _ask("release", "approve", workload, str(incumbent["version"]), "--why", "it decides today")
    _ask("release", "init", workload)


def _release(workload: str, stop: Mapping[str, Any]) -> dict[str, int]:
    """Train one version and let it go its way under real traffic; how many requests were sent and failed."""
    version, until = str(stop["version"]), str(stop["evaluated_until"])
    if _ask("release", "status", workload)["release"]["challenger"] is None:
        _ask("data", "arrive", workload, "--until", until)
        trained = _ask(
            "train", workload, "--train-until", str(stop["train_until"]), "--evaluate-until", until
        )
        if trained["version"] != version:
            raise SluiceError(
                f"the tour of {workload} expects version {version} here, and training made {trained['version']}",
                "Correct `tour` in its workload.yaml, or train by hand: sluice up --no-tour.",
            )
    with _traffic(workload, until) as sent:
        done = _ask("release", "run", workload, "--until-idle", "--patience", str(PATIENCE_SECONDS))
    if _number(_live(workload)) < _number(version):
        last = done["steps"][-1]
        raise SluiceError(
            f"{version} of {workload} did not go live; the last step was {last['step']}: {last['why']}",
            f"`sluice release status {workload}` and `sluice release report {workload}` say more.",
        )
    return sent


@contextmanager
def _traffic(workload: str, start: str) -> Iterator[dict[str, int]]:
    """Real requests in the background; their count when the block is over."""
    sent = {"requests": 0, "failed": 0}
    logs = paths.local() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log, summary = logs / f"replay-{workload}.log", logs / f"replay-{workload}.json"
    summary.unlink(missing_ok=True)
    traffic = ("--from", start, "--rate", str(RATE), "--seconds", "1800", "--summary", str(summary))
    with log.open("ab") as errors:
        process = subprocess.Popen(
            _command("replay", workload, *traffic),
            cwd=paths.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        try:
            yield sent
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
    if not summary.exists():
        raise SluiceError(f"the traffic to {workload} never began", f"Its log says why: {log}.")
    counted = json.loads(summary.read_text(encoding="utf-8"))
    sent.update(requests=int(counted["sent"]), failed=int(counted["failed"]))


def _live(workload: str) -> str:
    champion = _ask("release", "status", workload)["release"]["champion"]
    return str(champion["version"]) if champion else "0"


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sluice.cli", "--json", *arguments]


def _ask(*arguments: str) -> dict[str, Any]:
    """The answer of a command of `sluice`; its progress goes where ours goes.

    Raises:
        SluiceError: with the command's own error.
    """
    done = subprocess.run(
        _command(*arguments),
        cwd=paths.ROOT,
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        answer = {}
    if done.returncode or "error" in answer:
        raise SluiceError(
            str(answer.get("error", f"`sluice {' '.join(arguments)}` ended with code {done.returncode}")),
            answer.get("way_out"),
        )
    return answer
