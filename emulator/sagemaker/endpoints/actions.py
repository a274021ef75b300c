"""The actions of endpoints."""

import copy
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from emulator.context import Context
from emulator.dataplane import table
from emulator.sagemaker import models
from emulator.sagemaker.endpoints import policy
from emulator.sagemaker.endpoints.configs import NAME, EndpointConfigs
from emulator.sagemaker.endpoints.endpoint import Endpoint
from emulator.sagemaker.endpoints.fleet import Fleet
from emulator.sagemaker.endpoints.machine import begin
from emulator.sagemaker.endpoints.runner import Runner
from emulator.sagemaker.seam import LOCK, Params, Record, backend, checked_tags, choose, page, refusal

AlarmState = Callable[[str], str | None]
Targets = Callable[[str], list[Any]]
NEVER = 10.0**9


class Endpoints:
    """What callers ask of endpoints; the runner does it."""

    def __init__(
        self,
        context: Context,
        configs: EndpointConfigs,
        runner: Runner,
        alarm_state: AlarmState,
        targets: Targets,
    ) -> None:
        """
        Args:
            alarm_state: of a CloudWatch alarm by name; None if there is none.
            targets: the scalable targets of a resource id.
        """
        self._context = context
        self._configs = configs
        self._runner = runner
        self._alarm_state = alarm_state
        self._targets = targets

    def create(self, params: Params) -> Mapping[str, Any]:
        name = params["EndpointName"]
        if not NAME.fullmatch(name):
            raise refusal(
                f"1 validation error detected: Value '{name}' at 'endpointName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
            )
        arn = self._context.arn("sagemaker", f"endpoint/{name}")
        config = copy.deepcopy(self._configs.find(params["EndpointConfigName"]))
        given = params.get("DeploymentConfig")
        counts = _counts(config)
        production = _production(config, counts)
        if given is not None:
            self._check_policy(given, production)
        now = self._context.clock.now()
        with LOCK:
            if name in self._runner.endpoints:
                raise refusal(f'Cannot create already existing endpoint "{arn}".')
            endpoint = Endpoint(name, arn, config, now, now)
            endpoint.last_deployment_config = given
            endpoint.pending, endpoint.green_counts = config, counts
            endpoint.green = self._fleets(name, config, {}, now)
            endpoint.deployment = begin(policy.plan({}, {}, production), {}, now, NEVER)
            # moto's table is what its tagging and search look into.
            backend(self._context).endpoints[name] = Record(
                arn, _Fields(endpoint), checked_tags(params.get("Tags"))
            )
            self._runner.endpoints[name] = endpoint
        return {"EndpointArn": arn}

    def describe(self, params: Params) -> Mapping[str, Any]:
        endpoint = self._find(params["EndpointName"])
        with endpoint.lock:
            return endpoint.describe()

    def list_all(self, params: Params) -> Mapping[str, Any]:
        records = [Record(e.arn, _summary(e)) for e in list(self._runner.endpoints.values())]
        chosen = choose(
            records,
            params,
            name="EndpointName",
            sort_keys={"Name": "EndpointName", "CreationTime": "CreationTime", "Status": "EndpointStatus"},
            equals={"StatusEquals": "EndpointStatus"},
        )
        found, token = page(chosen, params, 10)
        return {"Endpoints": [record.fields for record in found], "NextToken": token}

    def update(self, params: Params) -> Mapping[str, Any]:
        endpoint = self._find(params["EndpointName"])
        config = copy.deepcopy(self._configs.find(params["EndpointConfigName"]))
        with endpoint.lock:
            self._check_free(endpoint)
            self._configs.find(endpoint.config["EndpointConfigName"])
            deployment = params.get("DeploymentConfig")
            if params.get("RetainDeploymentConfig"):
                if deployment is not None:
                    raise refusal("DeploymentConfig cannot be specified when RetainDeploymentConfig is true.")
                deployment = endpoint.last_deployment_config
            counts, weights = _counts(config), {}
            if params.get("RetainAllVariantProperties"):
                excluded = {
                    p["VariantPropertyType"] for p in params.get("ExcludeRetainedVariantProperties") or ()
                }
                if "DesiredInstanceCount" not in excluded:
                    counts |= {v: n for v, n in endpoint.counts.items() if v in counts}
                if "DesiredWeight" not in excluded:
                    weights = {fleet.variant: fleet.weight for fleet in endpoint.blue}
            elif params.get("ExcludeRetainedVariantProperties"):
                raise refusal(
                    "ExcludeRetainedVariantProperties can only be specified when RetainAllVariantProperties is true."
                )
            production = _production(config, counts)
            if deployment is not None:
                self._check_policy(deployment, production)
                _check_names(endpoint, config)
            self._check_targets(endpoint, config)
            now = self._context.clock.now()
            before = {
                f.variant: endpoint.counts[f.variant] for f in endpoint.blue if f.kind == table.PRODUCTION
            }
            # Refused where a model is gone; only then is anything changed.
            green = self._fleets(endpoint.name, config, weights, now)
            endpoint.pending, endpoint.green_counts, endpoint.green = config, counts, green
            endpoint.deployment_config = dict(deployment or {})
            endpoint.last_deployment_config = deployment
            steps = policy.plan(endpoint.deployment_config, before, production)
            maximum = policy.maximum_seconds(endpoint.deployment_config)
            endpoint.deployment = begin(steps, before, now, maximum)
            endpoint.status, endpoint.failure, endpoint.modified = "Updating", None, now
        return {"EndpointArn": endpoint.arn}

    def update_weights(self, params: Params) -> Mapping[str, Any]:
        endpoint = self._find(params["EndpointName"])
        with endpoint.lock:
            self._check_free(endpoint)
            self._configs.find(endpoint.config["EndpointConfigName"])
            fleets = {fleet.variant: fleet for fleet in endpoint.blue}
            wanted = params["DesiredWeightsAndCapacities"]
            for change in wanted:
                variant = change["VariantName"]
                if variant not in fleets:
                    raise refusal(
                        f'The variant name(s) "{variant}" is/are not present within endpoint configuration '
                        f'"{endpoint.config["EndpointConfigName"]}".'
                    )
                if change.get("DesiredInstanceCount", 1) < 1:
                    raise refusal(f"DesiredInstanceCount of variant {variant} must be at least 1.")
                if change.get("DesiredWeight", 0.0) < 0:
                    raise refusal(f"DesiredWeight of variant {variant} must not be negative.")
            endpoint.revert = dict(endpoint.counts)
            for change in wanted:
                if "DesiredInstanceCount" in change:
                    endpoint.counts[change["VariantName"]] = int(change["DesiredInstanceCount"])
                if "DesiredWeight" in change:
                    fleets[change["VariantName"]].weight = float(change["DesiredWeight"])
            endpoint.status, endpoint.failure = "Updating", None
            endpoint.modified = self._context.clock.now()
        return {"EndpointArn": endpoint.arn}

    def delete(self, params: Params) -> None:
        endpoint = self._find(params["EndpointName"])
        with endpoint.lock:
            if endpoint.status == "Creating":
                raise refusal(f'Cannot delete in-progress endpoint "{endpoint.arn}".')
            endpoint.status, endpoint.modified = "Deleting", self._context.clock.now()

    def _find(self, name: str) -> Endpoint:
        endpoint = self._runner.endpoints.get(name)
        if endpoint is None:
            arn = self._context.arn("sagemaker", f"endpoint/{name}")
            raise refusal(f'Could not find endpoint "{arn}".')
        return endpoint

    def _check_free(self, endpoint: Endpoint) -> None:
        if endpoint.status in ("Creating", "Updating", "RollingBack", "SystemUpdating", "Deleting"):
            raise refusal(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        if endpoint.status != "InService":
            raise refusal(
                f'Cannot update endpoint "{endpoint.arn}" because it is in {endpoint.status} status; delete it and '
                "create it again."
            )

    def _check_policy(self, given: Mapping[str, Any], production: Mapping[str, int]) -> None:
        try:
            policy.check(given, production)
        except policy.Refused as error:
            raise refusal(str(error)) from None
        unknown = [name for name in policy.alarm_names(given) if self._alarm_state(name) is None]
        if unknown:
            raise refusal(f"Could not find the following CloudWatch alarm(s): [{', '.join(unknown)}].")

    def _check_targets(self, endpoint: Endpoint, config: Mapping[str, Any]) -> None:
        """An autoscaled variant keeps its place and instance type (guide, "endpoint-scaling-update")."""
        new = {v["VariantName"]: v["InstanceType"] for v in _variants(config)}
        for fleet in endpoint.blue:
            if new.get(fleet.variant) == fleet.spec["InstanceType"]:
                continue
            if self._targets(f"endpoint/{endpoint.name}/variant/{fleet.variant}"):
                raise refusal(
                    f'The variant "{fleet.variant}" of endpoint "{endpoint.arn}" is registered as a scalable target '
                    "with Application Auto Scaling. Deregister it before removing the variant or changing its "
                    "instance type."
                )

    def _fleets(
        self, endpoint: str, config: Mapping[str, Any], weights: Mapping[str, float], now: datetime
    ) -> list[Fleet]:
        fleets = []
        for kind, key in (
            (table.PRODUCTION, "ProductionVariants"),
            (table.SHADOW, "ShadowProductionVariants"),
        ):
            for spec in config.get(key) or ():
                container = models.container(spec["ModelName"])
                image = container.image
                weight = weights.get(spec["VariantName"], float(spec["InitialVariantWeight"]))
                fleet = Fleet(endpoint, config["EndpointConfigName"], spec, kind, weight)
                fleet.package = container.package
                fleet.images = [{"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": now}]
                fleets.append(fleet)
        return fleets


class _Fields(dict[str, Any]):
    """An endpoint's description, made when it is looked at."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self._endpoint = endpoint

    def items(self) -> Any:
        return self._endpoint.describe().items()

    def keys(self) -> Any:
        return self._endpoint.describe().keys()

    def __getitem__(self, key: str) -> Any:
        return self._endpoint.describe()[key]


def _summary(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "CreationTime": endpoint.created,
        "LastModifiedTime": endpoint.modified,
        "EndpointStatus": endpoint.status,
    }


def _variants(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*config["ProductionVariants"], *(config.get("ShadowProductionVariants") or ())]


def _counts(config: Mapping[str, Any]) -> dict[str, int]:
    return {variant["VariantName"]: int(variant["InitialInstanceCount"]) for variant in _variants(config)}


def _production(config: Mapping[str, Any], counts: Mapping[str, int]) -> dict[str, int]:
    return {
        variant["VariantName"]: counts[variant["VariantName"]] for variant in config["ProductionVariants"]
    }


def _check_names(endpoint: Endpoint, config: Mapping[str, Any]) -> None:
    """Guide, "deployment-guardrails-exclusions"."""
    old = {fleet.variant for fleet in endpoint.blue if fleet.kind == table.PRODUCTION}
    new = {variant["VariantName"] for variant in config["ProductionVariants"]}
    if old != new:
        raise refusal(
            "When deploying with a DeploymentConfig, the new endpoint configuration must have the same variant name "
            f"as the old endpoint configuration; old: {sorted(old)}, new: {sorted(new)}."
        )
