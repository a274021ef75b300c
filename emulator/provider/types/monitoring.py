"""CloudWatch alarms and dashboards, log groups."""

# ruff: noqa: ARG002 - every type has the same five calls; few need all that they are given.

from collections.abc import Mapping
from typing import Any

from emulator.provider import tagging
from emulator.provider.base import Autoname, AwsResource
from emulator.provider.clients import client, found, pages
from emulator.provider.fields import Field, Values, from_api, to_api

_DIMENSIONS = Field(pairs=("Name", "Value"))
_METRIC = {
    "metricName": Field(required=True),
    "namespace": Field(),
    "dimensions": _DIMENSIONS,
    "period": Field(required=True),
    "stat": Field(required=True),
    "unit": Field(),
}
_QUERY = {
    "id": Field(required=True),
    "accountId": Field(),
    "expression": Field(),
    "label": Field(),
    "metric": Field(fields=_METRIC),
    "period": Field(),
    "returnData": Field(default=False),
}


class MetricAlarm(AwsResource):
    """Its id is its name. Every change puts the whole alarm; PutMetricAlarm keeps the state."""

    token = "aws:cloudwatch/metricAlarm:MetricAlarm"
    fields = {
        "name": Field(api="AlarmName", replace=True),
        "comparisonOperator": Field(required=True),
        "evaluationPeriods": Field(required=True),
        "metricName": Field(),
        "namespace": Field(),
        "period": Field(),
        "statistic": Field(),
        "extendedStatistic": Field(),
        "threshold": Field(),
        "thresholdMetricId": Field(),
        "actionsEnabled": Field(default=True),
        "alarmActions": Field(unordered=True),
        "alarmDescription": Field(),
        "datapointsToAlarm": Field(),
        "dimensions": _DIMENSIONS,
        "insufficientDataActions": Field(unordered=True),
        "metricQueries": Field(api="Metrics", unordered=True, fields=_QUERY),
        "okActions": Field(api="OKActions", unordered=True),
        "unit": Field(),
        "treatMissingData": Field(default="missing"),
        "evaluateLowSampleCountPercentiles": Field(api="EvaluateLowSampleCountPercentile", computed=True),
    }
    made = frozenset({"arn"})
    autoname = Autoname(max_length=255)
    tagging = tagging.CLOUDWATCH

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        client("cloudwatch").put_metric_alarm(**_alarm(inputs), Tags=self.tagging.pack(tags))
        return str(inputs["name"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        api = client("cloudwatch")
        alarms = api.describe_alarms(AlarmNames=[id], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
        if not alarms:
            return None
        alarm = alarms[0]
        tags = api.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        live = from_api({name: rule for name, rule in self.fields.items() if name != "metricQueries"}, alarm)
        if alarm.get("Metrics"):
            live["metricQueries"] = [_query_of(item) for item in alarm["Metrics"]]
        return {**live, "arn": alarm["AlarmArn"], "tagsAll": self.tagging.unpack(tags)}

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        client("cloudwatch").put_metric_alarm(**_alarm(new))

    def remove(self, id: str, state: Values) -> None:
        found(lambda: client("cloudwatch").delete_alarms(AlarmNames=[id]), "ResourceNotFound")


def _alarm(inputs: Values) -> dict[str, Any]:
    fields = {name: rule for name, rule in MetricAlarm.fields.items() if name != "metricQueries"}
    alarm = to_api(fields, inputs)
    alarm.setdefault("TreatMissingData", "missing")
    if inputs.get("metricQueries"):
        alarm["Metrics"] = [_query(item) for item in inputs["metricQueries"]]
    return alarm


def _query(query: Values) -> dict[str, Any]:
    plain = to_api({name: rule for name, rule in _QUERY.items() if name != "metric"}, query)
    # CloudWatch takes an absent ReturnData as true, the provider's property as false.
    plain.setdefault("ReturnData", False)
    if query.get("metric"):
        flat = to_api(_METRIC, query["metric"])
        metric = {key: flat.pop(key) for key in ("Namespace", "MetricName", "Dimensions") if key in flat}
        plain["MetricStat"] = {"Metric": metric, **flat}
    return plain


def _query_of(answer: Values) -> dict[str, Any]:
    query = from_api({name: rule for name, rule in _QUERY.items() if name != "metric"}, answer)
    stat = answer.get("MetricStat")
    if stat:
        query["metric"] = from_api(_METRIC, {**stat, **stat["Metric"]})
    return query


class Dashboard(AwsResource):
    token = "aws:cloudwatch/dashboard:Dashboard"
    fields = {
        "dashboardName": Field(replace=True, required=True),
        "dashboardBody": Field(required=True, json=True),
    }
    made = frozenset({"dashboardArn"})

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        client("cloudwatch").put_dashboard(**to_api(self.fields, inputs))
        return str(inputs["dashboardName"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        # CloudWatch says ResourceNotFound; older models of the API say DashboardNotFoundError.
        gone = ("ResourceNotFound", "DashboardNotFoundError")
        answer = found(lambda: client("cloudwatch").get_dashboard(DashboardName=id), *gone)
        if answer is None:
            return None
        return {**from_api(self.fields, answer), "dashboardName": id, "dashboardArn": answer["DashboardArn"]}

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        client("cloudwatch").put_dashboard(**to_api(self.fields, new))

    def remove(self, id: str, state: Values) -> None:
        gone = ("ResourceNotFound", "DashboardNotFoundError")
        found(lambda: client("cloudwatch").delete_dashboards(DashboardNames=[id]), *gone)


class LogGroup(AwsResource):
    token = "aws:cloudwatch/logGroup:LogGroup"
    fields = {
        "name": Field(api="logGroupName", replace=True),
        "retentionInDays": Field(api="retentionInDays", default=0),
        "kmsKeyId": Field(api="kmsKeyId"),
        "logGroupClass": Field(api="logGroupClass", replace=True, computed=True),
        "skipDestroy": Field(settings=True, default=False),
    }
    made = frozenset({"arn"})
    autoname = Autoname(max_length=512)
    tagging = tagging.LOGS

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        parameters = to_api(self.fields, inputs)
        parameters.pop("retentionInDays", None)
        client("logs").create_log_group(**parameters, **({"tags": dict(tags)} if tags else {}))
        return str(inputs["name"])

    def finish(self, id: str, inputs: Values, tags: Mapping[str, str]) -> None:
        if inputs.get("retentionInDays"):
            self._retain(id, inputs["retentionInDays"])

    def _retain(self, name: str, days: int) -> None:
        if days:
            client("logs").put_retention_policy(logGroupName=name, retentionInDays=days)
        else:
            client("logs").delete_retention_policy(logGroupName=name)

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        groups = pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=id)
        group = next((item for item in groups if item["logGroupName"] == id), None)
        if group is None:
            return None
        # CloudWatch Logs ends the ARN with ":*"; tags and policies want it without, and so the provider has
        # it.
        arn = str(group["arn"]).removesuffix(":*")
        tags = client("logs").list_tags_for_resource(resourceArn=arn)["tags"]
        return {
            "retentionInDays": 0,
            **from_api(self.fields, group),
            "arn": arn,
            "tagsAll": self.tagging.unpack(tags),
        }

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        if "retentionInDays" in changed:
            self._retain(id, new.get("retentionInDays", 0))
        if "kmsKeyId" in changed and new.get("kmsKeyId"):
            client("logs").associate_kms_key(logGroupName=id, kmsKeyId=new["kmsKeyId"])
        elif "kmsKeyId" in changed:
            client("logs").disassociate_kms_key(logGroupName=id)

    def remove(self, id: str, state: Values) -> None:
        if not state.get("skipDestroy"):
            found(lambda: client("logs").delete_log_group(logGroupName=id), "ResourceNotFoundException")
