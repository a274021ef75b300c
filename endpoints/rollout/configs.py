"""Endpoint configs: found by their content's name or made, and collected when nothing can need them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from endpoints.rollout import timing
from endpoints.rollout.cloud import Cloud
from endpoints.rollout.marks import SERVED
from endpoints.rollout.pace import Pace
from endpoints.rollout.payloads import create_endpoint_config, differences
from endpoints.rollout.spec import Spec, config_name, is_config_of
from sluice.errors import SluiceError

KEEP = 3
"""Configs kept beside those in use: the ways back."""


def production(config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The production variant of a described config; empty where the config is gone."""
    return {} if config is None else next(iter(config.get("ProductionVariants") or ()), {})


def ensure(cloud: Cloud, pace: Pace, spec: Spec, instances: int, in_use: Collection[str | None]) -> None:
    """Make the config that `spec` names exist, with at least `instances` initial instances.

    A config found with fewer, from a time of less load, is made anew unless it is in use: counts cannot be changed
    in place and are no part of the name.

    Raises:
        SluiceError: if a config of that name has another content, which only somebody's hand can have made.
    """
    name, request = config_name(spec), create_endpoint_config(spec, instances)
    while (found := cloud.config(name)) is None:
        # A lost answer needs nothing more than to look again.
        if cloud.create_config(request) != "accepted":
            pace.wait(f"creating the endpoint config {name}")
    differing = differences(request, found)
    if differing:
        raise SluiceError(
            f"the endpoint config {name} exists with another content: {'; '.join(differing)}",
            "Its name is the hash of its content, so it was not made here: delete it if nothing uses it.",
        )
    variants = [*found["ProductionVariants"], *(found.get("ShadowProductionVariants") or ())]
    few = any(int(variant["InitialInstanceCount"]) < instances for variant in variants)
    if few and name not in in_use:
        cloud.delete_config(name)
        ensure(cloud, pace, spec, instances, (*in_use, name))


def unused(endpoint: str, newest_first: Sequence[str], in_use: Collection[str | None]) -> list[str]:
    """The configs of this endpoint that may go: all but those in use and the newest `KEEP` others."""
    others = [name for name in newest_first if is_config_of(endpoint, name) and name not in in_use]
    return others[KEEP:]


def collect(cloud: Cloud, endpoint: str, in_use: Collection[str | None]) -> list[str]:
    """Delete the unused configs; gives the names of those that are gone. What cannot be deleted stays: a deployment
    that succeeded does not fail for it."""
    gone = []
    try:
        for name in unused(endpoint, [name for name, _ in cloud.configs(f"{endpoint}-")], in_use):
            cloud.delete_config(name)
            gone.append(name)
    except (ClientError, BotoCoreError):
        return gone
    return gone


def known_models(cloud: Cloud, endpoint: str) -> frozenset[str]:
    """The production models that served on this endpoint, as far as their configs still exist."""
    names = [name for name, _ in cloud.configs(f"{endpoint}-") if is_config_of(endpoint, name)]
    found = [cloud.config(name) for name in names[: KEEP + 3]]
    return frozenset(
        production(config)["ModelName"]
        for config in found
        if config is not None and SERVED in cloud.tags(config["EndpointConfigArn"])
    )


def mark_served(cloud: Cloud, name: str, took: timing.Timing | None) -> None:
    """Write down that a config was live, and how long it took where that was seen. A canary that was turned back has
    a config too, and its model must not be taken for one that is known to work."""
    found = cloud.config(name)
    if found is not None:
        measured = {} if took is None else timing.mark(took)
        cloud.tag(found["EndpointConfigArn"], {SERVED: "true", **measured})


@dataclass(frozen=True)
class Kept:
    """A config of this endpoint that still exists."""

    name: str
    described: Mapping[str, Any]
    served: bool
    took: timing.Timing | None

    @property
    def model(self) -> str:
        """Of the production variant."""
        return str(production(self.described).get("ModelName", ""))


def kept(cloud: Cloud, endpoint: str) -> list[Kept]:
    """The configs of this endpoint, the newest first."""
    found = []
    for name, _ in cloud.configs(f"{endpoint}-"):
        described = cloud.config(name) if is_config_of(endpoint, name) else None
        if described is not None:
            tags = cloud.tags(described["EndpointConfigArn"])
            found.append(Kept(name, described, SERVED in tags, timing.timing_of(tags)))
    return found
