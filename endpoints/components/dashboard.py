"""One page of graphs for the operator on call."""

import json
from typing import Any

from endpoints.watch.handler import NAMESPACE as JUDGE_NAMESPACE


def dashboard_body(region: str, endpoint: str, config: str, alarms: list[str]) -> str:
    """The body of a CloudWatch dashboard: alarms, traffic, errors, latency, fleet and judge of one endpoint."""

    def graph(title: str, metrics: list[list[Any]], x: int, y: int, stat: str) -> dict[str, Any]:
        return {
            "type": "metric",
            "x": x,
            "y": y,
            "width": 12,
            "height": 6,
            "properties": {
                "title": title,
                "region": region,
                "view": "timeSeries",
                "period": 10,
                "stat": stat,
                "metrics": metrics,
            },
        }

    def both(metric: str, **options: Any) -> list[list[Any]]:
        return [
            [
                "AWS/SageMaker",
                metric,
                "EndpointName",
                endpoint,
                "VariantName",
                variant,
                {"label": variant, **options},
            ]
            for variant in ("AllTraffic", "Shadow")
        ]

    account_alarms = [f"alarm:{name}" for name in alarms]
    widgets = [
        {
            "type": "text",
            "x": 0,
            "y": 0,
            "width": 24,
            "height": 2,
            "properties": {
                "markdown": f"**{endpoint}**, config `{config}`. Rollback alarms: {', '.join(account_alarms)}. "
                f"What is live and why: `sluice release status`."
            },
        },
        graph("Invocations", both("Invocations"), 0, 2, "Sum"),
        graph("Server errors", both("Invocation5XXErrors"), 12, 2, "Sum"),
        graph("Model latency p99 (µs)", both("ModelLatency"), 0, 8, "p99"),
        graph("Requests at once", both("ConcurrentRequestsPerModel"), 12, 8, "Maximum"),
        graph(
            "Evidence against the version on trial (log10)",
            [
                [
                    JUDGE_NAMESPACE,
                    "judge_log10_e",
                    "EndpointName",
                    endpoint,
                    "EndpointConfigName",
                    config,
                    {"label": "all checks"},
                ]
            ],
            0,
            14,
            "Maximum",
        ),
        graph(
            "Looks of the judge",
            [[JUDGE_NAMESPACE, "judge_heartbeat", "EndpointName", endpoint, {"label": "looks"}]],
            12,
            14,
            "SampleCount",
        ),
    ]
    return json.dumps({"widgets": widgets}, sort_keys=True)
