"""Deployment policies: what SageMaker refuses of a DeploymentConfig, and the steps that one means. Pure."""

import math
from collections.abc import Mapping
from typing import Any

from sluice.config import Frozen

Config = Mapping[str, Any]
MAX_ALARMS = 10


class Refused(ValueError):  # noqa: N818 - reads as what it is; becomes a ValidationException
    """The text of a ValidationException."""


class Counts(Frozen):
    """How many instances of one variant exist and take traffic, in the old (blue) and the new (green) fleet."""

    green: int
    green_traffic: int
    blue: int
    blue_traffic: int


class Step(Frozen):
    """One step of a deployment: reach these counts, then watch for `wait` seconds."""

    variants: dict[str, Counts]
    wait: float


def maximum_seconds(config: Config) -> float:
    """After how long a deployment is given up; SageMaker's default is not documented, its upper limit is."""
    policy = config.get("BlueGreenUpdatePolicy") or config.get("RollingUpdatePolicy") or {}
    return float(policy.get("MaximumExecutionTimeoutInSeconds", 28800))


def alarm_names(config: Config) -> tuple[str, ...]:
    """The alarms that roll a deployment back."""
    alarms = (config.get("AutoRollbackConfiguration") or {}).get("Alarms") or ()
    return tuple(alarm["AlarmName"] for alarm in alarms)


def check(config: Config, counts: Mapping[str, int]) -> None:
    """Refuse what SageMaker refuses of a DeploymentConfig (API reference of its types; facts of delivery).

    Args:
        counts: instances of each production variant of the new fleet.

    Raises:
        Refused: with the reason.
    """
    blue_green, rolling = config.get("BlueGreenUpdatePolicy"), config.get("RollingUpdatePolicy")
    if blue_green is not None and rolling is not None:
        raise Refused("Only one of BlueGreenUpdatePolicy and RollingUpdatePolicy can be specified.")
    if blue_green is not None:
        _check_blue_green(blue_green, counts)
    if rolling is not None:
        _check_rolling(rolling, counts)
    rollback = config.get("AutoRollbackConfiguration")
    if rollback is not None:
        names = alarm_names(config)
        if not 1 <= len(names) <= MAX_ALARMS:
            raise Refused(
                f"AutoRollbackConfiguration.Alarms must have between 1 and {MAX_ALARMS} alarms, got {len(names)}."
            )
        if len(set(names)) != len(names):
            raise Refused("AutoRollbackConfiguration.Alarms names an alarm twice.")


def _check_blue_green(policy: Config, counts: Mapping[str, int]) -> None:
    routing = policy.get("TrafficRoutingConfiguration")
    if routing is None:
        raise Refused("BlueGreenUpdatePolicy.TrafficRoutingConfiguration is required.")
    kind = routing.get("Type")
    if kind not in ("ALL_AT_ONCE", "CANARY", "LINEAR"):
        raise Refused(f"TrafficRoutingConfiguration.Type must be ALL_AT_ONCE, CANARY or LINEAR, got {kind}.")
    wait = _seconds("WaitIntervalInSeconds", routing.get("WaitIntervalInSeconds"), 0, 3600)
    bake = _seconds("TerminationWaitInSeconds", policy.get("TerminationWaitInSeconds", 0), 0, 3600)
    _check_maximum(policy, wait + bake)
    sizes = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}
    for of, field in sizes.items():
        if (field in routing) != (of == kind):
            verb = "is required" if of == kind else "can only be specified"
            raise Refused(f"TrafficRoutingConfiguration.{field} {verb} for traffic routing type {of}.")
    if kind in sizes:
        low = 10 if kind == "LINEAR" else 1
        _check_size(sizes[kind], routing[sizes[kind]], low, counts)


def _check_rolling(policy: Config, counts: Mapping[str, int]) -> None:
    if len(counts) > 1:
        raise Refused("RollingUpdatePolicy is not supported for endpoints with multiple production variants.")
    if "MaximumBatchSize" not in policy:
        raise Refused("RollingUpdatePolicy.MaximumBatchSize is required.")
    wait = _seconds("WaitIntervalInSeconds", policy.get("WaitIntervalInSeconds"), 0, 3600)
    _check_maximum(policy, wait)
    _check_size("MaximumBatchSize", policy["MaximumBatchSize"], 5, counts)
    if "RollbackMaximumBatchSize" in policy:
        size = policy["RollbackMaximumBatchSize"]
        # The rollback may be done in one batch: up to 100 %.
        _check_size("RollbackMaximumBatchSize", size, 5, counts, high=100)


def _check_size(field: str, size: Config, low: int, counts: Mapping[str, int], high: int = 50) -> None:
    kind, value = size.get("Type"), size.get("Value")
    if kind not in ("INSTANCE_COUNT", "CAPACITY_PERCENT") or not isinstance(value, int) or value < 1:
        raise Refused(f"{field} must have Type INSTANCE_COUNT or CAPACITY_PERCENT and a Value of at least 1.")
    if kind == "CAPACITY_PERCENT" and not low <= value <= high:
        raise Refused(f"{field} must be between {low}% and {high}% of the variant's capacity, got {value}%.")
    if kind == "INSTANCE_COUNT":
        for variant, count in counts.items():
            if value > count * high / 100 and not (value == 1 and count == 1):
                raise Refused(
                    f"{field} of {value} instance(s) must be less than or equal to {high}% of the variant's total "
                    f"instance count; variant {variant} has {count}."
                )


def _check_maximum(policy: Config, waits: float) -> None:
    if "MaximumExecutionTimeoutInSeconds" not in policy:
        return
    limit = _seconds(
        "MaximumExecutionTimeoutInSeconds", policy["MaximumExecutionTimeoutInSeconds"], 600, 28800
    )
    if limit <= waits:
        raise Refused(
            f"MaximumExecutionTimeoutInSeconds must be larger than the total waiting time of {waits:.0f} seconds."
        )


def _seconds(field: str, value: Any, low: int, high: int) -> float:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Refused(f"{field} must be between {low} and {high} seconds, got {value}.")
    return float(value)


def plan(config: Config, blue: Mapping[str, int], green: Mapping[str, int]) -> tuple[Step, ...]:
    """The steps from the blue fleet to the green one; without a policy, all at once.

    Args:
        blue: instances of each production variant now; empty when the endpoint is created.
        green: instances of each production variant of the new config.
    """
    rolling = config.get("RollingUpdatePolicy")
    if rolling is not None and blue:
        return _rolling(rolling, blue, green)
    policy = config.get("BlueGreenUpdatePolicy") or {}
    routing = policy.get("TrafficRoutingConfiguration") or {}
    bake = float(policy.get("TerminationWaitInSeconds", 0))
    kind = routing.get("Type", "ALL_AT_ONCE")
    wait = float(routing.get("WaitIntervalInSeconds", 0))
    shares: list[dict[str, int]] = []
    if blue and kind == "CANARY":
        shares = [{name: _size(routing["CanarySize"], count) for name, count in green.items()}]
    elif blue and kind == "LINEAR":
        step = {name: _size(routing["LinearStepSize"], count) for name, count in green.items()}
        number = max(math.ceil(count / step[name]) for name, count in green.items())
        shares = [
            {name: min(count, step[name] * i) for name, count in green.items()} for i in range(1, number)
        ]
    steps = []
    for share in shares:
        variants = {}
        for name, count in green.items():
            there = blue.get(name, 0)
            # A canary is added to the whole blue fleet; a linear step takes from blue what it gives to green.
            left = there if kind == "CANARY" else max(1, there - math.floor(there * share[name] / count))
            variants[name] = Counts(
                green=count, green_traffic=share[name], blue=there, blue_traffic=min(there, left)
            )
        steps.append(Step(variants=variants, wait=wait))
    last = {
        name: Counts(green=count, green_traffic=count, blue=blue.get(name, 0), blue_traffic=0)
        for name, count in green.items()
    }
    return (*steps, Step(variants=last, wait=bake))


def _rolling(policy: Config, blue: Mapping[str, int], green: Mapping[str, int]) -> tuple[Step, ...]:
    wait = float(policy["WaitIntervalInSeconds"])
    batch = {name: _size(policy["MaximumBatchSize"], count) for name, count in green.items()}
    number = max(math.ceil(count / batch[name]) for name, count in green.items())
    steps = []
    for i in range(1, number + 1):
        variants = {}
        for name, count in green.items():
            there, new = blue.get(name, 0), min(count, batch[name] * i)
            left = 0 if i == number else max(0, there - new)
            variants[name] = Counts(green=new, green_traffic=new, blue=left, blue_traffic=left)
        steps.append(Step(variants=variants, wait=wait))
    return tuple(steps)


def _size(size: Config, count: int) -> int:
    """Whole instances, at least one: SageMaker shifts traffic by instances."""
    value = int(size["Value"])
    return max(1, min(count, value if size["Type"] == "INSTANCE_COUNT" else count * value // 100))
