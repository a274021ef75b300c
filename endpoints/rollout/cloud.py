"""The AWS calls of a deployment, one method each, with nothing decided here but the kind of an error."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from endpoints.rollout.faults import Fault, fault
from endpoints.rollout.observe import Observed, observed
from endpoints.rollout.payloads import Request, tag_list
from sluice.aws import client
from sluice.errors import SluiceError

Outcome = Literal["accepted", "lost", "again"]
"""Of a call that must not be repeated blindly. `again`: it was refused for now and has changed nothing."""


@dataclass(frozen=True)
class Cloud:
    """boto3 clients. `once` is SageMaker without boto3's own retries, which would repeat a call whose answer was
    lost."""

    sagemaker: Any
    once: Any
    cloudwatch: Any
    autoscaling: Any

    @classmethod
    def connect(cls) -> "Cloud":
        """Clients of this process's region and credentials."""
        return cls(
            sagemaker=client("sagemaker"),
            once=client("sagemaker", max_attempts=1),
            cloudwatch=client("cloudwatch"),
            autoscaling=client("application-autoscaling"),
        )

    def endpoint(self, name: str) -> Observed:
        """The endpoint now; `ABSENT` where there is none."""
        return observed(_or_none(lambda: self.sagemaker.describe_endpoint(EndpointName=name)))

    def config(self, name: str) -> dict[str, Any] | None:
        """DescribeEndpointConfig's answer, or None."""
        found: dict[str, Any] | None = _or_none(
            lambda: self.sagemaker.describe_endpoint_config(EndpointConfigName=name)
        )
        return found

    def configs(self, containing: str) -> list[tuple[str, datetime]]:
        """Name and creation time of the configs whose name contains a text, newest first."""
        pages = self.sagemaker.get_paginator("list_endpoint_configs").paginate(
            NameContains=containing, SortBy="CreationTime", SortOrder="Descending"
        )
        found = [
            (config["EndpointConfigName"], config["CreationTime"])
            for page in pages
            for config in page["EndpointConfigs"]
        ]
        return sorted(found, key=lambda pair: pair[1], reverse=True)

    def create_config(self, request: Request) -> Outcome:
        """CreateEndpointConfig. One that exists already is `accepted`: the caller compares."""
        return _once(lambda: self.once.create_endpoint_config(**request), accepted=(Fault.EXISTS,))

    def delete_config(self, name: str) -> None:
        """DeleteEndpointConfig; one that is gone is no error."""
        _or_none(lambda: self.sagemaker.delete_endpoint_config(EndpointConfigName=name))

    def create(self, request: Request) -> Outcome:
        """CreateEndpoint. One that exists already, from a call whose answer was lost, is `again`: look."""
        return _once(lambda: self.once.create_endpoint(**request), again=(Fault.EXISTS,))

    def update(self, request: Request) -> Outcome:
        """UpdateEndpoint. An update in flight is `again`: look, it may be ours."""
        return _once(lambda: self.once.update_endpoint(**request), again=(Fault.BUSY,))

    def delete(self, name: str) -> Outcome:
        """DeleteEndpoint; one that is gone is `accepted`."""
        return _once(
            lambda: self.once.delete_endpoint(EndpointName=name),
            again=(Fault.BUSY,),
            accepted=(Fault.ABSENT,),
        )

    def tags(self, arn: str) -> dict[str, str]:
        """The tags of a SageMaker resource; none where it is gone."""
        pages = _or_none(lambda: list(self.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)))
        return {tag["Key"]: tag["Value"] for page in pages or () for tag in page["Tags"]}

    def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """AddTags, which overwrites."""
        if tags:
            self.sagemaker.add_tags(ResourceArn=arn, Tags=tag_list(tags))

    def untag(self, arn: str, keys: Collection[str]) -> None:
        """DeleteTags; keys that are not there are no error."""
        if keys:
            self.sagemaker.delete_tags(ResourceArn=arn, TagKeys=sorted(keys))

    def ringing(self, names: Iterable[str]) -> frozenset[str]:
        """Which of these alarms are in ALARM.

        Raises:
            SluiceError: naming those that do not exist; SageMaker could not watch them.
        """
        wanted = list(names)
        found = self.cloudwatch.describe_alarms(AlarmNames=wanted, AlarmTypes=["MetricAlarm"])["MetricAlarms"]
        missing = sorted(set(wanted) - {alarm["AlarmName"] for alarm in found})
        if missing:
            raise SluiceError(
                f"the rollback alarms {', '.join(missing)} do not exist",
                "Create them before the deployment that they guard.",
            )
        return frozenset(alarm["AlarmName"] for alarm in found if alarm["StateValue"] == "ALARM")


def _or_none(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except ClientError as error:
        if fault(error) is Fault.ABSENT:
            return None
        raise


def _once(
    call: Callable[[], Any], again: Collection[Fault] = (), accepted: Collection[Fault] = ()
) -> Outcome:
    try:
        call()
    except (ClientError, BotoCoreError) as error:
        kind = fault(error)
        if kind in accepted:
            return "accepted"
        if kind is Fault.THROTTLED or kind in again:
            return "again"
        if kind is Fault.LOST:
            return "lost"
        raise
    return "accepted"
