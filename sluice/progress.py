"""Progress of anything that takes longer than a second, on standard error.

On a terminal a step is one line that moves; elsewhere (CI, a file) it is a line at its start, one now and then, and
one at its end, so that a log stays readable.
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

QUIET_SECONDS = 15.0
"""How long a step without a terminal stays silent."""


def elapsed(seconds: float) -> str:
    """`8 s`, `2 min 05 s`."""
    whole = int(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


class Step:
    """One step under way. Threads may call it."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.detail = ""
        self._began = time.monotonic()
        self._said = self._began
        self._status: Any = None
        self._end = ""

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._began

    def update(self, detail: str) -> None:
        """Show what the step is at."""
        self.detail = detail
        self._refresh()

    def done(self, result: str) -> None:
        """What the last line says of the step, instead of its last detail."""
        self._end = result

    def line(self, text: str) -> None:
        """A line of its own, that stays."""
        if self._status is not None:
            self._status.console.print(text, markup=False, highlight=False)
        else:
            _write(text)

    def text(self) -> str:
        """The step as one line."""
        detail = f": {self.detail}" if self.detail else ""
        return f"{self.title}{detail} ({elapsed(self.seconds)})"

    def _refresh(self) -> None:
        if self._status is not None:
            from rich.markup import escape

            self._status.update(escape(self.text()))
        elif time.monotonic() - self._said >= QUIET_SECONDS:
            self._said = time.monotonic()
            _write(f"  … {self.text()}")

    def _closing(self, failed: bool) -> str:
        detail = self._end or self.detail
        mark = "✗" if failed else "✓"
        return f"{mark} {self.title}{f': {detail}' if detail else ''} ({elapsed(self.seconds)})"


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Show a step while the block runs. Its last line has a tick, or a cross if the block raises."""
    current = Step(title)
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(1.0):
            current._refresh()

    status: Any = None
    if sys.stderr.isatty():
        from rich.console import Console

        status = Console(stderr=True).status(title)
        status.start()
        current._status = status
    else:
        _write(f"▸ {title}")
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    failed = True
    try:
        yield current
        failed = False
    finally:
        stop.set()
        thread.join()
        if status is not None:
            status.stop()
        _write(current._closing(failed))


def _write(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
