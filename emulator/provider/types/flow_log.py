"""The record of what flows through a VPC."""

# ruff: noqa: ARG002 - every type has the same five calls; few need all that they are given.

from collections.abc import Mapping
from typing import Any

from emulator.provider import tagging
from emulator.provider.base import ACCOUNT, AwsResource
from emulator.provider.clients import client, found
from emulator.provider.fields import Field, Values, from_api
from emulator.provider.types.network import arn, specification
from sluice.errors import SluiceError


class FlowLog(AwsResource):
    token = "aws:ec2/flowLog:FlowLog"
    # EC2 has no ModifyFlowLogs: every change makes a new one.
    fields = {
        "vpcId": Field(replace=True),
        "subnetId": Field(replace=True),
        "trafficType": Field(replace=True, required=True),
        "logDestinationType": Field(replace=True, default="cloud-watch-logs"),
        "logDestination": Field(replace=True, required=True),
        "iamRoleArn": Field(api="DeliverLogsPermissionArn", replace=True),
        "maxAggregationInterval": Field(replace=True, default=600),
    }
    made = frozenset({"arn"})
    tagging = tagging.EC2

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        kind = "VPC" if inputs.get("vpcId") else "Subnet"
        parameters: dict[str, Any] = {
            "ResourceIds": [inputs.get("vpcId") or inputs["subnetId"]],
            "ResourceType": kind,
            "TrafficType": inputs["trafficType"],
            "LogDestinationType": inputs.get("logDestinationType", "cloud-watch-logs"),
            "LogDestination": inputs["logDestination"],
            "MaxAggregationInterval": int(inputs.get("maxAggregationInterval", 600)),
            **specification("vpc-flow-log", tags),
        }
        if inputs.get("iamRoleArn"):
            parameters["DeliverLogsPermissionArn"] = inputs["iamRoleArn"]
        answer = client("ec2").create_flow_logs(**parameters)
        if answer.get("Unsuccessful"):
            raise SluiceError(answer["Unsuccessful"][0]["Error"]["Message"])
        return str(answer["FlowLogIds"][0])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        answer = found(lambda: client("ec2").describe_flow_logs(FlowLogIds=[id]), "InvalidFlowLogId.NotFound")
        if not answer or not answer["FlowLogs"]:
            return None
        log = answer["FlowLogs"][0]
        watched = log["ResourceId"]
        return {
            **from_api(self.fields, log),
            ("vpcId" if watched.startswith("vpc-") else "subnetId"): watched,
            "arn": arn(ACCOUNT, "vpc-flow-log", id),
            "tagsAll": self.tagging.unpack(log.get("Tags")),
        }

    def remove(self, id: str, state: Values) -> None:
        found(lambda: client("ec2").delete_flow_logs(FlowLogIds=[id]), "InvalidFlowLogId.NotFound")
