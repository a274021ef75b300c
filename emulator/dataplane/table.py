"""The routing table: what the control process tells the data plane, and which instance a request goes to. Pure."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar

from sluice.config import Frozen

PRODUCTION = "production"
SHADOW = "shadow"


class Capture(Frozen):
    """What SageMaker's DataCaptureConfig says."""

    destination: str
    """`s3://bucket/prefix`."""
    percent: float
    input: bool
    output: bool
    csv_types: tuple[str, ...] = ()
    json_types: tuple[str, ...] = ()
    kms_key: str | None = None


class Instance(Frozen):
    """One serving process with traffic enabled."""

    id: str
    port: int
    zone: str


class Fleet(Frozen):
    """The instances of one variant under one endpoint config. In a deployment a variant has two."""

    variant: str
    config: str
    kind: Literal["production", "shadow"]
    weight: float
    package: str | None = None
    """ARN of the model package that its model is made from."""
    instances: tuple[Instance, ...]
    capture: Capture | None = None
    publish_seconds: int = 60
    """How often invocation metrics are published."""


class Endpoint(Frozen):
    """One endpoint that answers."""

    name: str
    fleets: tuple[Fleet, ...]

    def of(self, kind: str) -> tuple[Fleet, ...]:
        """The fleets of a kind that have an instance."""
        return tuple(fleet for fleet in self.fleets if fleet.kind == kind and fleet.instances)


class UnknownVariantError(Exception):
    """The caller's TargetVariant is no production variant of the endpoint."""


def choose_fleet(
    endpoint: Endpoint, target: str | None, uniform: Callable[[], float] = random.random
) -> Fleet | None:
    """The production fleet for one request, or None if no instance is there.

    The variant is drawn by its weight (or is the caller's `target`); between the two fleets of a variant in a
    deployment each instance with traffic counts the same.

    Raises:
        UnknownVariantError: if `target` names none.
    """
    fleets = endpoint.of(PRODUCTION)
    if target is not None:
        if all(fleet.variant != target or fleet.kind != PRODUCTION for fleet in endpoint.fleets):
            raise UnknownVariantError(target)
        chosen = [fleet for fleet in fleets if fleet.variant == target]
    else:
        weights: dict[str, float] = {}
        for fleet in fleets:
            weights[fleet.variant] = max(weights.get(fleet.variant, 0.0), fleet.weight)
        if not weights:
            return None
        variant = _draw(list(weights), list(weights.values()), uniform)
        chosen = [fleet for fleet in fleets if fleet.variant == variant]
    if not chosen:
        return None
    return _draw(chosen, [float(len(fleet.instances)) for fleet in chosen], uniform)


def mirror_share(endpoint: Endpoint, shadow: Fleet) -> float:
    """The share of requests that is copied to `shadow`: its weight to production's, at most 1.

    Source: ShadowProductionVariants of CreateEndpointConfig.
    """
    weights: dict[str, float] = {}
    for fleet in endpoint.of(PRODUCTION):
        weights[fleet.variant] = max(weights.get(fleet.variant, 0.0), fleet.weight)
    total = sum(weights.values())
    return min(1.0, shadow.weight / total) if total > 0 else 0.0


def choose_instance(
    fleet: Fleet,
    outstanding: Mapping[str, int],
    avoid: frozenset[str] = frozenset(),
    uniform: Callable[[], float] = random.random,
) -> Instance | None:
    """The instance with the fewest requests under way, by lot among equals; None if all are to be avoided."""
    free = [instance for instance in fleet.instances if instance.id not in avoid]
    if not free:
        return None
    least = min(outstanding.get(instance.id, 0) for instance in free)
    equals = [instance for instance in free if outstanding.get(instance.id, 0) == least]
    return equals[min(int(uniform() * len(equals)), len(equals) - 1)]


T = TypeVar("T")


def _draw(items: Sequence[T], weights: Sequence[float], uniform: Callable[[], float]) -> T:
    total = sum(weights)
    if total <= 0:  # every weight is 0: SageMaker takes them as equal
        return items[min(int(uniform() * len(items)), len(items) - 1)]
    point = uniform() * total
    for item, weight in zip(items, weights, strict=True):
        point -= weight
        if point < 0:
            return item
    return items[-1]
