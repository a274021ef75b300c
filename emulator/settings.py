"""What a user or a test may set while the emulator runs: `GET` and `PUT /_sluice/settings`."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from sluice.errors import SluiceError

DEFAULTS: Mapping[str, Any] = {
    # How long a new instance takes to get its machine, in seconds; minutes on AWS.
    "provisioning_delay_seconds": 2.0,
    # Whether the shadow's capture repeats the caller's inference id, which AWS does not document.
    "shadow_inference_id": False,
    # Faults to inject, by name; what a name means is said where it is consulted.
    "faults": {},
}


class Settings:
    """A small table of named values, safe between threads; a name that nobody declared is refused."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, Any] = {**DEFAULTS, **(values or {})}
        self._listeners: list[Callable[[Mapping[str, Any]], None]] = []

    def declare(self, name: str, default: Any) -> None:
        """Let `name` be set; its type is the default's."""
        with self._lock:
            self._values.setdefault(name, default)

    def __getitem__(self, name: str) -> Any:
        with self._lock:
            return self._values[name]

    def all(self) -> dict[str, Any]:
        """A copy of every value."""
        with self._lock:
            return dict(self._values)

    def update(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Set some values and tell the listeners.

        Raises:
            SluiceError: if a name is unknown, or a value has another type than its default.
        """
        with self._lock:
            for name, value in values.items():
                if name not in self._values:
                    raise SluiceError(
                        f"the emulator has no setting {name!r}", f"It has: {', '.join(sorted(self._values))}."
                    )
                if not _same_kind(self._values[name], value):
                    raise SluiceError(
                        f"the setting {name} takes {type(self._values[name]).__name__}, not {value!r}"
                    )
            self._values.update(values)
            now, listeners = dict(self._values), list(self._listeners)
        for listener in listeners:
            listener(now)
        return now

    def on_change(self, listener: Callable[[Mapping[str, Any]], None]) -> None:
        """Call `listener` with all values after each change."""
        with self._lock:
            self._listeners.append(listener)


def _same_kind(old: Any, new: Any) -> bool:
    if isinstance(old, bool) or isinstance(new, bool):
        return isinstance(old, bool) and isinstance(new, bool)
    if isinstance(old, int | float):
        return isinstance(new, int | float)
    return old is None or new is None or isinstance(new, type(old))
