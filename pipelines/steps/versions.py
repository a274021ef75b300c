"""Versions of models: `major.minor`. Major when the method changes, minor when only its state does."""

import ast
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from sluice.config import Frozen
from workloads.contract import version_key

Change = Literal["method", "data", "hyperparameters"]
CODE = ("features.py", "model.py")


class Registered(Frozen):
    """What the registry says of one package of the group."""

    package: str
    version: str
    code_hash: str = ""
    data_hash: str = ""
    execution: str = ""


def next_version(
    registered: Sequence[Registered], method: int, code_hash: str, data_hash: str
) -> tuple[str, Change]:
    """The version after the latest one, and what changed.

    Args:
        method: the workload's declared major version; the real one is never below it.
        code_hash: of the code that makes the method (`code_hash`).
        data_hash: of the training rows.
    """
    models = [package for package in registered if package.version != "0"]
    if not models:
        return f"{method}.0", "method"
    latest = max(models, key=lambda package: version_key(package.version))
    major, minor = version_key(latest.version)
    if method > major:
        return f"{method}.0", "method"
    if code_hash != latest.code_hash:
        return f"{major + 1}.0", "method"
    return f"{major}.{minor + 1}", "data" if data_hash != latest.data_hash else "hyperparameters"


def code_hash(folder: Path) -> str:
    """SHA-256 of what `features.py` and `model.py` of a workload do: of their syntax trees without docstrings, so
    that a comment or a new line makes no new method."""
    digest = hashlib.sha256()
    for name in CODE:
        tree = ast.parse((folder / name).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and (
                ast.get_docstring(node, clean=False) is not None
            ):
                node.body = node.body[1:]
        digest.update(f"{name}\n{ast.dump(tree)}\n".encode())
    return digest.hexdigest()
