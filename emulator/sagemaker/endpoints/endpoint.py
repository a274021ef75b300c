"""One endpoint as the control process holds it, and what it tells the data plane and its callers."""

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from emulator.dataplane import table
from emulator.sagemaker.endpoints.fleet import Fleet
from emulator.sagemaker.endpoints.machine import Deployment, Phase, desired
from emulator.sagemaker.endpoints.policy import Counts
from emulator.sagemaker.seam import present

Fields = dict[str, Any]
VISIBLE = (Phase.CREATING, Phase.ACTIVATING, Phase.BAKING)


@dataclass
class Endpoint:
    """Mutable; guarded by its lock."""

    name: str
    arn: str
    config: Fields
    """The endpoint config in force, a copy: deleting the config leaves a live endpoint as it is."""
    created: datetime
    modified: datetime
    status: str = "Creating"
    failure: str | None = None
    blue: list[Fleet] = field(default_factory=list)
    """The fleets that serve; during a deployment, the old ones."""
    green: list[Fleet] = field(default_factory=list)
    """The new ones, during a deployment."""
    counts: dict[str, int] = field(default_factory=dict)
    """Wanted instances of each variant of `blue`, shadows too."""
    green_counts: dict[str, int] = field(default_factory=dict)
    deployment: Deployment | None = None
    deployment_config: Fields = field(default_factory=dict)
    """Of the deployment under way."""
    last_deployment_config: Fields | None = None
    pending: Fields | None = None
    """The config that the deployment under way goes to."""
    revert: dict[str, int] | None = None
    """While capacities change: the counts to go back to if new instances do not start."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def busy(self) -> bool:
        """Whether its fleets are being changed on someone's word."""
        return self.deployment is not None or self.revert is not None

    def wanted(self) -> list[tuple[Fleet, int, int]]:
        """Every fleet with how many instances it should have, and how many of them take traffic."""
        if self.status == "Deleting":
            return [(fleet, 0, 0) for fleet in (*self.blue, *self.green)]
        if self.deployment is None:
            return [(fleet, self.counts[fleet.variant], self.counts[fleet.variant]) for fleet in self.blue]
        counts, new_shadow = desired(self.deployment), shadow_is_new(self.deployment)
        result = []
        for fleet in self.blue:
            whole = self.counts[fleet.variant]
            if fleet.kind == table.SHADOW:
                stays = 0 if self.deployment.phase in (Phase.TERMINATING, Phase.SUCCEEDED) else whole
                result.append((fleet, stays, 0 if new_shadow else whole))
            else:
                mine = counts.get(fleet.variant) or _departing(self.deployment, whole)
                result.append((fleet, mine.blue, mine.blue_traffic))
        for fleet in self.green:
            whole = self.green_counts[fleet.variant]
            if fleet.kind == table.SHADOW:
                goes = self.deployment.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.ROLLBACK_FAILED)
                result.append((fleet, 0 if goes else whole, whole if new_shadow else 0))
            else:
                result.append((fleet, counts[fleet.variant].green, counts[fleet.variant].green_traffic))
        return result

    def routes(self) -> dict[str, Any]:
        """The routing table for the data plane."""
        fleets = []
        for fleet, _, traffic in self.wanted():
            of = self.pending if fleet in self.green and self.pending is not None else self.config
            fleets.append(
                table.Fleet(
                    variant=fleet.variant,
                    config=fleet.config,
                    kind="shadow" if fleet.kind == table.SHADOW else "production",
                    weight=fleet.weight,
                    package=fleet.package,
                    instances=tuple(
                        table.Instance(id=i.id, port=i.port, zone=i.zone) for i in fleet.ready()[:traffic]
                    ),
                    capture=_capture(of),
                    publish_seconds=_publish_seconds(of),
                )
            )
        return table.Endpoint(name=self.name, fleets=tuple(fleets)).model_dump(mode="json")

    def describe(self) -> Fields:
        """What DescribeEndpoint answers."""
        capture = self.config.get("DataCaptureConfig")
        live = [f for f in self.blue if self.status not in ("Creating", "Failed")]
        answer: Fields = {
            "EndpointName": self.name,
            "EndpointArn": self.arn,
            "EndpointConfigName": self.config["EndpointConfigName"],
            "EndpointStatus": self.status,
            "FailureReason": self.failure,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "LastDeploymentConfig": self.last_deployment_config,
            "MetricsConfig": self.config.get("MetricsConfig"),
            "ExplainerConfig": self.config.get("ExplainerConfig"),
            "AsyncInferenceConfig": self.config.get("AsyncInferenceConfig"),
            "ProductionVariants": self._variants(live, table.PRODUCTION, self.counts) or None,
            "ShadowProductionVariants": self._variants(live, table.SHADOW, self.counts) or None,
        }
        if capture is not None:
            enabled = bool(capture.get("EnableCapture", True))
            answer["DataCaptureConfig"] = present(
                {
                    "EnableCapture": enabled,
                    "CaptureStatus": "Started" if enabled else "Stopped",
                    "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
                    "DestinationS3Uri": capture["DestinationS3Uri"],
                    "KmsKeyId": capture.get("KmsKeyId", ""),
                }
            )
        if self.pending is not None and self.deployment is not None and self.status != "Creating":
            answer["PendingDeploymentSummary"] = present(
                {
                    "EndpointConfigName": self.pending["EndpointConfigName"],
                    "StartTime": self.deployment.started,
                    "ProductionVariants": self._variants(
                        self.green, table.PRODUCTION, self.green_counts, True
                    ),
                    "ShadowProductionVariants": self._variants(
                        self.green, table.SHADOW, self.green_counts, True
                    )
                    or None,
                }
            )
        return present(answer)

    def _variants(
        self, fleets: list[Fleet], kind: str, counts: dict[str, int], pending: bool = False
    ) -> list[Fields]:
        return [
            self._variant(fleet, counts[fleet.variant], pending) for fleet in fleets if fleet.kind == kind
        ]

    def _variant(self, fleet: Fleet, wanted: int, pending: bool) -> Fields:
        summary: Fields = {
            "VariantName": fleet.variant,
            "CurrentWeight": fleet.weight,
            "DesiredWeight": fleet.weight,
            "CurrentInstanceCount": len(fleet.ready()),
            "DesiredInstanceCount": wanted,
            "DeployedImages": fleet.images,
        }
        if pending:
            summary["InstanceType"] = fleet.spec.get("InstanceType")
        at = self.deployment
        if pending and at is not None and at.phase in VISIBLE:
            summary["VariantStatus"] = [{"Status": str(at.phase), "StartTime": at.since}]
        elif not pending and self.revert is not None:
            summary["VariantStatus"] = [{"Status": "Updating", "StartTime": self.modified}]
        return present(summary)


def shadow_is_new(at: Deployment) -> bool:
    """Whether mirrored traffic goes to the new shadow: from the moment that all traffic is on the new fleet."""
    if at.phase in (Phase.ACTIVATING, Phase.BAKING):
        return at.step + 1 == len(at.plan)
    return at.phase in (Phase.TERMINATING, Phase.SUCCEEDED)


def _departing(at: Deployment, count: int) -> Counts:
    """Of a variant that the new config does not have: it serves until all traffic is on the new fleet."""
    if at.phase in (Phase.TERMINATING, Phase.SUCCEEDED):
        return Counts(green=0, green_traffic=0, blue=0, blue_traffic=0)
    traffic = 0 if shadow_is_new(at) else count
    return Counts(green=0, green_traffic=0, blue=count, blue_traffic=traffic)


def _capture(config: Fields) -> table.Capture | None:
    given = config.get("DataCaptureConfig")
    if given is None or not given.get("EnableCapture", True):
        return None
    modes = {option["CaptureMode"] for option in given["CaptureOptions"]}
    types = given.get("CaptureContentTypeHeader") or {}
    both = "InputAndOutput" in modes
    return table.Capture(
        destination=given["DestinationS3Uri"],
        percent=given["InitialSamplingPercentage"],
        input=both or "Input" in modes,
        output=both or "Output" in modes,
        csv_types=tuple(types.get("CsvContentTypes") or ()),
        json_types=tuple(types.get("JsonContentTypes") or ()),
        kms_key=given.get("KmsKeyId"),
    )


def _publish_seconds(config: Fields) -> int:
    metrics = config.get("MetricsConfig") or {}
    # Without enhanced metrics, invocation metrics come each minute whatever the frequency says.
    return (
        int(metrics.get("MetricPublishFrequencyInSeconds", 60))
        if metrics.get("EnableEnhancedMetrics")
        else 60
    )
