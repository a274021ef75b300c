"""Replacing a method of moto's, as often as an emulator is made in one process."""

from collections.abc import Callable
from typing import Any

_originals: dict[tuple[type, str], Any] = {}


def original(owner: type, name: str) -> Any:
    """moto's own method, whatever has been put in its place."""
    return _originals.setdefault((owner, name), getattr(owner, name, None))


def replace(owner: type, name: str, replacement: Callable[..., Any]) -> None:
    """Put `replacement` in the place of a method; what `original` gives stays the same."""
    original(owner, name)
    setattr(owner, name, replacement)
