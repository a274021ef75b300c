"""What a deployment writes down in the tags of its endpoint: facts that must survive a run that is killed."""

from collections.abc import Mapping
from datetime import datetime

from endpoints.rollout import glass
from endpoints.rollout.decide import Attempt
from endpoints.rollout.scaling import PREFIX
from endpoints.rollout.spec import Spec, config_name

REFUSED = "sluice:refused"
"""`<config> <release>`: SageMaker turned this rollout back; it is not tried again until the release changes."""
ATTEMPT = "sluice:attempt"
"""`<config> <release> <LastModifiedTime before>`: written before UpdateEndpoint, removed when its end was seen."""
SERVED = "sluice:served"
"""On an endpoint config: it was live once."""


def is_mark(key: str) -> bool:
    """Whether a tag of an endpoint is one of these facts, and so no drift from what the program declares."""
    return key in (REFUSED, ATTEMPT, *glass.KEYS) or key.startswith(PREFIX)


def pair(spec: Spec) -> str:
    """What is refused: this config for this release."""
    return f"{config_name(spec)} {spec.release}"


def attempt_mark(spec: Spec, modified: datetime | None) -> str:
    """The value of `ATTEMPT`."""
    return f"{pair(spec)} {'-' if modified is None else modified.isoformat()}"


def attempt_of(spec: Spec, tags: Mapping[str, str]) -> Attempt | None:
    """The unfinished rollout of this very pair that the tags tell of."""
    value = tags.get(ATTEMPT, "")
    known, _, moment = value.rpartition(" ")
    if known != pair(spec):
        return None
    try:
        return Attempt(None if moment == "-" else datetime.fromisoformat(moment))
    except ValueError:
        return None
