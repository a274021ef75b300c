"""The alarms that turn a canary back, the operator's among them."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

SERVER_ERROR_PERCENT = 2.0
"""Of a new fleet's answers; above it the fleet is turned back. The judge has the finer measure; this is the floor
that holds without it."""

ABORT_NAMESPACE = "Sluice/Release"
ABORT_METRIC = "Abort"


def abort_alarm_name(endpoint: str) -> str:
    """The operator's alarm."""
    return f"{endpoint}-abort"


def rollback_alarm_names(endpoint: str) -> list[str]:
    """All that turn a deployment back. The names never change, only the config that the alarms watch."""
    return [f"{endpoint}-rollback-5xx", f"{endpoint}-rollback-latency", abort_alarm_name(endpoint)]


@dataclass
class RollbackAlarmsArgs:
    """
    Attributes:
        endpoint_name: the endpoint.
        config_name: the endpoint config that the alarms watch. With this dimension they see the new fleet alone;
            without it a noisy old fleet would turn every canary back (SageMaker Developer Guide, "Auto-Rollback
            Configuration and Monitoring").
        variant_name: the production variant.
        period_seconds: 10, 30 or 60.
        latency_ms: the p99 of the model's latency that is too slow.
        topic_arn: who is told.
    """

    endpoint_name: str
    config_name: pulumi.Input[str]
    variant_name: str
    period_seconds: int
    latency_ms: float
    topic_arn: pulumi.Input[str]


class RollbackAlarms(pulumi.ComponentResource):
    """The alarms of `rollback_alarm_names`."""

    def __init__(
        self, name: str, args: RollbackAlarmsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sluice:endpoints:RollbackAlarms", name, None, opts)
        self._args = args
        self._names = rollback_alarm_names(args.endpoint_name)
        self.dimensions: dict[str, pulumi.Input[str]] = {
            "EndpointName": args.endpoint_name,
            "VariantName": args.variant_name,
            "EndpointConfigName": args.config_name,
        }
        self._errors()
        self._latency()
        self._abort()
        self.register_outputs({})

    def _errors(self) -> None:
        period = self._args.period_seconds

        def total(metric_name: str, query_id: str) -> aws.cloudwatch.MetricAlarmMetricQueryArgsDict:
            return {
                "id": query_id,
                "return_data": False,
                "metric": {
                    "namespace": "AWS/SageMaker",
                    "metric_name": metric_name,
                    "dimensions": self.dimensions,
                    "period": period,
                    "stat": "Sum",
                },
            }

        aws.cloudwatch.MetricAlarm(
            self._names[0],
            name=self._names[0],
            alarm_description="Share of answers of the new fleet with a server error, in percent",
            metric_queries=[
                total("Invocation5XXErrors", "errors"),
                total("Invocations", "invocations"),
                {
                    "id": "percent",
                    "expression": "IF(invocations > 0, 100 * errors / invocations, 0)",
                    "label": "5XX percent",
                    "return_data": True,
                },
            ],
            comparison_operator="GreaterThanThreshold",
            threshold=SERVER_ERROR_PERCENT,
            evaluation_periods=3,
            datapoints_to_alarm=2,
            # No traffic is no error.
            treat_missing_data="notBreaching",
            alarm_actions=[self._args.topic_arn],
            ok_actions=[self._args.topic_arn],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _latency(self) -> None:
        aws.cloudwatch.MetricAlarm(
            self._names[1],
            name=self._names[1],
            alarm_description="p99 of the new fleet's model latency",
            namespace="AWS/SageMaker",
            metric_name="ModelLatency",
            dimensions=self.dimensions,
            extended_statistic="p99",
            period=self._args.period_seconds,
            comparison_operator="GreaterThanThreshold",
            # ModelLatency is in microseconds.
            threshold=self._args.latency_ms * 1000,
            evaluation_periods=3,
            datapoints_to_alarm=3,
            treat_missing_data="notBreaching",
            alarm_actions=[self._args.topic_arn],
            ok_actions=[self._args.topic_arn],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _abort(self) -> None:
        aws.cloudwatch.MetricAlarm(
            self._names[2],
            name=self._names[2],
            alarm_description="The operator turns this deployment back: sluice release abort",
            namespace=ABORT_NAMESPACE,
            metric_name=ABORT_METRIC,
            # Of the config, so that the abort of one release does not turn back the next.
            dimensions={
                "EndpointName": self._args.endpoint_name,
                "EndpointConfigName": self._args.config_name,
            },
            statistic="Maximum",
            period=self._args.period_seconds,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=1,
            evaluation_periods=1,
            treat_missing_data="notBreaching",
            alarm_actions=[self._args.topic_arn],
            opts=pulumi.ResourceOptions(parent=self),
        )
