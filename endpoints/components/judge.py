"""The judge of a workload's releases: the watch as a function on a schedule, and the alarms on what it says."""

import json
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from endpoints.watch.handler import NAMESPACE, SOURCE
from policies.iam import grants
from policies.iam.statements import Statement, allow, document, service_trust
from sluice import naming
from sluice.components.role import ServiceRole, ServiceRoleArgs
from sluice.outputs import PlatformOutputs

TIMEOUT_SECONDS = 90
"""The function looks for up to a minute in one invocation; the last look may take its time."""
MEMORY_MB = 1024
HEARTBEAT_PERIODS = 6
"""Of the alarm: so long may the judge be silent."""


def verdict_alarm_name(endpoint: str) -> str:
    """In ALARM while the judge's verdict on the config is fail."""
    return f"{endpoint}-judge-verdict"


def heartbeat_alarm_name(endpoint: str) -> str:
    """In ALARM while the judge does not look."""
    return f"{endpoint}-judge-heartbeat"


def judge_alarm_names(endpoint: str) -> list[str]:
    """What turns a canary back beside the alarms of `alarms.rollback_alarm_names`. A way back never waits for them."""
    return [verdict_alarm_name(endpoint), heartbeat_alarm_name(endpoint)]


@dataclass
class JudgeArgs:
    """
    Attributes:
        endpoint_name: the endpoint.
        config_name: the endpoint config on trial; the verdict's alarm watches that of this config alone.
        image_uri: of the watch, by digest.
        subject: what is on trial, as `endpoints.watch.subject.Subject` in JSON; None: nothing is.
        every_seconds: between two looks; EventBridge fires once a minute at most, and below that the function looks
            again by itself.
        lag_seconds: captures and metrics younger than this may not have arrived.
        period_seconds: of the alarms, and of the metrics that are read.
    """

    workload: str
    environment: str
    endpoint_name: str
    config_name: pulumi.Input[str]
    image_uri: pulumi.Input[str]
    platform: pulumi.Output[PlatformOutputs]
    subject: pulumi.Input[dict[str, Any] | None]
    every_seconds: int
    lag_seconds: int
    period_seconds: int
    log_retention_days: int


class Judge(pulumi.ComponentResource):
    """Looks each minute, and when SageMaker says that the endpoint changed. It is a passive observer: it may read the
    evidence and say what it thinks, and nothing of SageMaker may it change."""

    def __init__(self, name: str, args: JudgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:endpoints:Judge", name, None, opts)
        self._name, self._args = f"{name}-judge", args
        self._child = pulumi.ResourceOptions(parent=self)
        self.function_name = naming.name(args.workload, args.environment, "judge")
        log = aws.cloudwatch.LogGroup(
            self._name,
            name=f"/aws/lambda/{self.function_name}",
            retention_in_days=args.log_retention_days,
            kms_key_id=args.platform.apply(lambda at: at.operations_key_arn),
            opts=self._child,
        )
        self.function = aws.lambda_.Function(
            self._name,
            name=self.function_name,
            package_type="Image",
            image_uri=args.image_uri,
            role=self._role().arn,
            description=f"Judges the releases of {args.workload}; it changes nothing",
            timeout=TIMEOUT_SECONDS,
            memory_size=MEMORY_MB,
            environment={
                "variables": {
                    "SLUICE_LAG_SECONDS": str(args.lag_seconds),
                    "SLUICE_PERIOD_SECONDS": str(args.period_seconds),
                }
            },
            vpc_config=args.platform.apply(
                lambda at: {
                    "subnet_ids": list(at.private_subnet_ids),
                    "security_group_ids": [at.jobs_security_group_id],
                }
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[log]),
        )
        event = pulumi.Output.from_input(args.subject).apply(
            lambda subject: json.dumps(
                {
                    "workload": args.workload,
                    "endpoint": args.endpoint_name,
                    "subject": subject,
                    "every": args.every_seconds,
                },
                sort_keys=True,
            )
        )
        self._fired_by("schedule", event, schedule_expression="rate(1 minute)")
        # A canary may be half over before the minute is.
        self._fired_by("change", event, event_pattern=_changes_of(args.endpoint_name))
        self._verdict()
        self._heartbeat()
        self.register_outputs({})

    def _role(self) -> ServiceRole:
        args = self._args
        role = ServiceRole(
            self._name,
            ServiceRoleArgs(
                args.platform.apply(lambda at: service_trust("lambda.amazonaws.com", at.account_id)),
                args.platform.apply(lambda at: at.permissions_boundary_arn),
                f"Sluice: the judge of {args.workload}, who only looks",
            ),
            self._child,
        )
        role.grant(
            "look",
            args.platform.apply(
                lambda at: document(
                    *judge_statements(at, args.workload, args.endpoint_name, self.function_name)
                )
            ),
        )
        return role

    def _fired_by(self, why: str, event: pulumi.Output[str], **rule: Any) -> None:
        name = f"{self._name}-{why}"
        fires = aws.cloudwatch.EventRule(
            name, description=f"Lets the judge of {self._args.workload} look", opts=self._child, **rule
        )
        allowed = aws.lambda_.Permission(
            name,
            function=self.function.name,
            action="lambda:InvokeFunction",
            principal="events.amazonaws.com",
            source_arn=fires.arn,
            opts=self._child,
        )
        aws.cloudwatch.EventTarget(
            name,
            rule=fires.name,
            arn=self.function.arn,
            input=event,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[allowed]),
        )

    def _verdict(self) -> None:
        args, name = self._args, verdict_alarm_name(self._args.endpoint_name)
        aws.cloudwatch.MetricAlarm(
            name,
            name=name,
            alarm_description="The judge found the version on trial worse than its margins tolerate",
            namespace=NAMESPACE,
            metric_name="judge_verdict",
            dimensions={"EndpointName": args.endpoint_name, "EndpointConfigName": args.config_name},
            statistic="Maximum",
            period=args.period_seconds,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=1,
            evaluation_periods=1,
            # A judge who says nothing is the other alarm's matter.
            treat_missing_data="notBreaching",
            alarm_actions=[args.platform.apply(lambda at: at.alerts_topic_arn)],
            opts=self._child,
        )

    def _heartbeat(self) -> None:
        args, name = self._args, heartbeat_alarm_name(self._args.endpoint_name)
        topic = args.platform.apply(lambda at: at.alerts_topic_arn)
        aws.cloudwatch.MetricAlarm(
            name,
            name=name,
            alarm_description="The judge does not look: without it nothing is promoted, and a canary is turned back",
            namespace=NAMESPACE,
            metric_name="judge_heartbeat",
            # Of no config: it beats on from one release to the next.
            dimensions={"EndpointName": args.endpoint_name},
            statistic="SampleCount",
            period=args.period_seconds,
            comparison_operator="LessThanThreshold",
            threshold=1,
            evaluation_periods=HEARTBEAT_PERIODS,
            datapoints_to_alarm=HEARTBEAT_PERIODS,
            treat_missing_data="breaching",
            alarm_actions=[topic],
            ok_actions=[topic],
            opts=self._child,
        )


def _changes_of(endpoint: str) -> str:
    return json.dumps(
        {
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Endpoint State Change"],
            "detail": {"EndpointName": [endpoint]},
        }
    )


def judge_statements(at: PlatformOutputs, workload: str, endpoint: str, function: str) -> list[Statement]:
    """Read captures, labels and metrics; write its own state, its reports, its metrics and its events. Of SageMaker:
    see the endpoint."""
    capture = grants.Bucket(at.capture_bucket, grants.Key(at.capture_key_arn, at.region))
    data = grants.Bucket(at.data_bucket, grants.Key(at.data_key_arn, at.region))
    audit = grants.Bucket(at.audit_bucket, grants.Key(at.audit_key_arn, at.region))
    return [
        *capture.read("Captures", f"{workload}/"),
        *capture.write("State", f"{workload}/judge/"),
        *data.read("Labels", f"{workload}/labels/"),
        *audit.write("Reports", f"{workload}/"),
        # What is live is judged by the report that its release file names, of that very version.
        audit.read_versions("Reports", f"{workload}/"),
        grants.Key(at.evidence_signing_key_arn, at.region).sign("Reports"),
        allow(
            "SeeTheEndpoint",
            ["sagemaker:DescribeEndpoint"],
            [f"arn:aws:sagemaker:{at.region}:{at.account_id}:endpoint/{endpoint}"],
        ),
        allow("ReadMetrics", ["cloudwatch:GetMetricData"], ["*"]),
        grants.own_metrics(NAMESPACE),
        allow(
            "SayVerdicts",
            ["events:PutEvents"],
            [f"arn:aws:events:{at.region}:{at.account_id}:event-bus/default"],
            {"StringEquals": {"events:source": SOURCE}},
        ),
        grants.function_logs(at.region, at.account_id, function),
        *grants.function_interfaces(at.region, at.account_id),
    ]
