"""What the judge was made of."""

import hashlib
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PARTS = (FOLDER, FOLDER / "report", FOLDER.parent / "release" / "judge")
OUTSIDE = frozenset({"image.py", "commands.py"})
"""Files of this folder that are no part of the judge: they are imported by people's commands."""


@cache
def digest() -> str:
    """The SHA-256 of the source files of the judge and the watch, with their names: the same in the image and in the
    checkout that it was made from."""
    root, found = FOLDER.parent.parent, hashlib.sha256()
    files = sorted(file for part in PARTS for file in part.iterdir() if file.suffix in (".py", ".j2"))
    for file in files:
        if file.name in OUTSIDE:
            continue
        body = file.read_bytes()
        found.update(f"{file.relative_to(root).as_posix()} {len(body)}\n".encode())
        found.update(body)
    return found.hexdigest()
