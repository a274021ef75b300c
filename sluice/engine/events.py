"""What a run of Pulumi says of itself, read from its event log: progress, counts, errors.

The log is `pulumi … --event-log FILE`, JSON lines of apitype.EngineEvent (sdk/v3/go/common/apitype/events.go).
"""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_TAG = re.compile(r"<\{%.*?%\}>")
_BORING = ("using pulumi-resource-aws from $PATH", "resource plugin aws is expected to have version")
"""The emulator's own provider is found on PATH; Pulumi warns of that, and it is meant so."""
_PAST = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "replace": "replaced",
    "create-replacement": "replaced",
    "import": "imported",
    "same": "unchanged",
}
_PRESENT = {
    "create": "creating",
    "update": "updating",
    "delete": "deleting",
    "create-replacement": "replacing",
    "delete-replaced": "deleting the replaced",
    "read": "reading",
    "refresh": "refreshing",
}


def plain(text: str) -> str:
    """Pulumi's text without its colour tags."""
    return _TAG.sub("", text).strip()


def short(urn: str) -> str:
    """`Bucket data` of `urn:pulumi:local::sluice-platform::…$aws:s3/bucket:Bucket::data`."""
    *_, kind, name = urn.split("::") if urn.count("::") >= 3 else ("", "", urn)
    return f"{kind.rpartition(':')[2]} {name}".strip()


@dataclass
class Tally:
    """A run so far."""

    done: Counter[str] = field(default_factory=Counter)
    """Resources by operation that has ended well."""
    under_way: dict[str, str] = field(default_factory=dict)
    """URN to operation."""
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    status: str = ""
    """The last thing that a resource under way said of itself."""
    changes: dict[str, int] | None = None
    """The engine's own counts at the end of the run."""

    def feed(self, line: str) -> None:
        """Take in one line of the log. A line that is cut or of no known kind says nothing."""
        try:
            event = json.loads(line)
        except ValueError:
            return
        if not isinstance(event, dict):
            return
        if "resourcePreEvent" in event:
            metadata = event["resourcePreEvent"]["metadata"]
            # The stack itself is under way from the first moment to the last.
            if metadata["op"] in _PRESENT and metadata.get("type") != "pulumi:pulumi:Stack":
                self.under_way[metadata["urn"]] = metadata["op"]
        elif "resOutputsEvent" in event:
            metadata = event["resOutputsEvent"]["metadata"]
            self.under_way.pop(metadata["urn"], None)
            self.done[metadata["op"]] += 1
        elif "resOpFailedEvent" in event:
            self.under_way.pop(event["resOpFailedEvent"]["metadata"]["urn"], None)
        elif "diagnosticEvent" in event:
            self._diagnostic(event["diagnosticEvent"])
        elif "policyEvent" in event:
            self._policy(event["policyEvent"])
        elif "summaryEvent" in event:
            self.changes = event["summaryEvent"].get("resourceChanges") or {}

    def _diagnostic(self, event: dict[str, Any]) -> None:
        text = plain(event.get("message", ""))
        severity = event.get("severity", "")
        if not text or severity == "debug":
            return
        if event.get("ephemeral"):
            self.status = text.splitlines()[-1]
        elif severity == "error":
            about = event.get("urn", "")
            named = f"{short(about)}: {text}" if about and "pulumi:pulumi:Stack" not in about else text
            if named not in self.errors:
                self.errors.append(named)
        elif (
            severity == "warning" and not any(part in text for part in _BORING) and text not in self.warnings
        ):
            self.warnings.append(text)

    def _policy(self, event: dict[str, Any]) -> None:
        text = f"policy {event.get('policyName')}: {plain(event.get('message', ''))}"
        about = event.get("resourceUrn", "")
        named = f"{short(about)}: {text}" if about else text
        (self.errors if event.get("enforcementLevel") == "mandatory" else self.warnings).append(named)

    def progress(self) -> str:
        """One line for now."""
        parts = [counted(dict(self.done))] if self.done else []
        if self.under_way:
            urn, operation = list(self.under_way.items())[-1]
            more = f" and {len(self.under_way) - 1} more" if len(self.under_way) > 1 else ""
            said = f" ({self.status})" if self.status else ""
            parts.append(f"{_PRESENT[operation]} {short(urn)}{more}{said}")
        return "; ".join(parts)

    def result(self) -> dict[str, int]:
        """Resources by operation: the engine's counts, or ours if it did not live to tell."""
        return dict(self.done) if self.changes is None else self.changes


def counted(changes: dict[str, int]) -> str:
    """`34 created, 2 updated, 5 unchanged`."""
    words: Counter[str] = Counter()
    for operation, count in changes.items():
        if operation in _PAST and not (operation == "create-replacement" and "replace" in changes):
            words[_PAST[operation]] += count
    return ", ".join(f"{words[word]} {word}" for word in dict.fromkeys(_PAST.values()) if words[word])


def changed(changes: dict[str, int]) -> bool:
    """Whether a run changed anything."""
    return any(count for operation, count in changes.items() if operation not in ("same", "read", "refresh"))


def error_lines(errors: list[str], limit: int = 30) -> list[str]:
    """The lines that say what went wrong: the last ones of each error, the engine's `update failed` left out
    where there is a better reason."""
    telling = [error for error in errors if error not in ("update failed", "preview failed")] or errors
    lines: list[str] = []
    for error in telling:
        own = [line for line in error.splitlines() if line.strip()]
        lines += own if len(own) <= limit // 2 else ["…", *own[-limit // 2 :]]
    return lines[-limit:]
