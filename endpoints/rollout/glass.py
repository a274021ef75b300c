"""Break glass: that somebody put a config live past Pulumi and git, as the endpoint's own tags tell it.

Until the release file agrees with what is live, `pulumi up` refuses: it would undo what a person did in an emergency.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sluice.clock import iso, parse_iso

WHAT = "sluice:break-glass"
"""`<config> <moment>`."""
WHO = "sluice:break-glass-by"
WHY = "sluice:break-glass-why"
KEYS = (WHAT, WHO, WHY)

_LONGEST = 256
_ALLOWED = frozenset(" _.:/=+-@")
"""Beside letters and digits, in the value of a tag (API reference, Tag)."""


@dataclass(frozen=True)
class Glass:
    """Who put which config live, when and why."""

    config: str
    at: datetime
    who: str
    why: str

    @property
    def says(self) -> str:
        """For people."""
        return f"{self.who} broke the glass at {iso(self.at)} and put {self.config} live: {self.why}"


def marks_of(glass: Glass) -> dict[str, str]:
    """The tags of the endpoint."""
    return {
        WHAT: f"{glass.config} {iso(glass.at)}",
        WHO: tag_text(glass.who),
        WHY: tag_text(glass.why),
    }


def glass_of(tags: Mapping[str, str]) -> Glass | None:
    """What the tags of an endpoint tell, or None if the glass is whole."""
    config, _, moment = tags.get(WHAT, "").partition(" ")
    try:
        return Glass(
            config, parse_iso(moment), tags.get(WHO, "somebody"), tags.get(WHY, "no reason is known")
        )
    except ValueError:
        return None


def tag_text(text: str) -> str:
    """A text as the value of a tag may be: what is not allowed becomes a hyphen."""
    allowed = "".join(
        " " if letter.isspace() else letter if letter.isalnum() or letter in _ALLOWED else "-"
        for letter in text
    )
    return " ".join(allowed.split())[:_LONGEST] or "-"
