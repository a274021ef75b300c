"""Faults of a running emulator, over HTTP."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import pytest

from tests.emulator.conftest import Emulator


class Running:
    """Injects, looks and ends."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    def inject(self, kind: str, **what: Any) -> dict[str, Any]:
        return self._ask("POST", "", {"kind": kind, **what})

    def refused(self, kind: str, **what: Any) -> str:
        """Why it is refused."""
        with pytest.raises(urllib.error.HTTPError) as error:
            self.inject(kind, **what)
        assert error.value.code == 400
        return str(json.load(error.value)["error"])

    def end(self, fault: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("DELETE", f"/{fault['fault']}")

    def seen(self, fault: Mapping[str, Any]) -> int:
        """How many calls a fault has looked at."""
        listed = self._ask("GET", "")["faults"]
        return next(int(each["seen"]) for each in listed if each["fault"] == fault["fault"])

    def end_all(self) -> None:
        self._ask("DELETE", "")

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.emulator.endpoint_url}/_sluice/faults{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
        )
        with urllib.request.urlopen(request) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
