"""What the control process tells the data plane."""

import http.client
import json
from typing import Any, Protocol
from urllib.parse import quote, urlsplit


class DataPlane(Protocol):
    """The data plane as the runner sees it. Calls block; OSError if it does not answer."""

    def route(self, table: dict[str, Any]) -> None:
        """Replace the routing table of one endpoint."""
        ...

    def remove(self, endpoint: str) -> None:
        """Answer no more for the endpoint."""
        ...

    def drain(self, instances: list[str], timeout: float) -> int:
        """Wait until instances that are out of the table have nothing under way; how many requests are left."""
        ...

    def flush(self, endpoint: str) -> None:
        """Publish the endpoint's open metric windows and captures."""
        ...


class HttpDataPlane:
    """The data plane process behind the public port."""

    def __init__(self, endpoint_url: str) -> None:
        address = urlsplit(endpoint_url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 80

    def route(self, table: dict[str, Any]) -> None:
        self._call("PUT", f"endpoints/{quote(table['name'])}", table)

    def remove(self, endpoint: str) -> None:
        self._call("DELETE", f"endpoints/{quote(endpoint)}", None)

    def drain(self, instances: list[str], timeout: float) -> int:
        answer = self._call("POST", "drain", {"instances": instances, "timeout": timeout}, timeout + 10)
        return int(answer["left"])

    def flush(self, endpoint: str) -> None:
        self._call("POST", "flush", {"endpoint": endpoint}, 30)

    def settings(self, values: dict[str, Any]) -> None:
        """Tell it the settings."""
        self._call("PUT", "settings", values)

    def faults(self, faults: list[dict[str, Any]]) -> None:
        """Tell it the faults that concern it."""
        self._call("PUT", "faults", faults)

    def fault_counts(self) -> dict[str, tuple[int, int]]:
        """By fault: how many invocations or captures it looked at, and how many it struck."""
        counts = self._call("GET", "status", None)["faults"]
        return {name: (int(seen), int(struck)) for name, (seen, struck) in counts.items()}

    def _call(self, method: str, path: str, body: Any, timeout: float = 10) -> Any:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        try:
            data = json.dumps(body).encode() if body is not None else None
            connection.request(
                method, f"/_sluice/dataplane/{path}", data, {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise OSError(
                    f"the data plane answered {answer.status} to {method} {path}: {content[:200]!r}"
                )
            return json.loads(content)
        except http.client.HTTPException as error:
            raise OSError(f"{method} {path}: {error}") from error
        finally:
            connection.close()
