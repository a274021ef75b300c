"""What a command says: text for people on a terminal, one JSON value for machines under `--json`.

Standard output carries the answer only; progress, remarks and errors go to standard error.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

_json = False


def use_json(on: bool) -> None:
    """Called once by the command's frame, when `--json` is given."""
    global _json
    _json = on


def is_json() -> bool:
    """Whether the answer must be JSON."""
    return _json


def emit(value: Any, text: str | Callable[[], Any] | None = None) -> None:
    """Print the answer.

    Args:
        value: what `--json` prints; anything that JSON can hold, other things as their `str`.
        text: what people read: a string, or a function that gives one or a rich renderable; by default nothing.
    """
    if _json:
        sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
        return
    shown = text() if callable(text) else text
    if isinstance(shown, str):
        sys.stdout.write(shown.rstrip("\n") + "\n")
    elif shown is not None:
        from rich.console import Console

        # Away from a terminal rich takes 80 columns and breaks paths in two.
        Console(width=None if sys.stdout.isatty() else 160).print(shown)


def note(text: str) -> None:
    """A remark on the way, on standard error."""
    sys.stderr.write(text.rstrip("\n") + "\n")
    sys.stderr.flush()


def fail(problem: str, way_out: str | None = None) -> None:
    """An error as the user sees it: on standard error, or as `{"error": …}` under `--json`."""
    if _json:
        body = {"error": problem} if way_out is None else {"error": problem, "way_out": way_out}
        sys.stdout.write(json.dumps(body) + "\n")
        return
    note(f"error: {problem}" if way_out is None else f"error: {problem.rstrip('.')}.\n       {way_out}")
