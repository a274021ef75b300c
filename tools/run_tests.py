"""The tests, in lanes beside each other: the end-to-end loop, which waits much, and all others.

`python tools/run_tests.py [fast] [emulator] [e2e]` runs some lanes or all. What a part says goes to a file
in .local/test and is shown when it ends. It needs nothing but the standard library.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / ".local/test"
QUIET_SECONDS = 60.0
ENDING_SECONDS = 150.0
"""What an interrupted part may take to end what it has started: platforms, with what they do under way."""


@dataclass(frozen=True)
class Part:
    """Some tests, and how pytest runs them."""

    name: str
    arguments: tuple[str, ...]
    nice: int = 0


Lanes = Mapping[str, Sequence[Part]]
"""The parts of a lane run after one another, the lanes beside each other."""
# Apart from each other: in their process these put the emulator's own methods in the place of moto's.
PATCHING = ("tests/emulator", "tests/endpoints/watch")
OTHERS = tuple(f"--ignore={folder}" for folder in ("tests/e2e", *PATCHING))
LANES: Lanes = {
    # The loop takes longest: wherever it can go on, these stand back.
    "fast": (Part("unit and integration", ("-n", "2", "--dist", "loadscope", *OTHERS, "tests"), nice=5),),
    "emulator": (Part("emulator", ("-n", "2", "--dist", "loadscope", *PATCHING), nice=5),),
    # A file is a platform of its own, which mostly waits: for a canary, for evidence, for a roll-back.
    "e2e": (Part("end-to-end loop", ("-x", "-n", "3", "--durations=25", "--dist", "loadfile", "tests/e2e")),),
}


class Run:
    """A part under way, in a session of its own: a signal from the terminal reaches it through us alone."""

    def __init__(self, part: Part, logs: Path) -> None:
        self.part = part
        self.log = logs / f"{part.name.replace(' ', '-')}.log"
        self.failing = False
        self._began = time.monotonic()
        command = [sys.executable, "-u", "-m", "pytest", "-q", *part.arguments]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["nice", "-n", str(part.nice), *command],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # Linux shares processors among sessions first, and niceness counts inside of one. This is the session's own.
        with contextlib.suppress(OSError):
            Path(f"/proc/{self.process.pid}/autogroup").write_text(str(part.nice))

    @property
    def seconds(self) -> int:
        """How long it has taken."""
        return int(time.monotonic() - self._began)

    @property
    def text(self) -> str:
        """All that it has said."""
        return self.log.read_text(encoding="utf-8", errors="replace").strip() or "(it said nothing)"

    @property
    def results(self) -> str:
        """A letter for each test that has ended, as pytest writes them: F or E if it failed."""
        lines = (line.partition(" ")[0] for line in self.text.splitlines())
        return "".join(line for line in lines if set(line) <= set(".sxXFE"))

    @property
    def progress(self) -> str:
        """How far it is."""
        return f"{len(self.results)} tests in {self.seconds} s"

    def signal(self, number: int) -> None:
        """To pytest and its workers. What a test has started outside of their session, the test ends."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def main(arguments: Sequence[str], lanes: Lanes = LANES, logs: Path = LOGS) -> int:
    """Run lanes; without arguments all. 0 if every part passed, 1 if one did not, 130 if interrupted."""
    if unknown := set(arguments) - set(lanes):
        say(f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(lanes)}.")
        return 2
    logs.mkdir(parents=True, exist_ok=True)
    # Else each of the many processes of a run would compile every library that it imports.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    tools = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([tools, os.environ.get("PATH", os.defpath)])
    interrupted = _on_signals()
    running: dict[str, Run] = {}
    try:
        ended = _run({name: list(lanes[name]) for name in arguments or lanes}, running, logs, interrupted)
    finally:
        if running:
            say("ending what runs; once more, and it is killed")
        _end(list(running.values()), interrupted)
    if interrupted():
        say("interrupted")
        return 130
    return int(any(run.process.returncode for run in ended))


def _run(
    waiting: Mapping[str, list[Part]], running: dict[str, Run], logs: Path, interrupted: Callable[[], int]
) -> list[Run]:
    """Run all that waits, and say how it goes; the parts that ended."""
    ended: list[tuple[Run, str]] = []
    spoke = time.monotonic()
    while not interrupted():
        for lane, parts in waiting.items():
            if parts and lane not in running:
                running[lane] = run = Run(parts.pop(0), logs)
                say(f"== {run.part.name}: running; its output goes to {run.log}")
        if not running:
            break
        time.sleep(0.5)
        for lane, run in list(running.items()):
            if run.process.poll() is not None:
                del running[lane]
                verdict = "passed in" if run.process.returncode == 0 else "FAILED after"
                ended.append((run, f"== {run.part.name}: {verdict} {run.seconds} s"))
                say(f"\n{run.text}\n{ended[-1][1]}\n")
                spoke = time.monotonic()
            elif not run.failing and {"F", "E"} & set(run.results):
                run.failing = True
                say(f"== {run.part.name}: a test FAILED; {run.log} says more when the part ends")
        if running and time.monotonic() - spoke > QUIET_SECONDS:
            spoke = time.monotonic()
            say("   " + ", ".join(f"{run.part.name}: {run.progress}" for run in running.values()))
    if len(ended) > 1 and not interrupted():
        for run, verdict in ended:
            say(f"{run.text.splitlines()[-1]}\n{verdict}")
    return [run for run, _ in ended]


def _on_signals() -> Callable[[], int]:
    """How often somebody has asked for this to end."""
    seen: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        seen.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, note)
    return lambda: len(seen)


def _end(runs: Sequence[Run], interrupted: Callable[[], int]) -> None:
    """Interrupt what runs, as Ctrl-C would, and wait for it; kill what does not end, or at once when asked again."""
    for run in runs:
        run.signal(signal.SIGINT)
    deadline = time.monotonic() + ENDING_SECONDS
    while any(run.process.poll() is None for run in runs):
        if interrupted() > 1 or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    for run in runs:
        run.signal(signal.SIGKILL)
        run.process.wait()


def say(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
