"""The emulator as a process: start it, find it, end it. It is never imported, only run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sluice import paths, progress
from sluice.engine import environment, processes, runs
from sluice.errors import SluiceError
from sluice.locks import exclusive

NAME = "emulator"
START_SECONDS = 90.0
STOP_SECONDS = 45.0
"""The emulator drains its instances and lets jobs end before it leaves."""
DIES_WITH_IT = ("state", "releases", "tour")
"""Folders of `.local` that describe what the emulator holds; it keeps its state in memory."""


@dataclass(frozen=True)
class Status:
    """A running emulator."""

    endpoint_url: str
    pid: int
    boot_id: str


def data_folder() -> Path:
    """What the emulator keeps on disk."""
    return paths.local() / "emulator"


def log_file() -> Path:
    """What the emulator's first process prints; its areas log in `emulator/logs`."""
    return paths.local() / "logs" / "emulator.log"


def status() -> Status | None:
    """The emulator that answers, or None."""
    try:
        ready = json.loads((data_folder() / "emulator.json").read_text(encoding="utf-8"))
        found = Status(ready["endpoint_url"], int(ready["pid"]), ready["boot_id"])
    except (OSError, ValueError, KeyError):
        return None
    # Its data plane answers for a moment after its first process was killed.
    if processes.identity(found.pid) is None:
        return None
    return found if _boot_id(found.endpoint_url) == found.boot_id else None


def start() -> Status:
    """The emulator, started if none answers, with everything on disk that belonged to an earlier one cleared away.

    Raises:
        SluiceError: if its port is taken, or if it does not come up.
    """
    with exclusive(runs.record_file(NAME).with_suffix(".lock")):
        running = status()
        if running is None:
            _end_what_is_left()
            running = _start()
        _install_provider()
        _forget_an_earlier_one(running.boot_id)
    return running


def stop() -> int:
    """End the emulator, its serving processes and its jobs. Gives how many processes there were."""
    with exclusive(runs.record_file(NAME).with_suffix(".lock")):
        return _end_what_is_left()


def starts_over(recorded: str | None, current: str, has_state: bool) -> bool:
    """Whether what `.local` says of the platform is about an emulator that is gone.

    Args:
        recorded: the boot id of the emulator that the state was made against, if it was noted.
        current: of the one that runs.
        has_state: whether there is anything that could be stale.
    """
    return has_state and recorded != current


def _start() -> Status:
    endpoint_url = environment.endpoint()
    port = urlsplit(endpoint_url).port
    command = (sys.executable, "-m", "emulator", "--port", str(port), "--data-dir", str(data_folder()))
    variables = environment.complete(environment.LOCAL)
    # Its own clients are told where to go; none may come to itself through the variable by accident.
    variables.pop("AWS_ENDPOINT_URL", None)
    mark = runs.new_mark(NAME)
    log_file().parent.mkdir(parents=True, exist_ok=True)
    runs.write(NAME, runs.Run(mark=mark, command=command, log=str(log_file())))
    with progress.step("starting the emulator") as step, log_file().open("ab") as log:
        began = log.tell()
        process = subprocess.Popen(
            command,
            cwd=paths.ROOT,
            env={**variables, processes.MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        who = processes.identity(process.pid)
        started = who.started if who else ""
        runs.write(
            NAME,
            runs.Run(mark=mark, command=command, log=str(log_file()), leader=process.pid, started=started),
        )
        deadline = time.monotonic() + START_SECONDS
        while True:
            if process.poll() is not None:
                raise _not_started(f"ended with code {process.returncode}", began)
            running = status()
            if running is not None:
                step.done(f"{running.endpoint_url}, process {running.pid}")
                return running
            if time.monotonic() > deadline:
                _end_what_is_left()
                raise _not_started(f"did not answer within {START_SECONDS:.0f} s", began)
            time.sleep(0.1)


def _not_started(what: str, began: int) -> SluiceError:
    with log_file().open("rb") as log:
        log.seek(began)
        lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()][-6:]
    said = "".join(f"\n  {line}" for line in lines)
    return SluiceError(f"the emulator {what}:{said}", f"Its logs: {log_file()} and {data_folder() / 'logs'}.")


def _end_what_is_left() -> int:
    """End whatever lives of the emulator: by its record, by the process id it wrote, by the folders its
    processes work in."""
    count = 0
    run = runs.read(NAME)
    pids = set(runs.alive(run)) if run is not None else set()
    leaders = {run.leader} & pids if run is not None else set()
    ready = status()
    if ready is not None:
        leaders.add(ready.pid)
    pids |= {pid for pid in leaders if pid is not None} | set(_working_in(data_folder()))
    count = len(pids)
    processes.end([pid for pid in leaders if pid is not None], patience=STOP_SECONDS, first=signal.SIGTERM)
    processes.end(pids, patience=5)
    runs.forget(NAME)
    (data_folder() / "emulator.json").unlink(missing_ok=True)
    return count


def _working_in(folder: Path) -> list[int]:
    """Serving processes and jobs whose `/opt/ml` lies in the emulator's folder."""
    found = []
    for pid in processes.all_pids():
        variables = processes.environment_of(pid) or {}
        root = variables.get("SLUICE_OPT_ML")
        if root and Path(root).is_relative_to(folder.resolve()) and pid != os.getpid():
            found.append(pid)
    return found


def _install_provider() -> None:
    """Have the emulator put its provider on the PATH of the environment `local`, and of no other: everywhere else
    `pulumi-resource-aws` is AWS's."""
    folder = environment.bin_folder()
    script = "import sys, pathlib; from emulator.provider.install import install; install(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", script, str(folder)]
    result = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        said = result.stderr.strip().splitlines()[-1:]
        raise SluiceError(f"the emulator's provider could not be put into {folder}: {' '.join(said)}")


def _forget_an_earlier_one(boot_id: str) -> None:
    file = environment.state_folder() / "boot_id"
    recorded = file.read_text(encoding="utf-8").strip() if file.exists() else None
    stale = [paths.local() / name for name in DIES_WITH_IT if (paths.local() / name).exists()]
    if starts_over(recorded, boot_id, bool(stale)):
        from sluice.engine import stacks
        from sluice.output import note

        stacks.end_all()
        for folder in stale:
            shutil.rmtree(folder)
        note(
            "the emulator is a new one and the old one's state died with it: starting over with empty stacks"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(boot_id, encoding="utf-8")


def _boot_id(endpoint_url: str) -> str | None:
    try:
        with urllib.request.urlopen(f"{endpoint_url}/_sluice/health", timeout=5) as answer:
            found: str = json.load(answer)["boot_id"]
            return found
    except (OSError, ValueError, KeyError, urllib.error.URLError):
        return None
