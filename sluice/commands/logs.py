"""`sluice logs`: what every process of this machine said."""

import os
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sluice import output, paths
from sluice.errors import SluiceError

_PRUNED = frozenset(
    {"venv", "envs", "state", "bin", "pulumi-home", "releases", "images", "model", "code", "input"}
)
_SUFFIXES = (".log", ".stdout", ".stderr")


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def logs(
        name: Annotated[
            str | None, typer.Argument(help="A log, or a part of its name that no other has.")
        ] = None,
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
        lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines.")] = 40,
    ) -> None:
        """List the logs of this machine, or show one: emulator, serving instances, jobs, runs of Pulumi."""
        found = available(paths.local())
        if name is None:
            listed = [_entry(key, file) for key, file in found.items()]
            output.emit(listed, lambda: _table(listed))
            return
        file = choose(found, name)
        if output.is_json():
            output.emit({"log": str(file), "lines": tail(file, lines)})
            return
        for line in tail(file, lines):
            output.emit(line, line)
        if follow:
            for text in _grow(file):
                output.emit(text, text)


def available(root: Path) -> Mapping[str, Path]:
    """The logs under a folder, newest first: name to file."""
    files: list[Path] = []
    for folder, inner, names in os.walk(root):
        inner[:] = [entry for entry in inner if entry not in _PRUNED]
        files += [Path(folder) / entry for entry in names if entry.endswith(_SUFFIXES)]
    written = [file for file in files if file.stat().st_size]
    written.sort(key=lambda file: file.stat().st_mtime, reverse=True)
    return {str(file.relative_to(root)).removeprefix("logs/").removesuffix(".log"): file for file in written}


def choose(found: Mapping[str, Path], name: str) -> Path:
    """The log of this name, or the only one with this in its name.

    Raises:
        SluiceError: if there is none, or more than one.
    """
    if name in found:
        return found[name]
    matching = [key for key in found if name in key]
    if len(matching) == 1:
        return found[matching[0]]
    if matching:
        shown = ", ".join(matching[:8])
        raise SluiceError(
            f"{len(matching)} logs have {name!r} in their name: {shown}", "Give more of the name."
        )
    raise SluiceError(f"there is no log {name!r}", "`sluice logs` lists them.")


def tail(file: Path, lines: int) -> list[str]:
    """The last lines of a file, without reading the whole of a large one."""
    with file.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        reach = min(size, max(lines, 1) * 400)
        stream.seek(size - reach)
        text = stream.read().decode(errors="replace")
    whole = text.splitlines()
    # Where only a part was read, its first line is cut, unless it is all there is.
    return (whole[1:] if reach < size and len(whole) > 1 else whole)[-lines:] if lines > 0 else []


def _entry(key: str, file: Path) -> dict[str, Any]:
    about = file.stat()
    return {
        "name": key,
        "file": str(file),
        "bytes": about.st_size,
        "written": datetime.fromtimestamp(about.st_mtime).astimezone().isoformat(timespec="seconds"),
    }


def _table(listed: list[dict[str, Any]]) -> Any:
    if not listed:
        return "no logs yet; `sluice up` makes some"
    from rich.table import Table

    table = Table("log", "written", "size", box=None, pad_edge=False)
    for entry in listed:
        table.add_row(entry["name"], entry["written"][11:19], f"{entry['bytes'] / 1000:.0f} kB")
    table.caption = "sluice logs NAME [--follow]"
    return table


def _grow(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", errors="replace") as stream:
        stream.seek(0, os.SEEK_END)
        while True:
            text = stream.read()
            if text:
                yield text
            else:
                time.sleep(0.2)
