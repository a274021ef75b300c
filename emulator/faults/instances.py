"""Instances that die: one, or all of a zone. The runner of endpoints replaces them, as SageMaker does."""

import logging
from collections.abc import Sequence

from emulator.context import Context
from emulator.faults.kinds import Instance as InstanceFault
from emulator.faults.kinds import Struck, Zone
from emulator.sagemaker import endpoints
from emulator.sagemaker.endpoints.endpoint import Endpoint
from emulator.sagemaker.endpoints.fleet import Fleet
from emulator.sagemaker.endpoints.instance import Instance
from sluice.errors import SluiceError

log = logging.getLogger("emulator.faults")


def choose(fleets: Sequence[Fleet], fault: InstanceFault) -> Instance:
    """The instance that ends: the oldest in service of the variant, under the config; by default of the first
    variant. Pure.

    Raises:
        SluiceError: if there is none.
    """
    variant = fault.variant or next((fleet.variant for fleet in fleets), None)
    for fleet in fleets:
        if fleet.variant == variant and fault.config in (None, fleet.config):
            for instance in fleet.ready():
                return instance
    under = f" under the config {fault.config}" if fault.config else ""
    raise SluiceError(
        f"no instance of variant {variant} of endpoint {fault.endpoint}{under} is in service",
        "`aws sagemaker describe-endpoint` says what is.",
    )


def end_one(context: Context, fault: InstanceFault) -> list[Struck]:
    """Kill it, and return once it is dead.

    Raises:
        SluiceError: if there is no such instance.
    """
    endpoint = known(fault.endpoint)
    with endpoint.lock:
        return [_end(context, choose(_fleets(endpoint), fault))]


def end_zone(context: Context, fault: Zone) -> list[Struck]:
    """Kill every instance in the zone; those that are starting there do not come into service. The zone must be
    closed before, or replacements could land in it."""
    struck = []
    for endpoint in endpoints.every():
        if fault.closes(endpoint.name):
            with endpoint.lock:
                struck += [
                    _end(context, instance)
                    for fleet in _fleets(endpoint)
                    for instance in fleet.live()
                    if instance.zone == fault.zone
                ]
    return struck


def known(name: str) -> Endpoint:
    """The endpoint.

    Raises:
        SluiceError: if there is none.
    """
    found = endpoints.find(name)
    if found is None:
        there = ", ".join(sorted(each.name for each in endpoints.every())) or "none"
        raise SluiceError(f"there is no endpoint {name!r}", f"There are: {there}.")
    return found


def variants(endpoint: Endpoint) -> set[str]:
    """The names of its variants, shadows and those of a deployment under way among them."""
    with endpoint.lock:
        return {fleet.variant for fleet in _fleets(endpoint)}


def _fleets(endpoint: Endpoint) -> list[Fleet]:
    return [*endpoint.blue, *endpoint.green]


def _end(context: Context, instance: Instance) -> Struck:
    instance.died()
    if instance.process is not None:
        context.spawned.kill(instance.process)
    log.info("fault: instance %s of %s in %s ended", instance.id, instance.endpoint, instance.zone)
    return Struck(
        id=instance.id,
        endpoint=instance.endpoint,
        variant=instance.variant,
        config=instance.config,
        zone=instance.zone,
    )
