"""What the shadow stage has shown so far, as one value."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from endpoints.release import captures
from endpoints.release.captures import PRODUCTION, SHADOW, Place
from endpoints.release.file import Challenger, Champion, Moment
from endpoints.release.join import Counts, join
from sluice.config import Frozen
from sluice.naming import canonical, content_hash


class Evidence(Frozen):
    """Counts, from captures and from SageMaker's own metrics. None is: not known.

    Attributes:
        since, until: the time that is counted; `since` is the shadow's first answer.
        production_rows: rows that production answered in that time.
        pairs: rows that both answered; `agreed` of them with the same decision.
        shadow_requests, shadow_errors: of SageMaker's metrics: requests sent to the shadow, and those of them that
            failed; client errors count only where production had none.
    """

    endpoint: str
    config: str
    champion: str
    challenger: str
    version: str
    since: Moment | None
    until: Moment
    production_rows: int
    shadow_rows: int
    pairs: int
    agreed: int
    joined_by_id: int
    joined_by_payload: int
    shadow_answers: int
    shadow_unreadable: int
    other_versions: int
    mean_score_difference: float | None
    largest_score_difference: float | None
    production_requests: int | None
    shadow_requests: int | None
    shadow_errors: int | None

    @property
    def join_rate(self) -> float | None:
        """Of the production rows, those whose shadow answer was found."""
        return self.pairs / self.production_rows if self.production_rows else None

    @property
    def agreement(self) -> float | None:
        """Of the pairs, those with the same decision."""
        return self.agreed / self.pairs if self.pairs else None

    @property
    def error_rate(self) -> float | None:
        """Of the requests sent to the shadow, those that failed or were answered in no readable form."""
        if not self.shadow_requests or self.shadow_errors is None:
            return None
        unreadable = self.shadow_unreadable / self.shadow_answers if self.shadow_answers else 0.0
        return min(1.0, self.shadow_errors / self.shadow_requests + unreadable)


def gather(
    endpoint: str,
    champion: Champion,
    challenger: Challenger,
    now: datetime,
    lag: timedelta,
    clients: Mapping[str, Any],
) -> Evidence:
    """Read the captures and the metrics of the shadow stage.

    Args:
        lag: captures younger than this may still be on their way to S3, and are left out.
        clients: boto3 clients `sagemaker`, `s3`, `cloudwatch`.
    """
    described = clients["sagemaker"].describe_endpoint(EndpointName=endpoint)
    config = described["EndpointConfigName"]
    destination = described.get("DataCaptureConfig", {}).get("DestinationS3Uri", "")
    until = now - lag
    counts = Counts()
    if destination:
        place = Place.of(destination, endpoint)
        production, shadow = (
            captures.records(clients["s3"], place, variant, challenger.since)
            for variant in (PRODUCTION, SHADOW)
        )
        counts = join(production, shadow, challenger.version, until)
    read = Metrics(clients["cloudwatch"], endpoint, config, challenger.since, now)
    return _evidence(endpoint, config, champion, challenger, until, counts, read)


class Metrics:
    """Sums of SageMaker's invocation metrics of one config: what ran before the shadow is not in them."""

    def __init__(self, cloudwatch: Any, endpoint: str, config: str, since: datetime, now: datetime) -> None:
        self._cloudwatch = cloudwatch
        self._endpoint = endpoint
        self._config = config
        # Metrics are stored by whole minutes.
        self._since = since.replace(second=0, microsecond=0)
        self._now = now + timedelta(minutes=1)

    def sum(self, variant: str, metric: str) -> int | None:
        """The sum of the metric over the stage; None if there is not one value."""
        dimensions = {
            "EndpointName": self._endpoint,
            "VariantName": variant,
            "EndpointConfigName": self._config,
        }
        query = {
            "Id": "wanted",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SageMaker",
                    "MetricName": metric,
                    "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
                },
                "Period": 60 if self._now - self._since < timedelta(days=14) else 300,
                "Stat": "Sum",
            },
        }
        pages = self._cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[query], StartTime=self._since, EndTime=self._now
        )
        values = [
            value for page in pages for result in page["MetricDataResults"] for value in result["Values"]
        ]
        return int(sum(values)) if values else None


def _evidence(
    endpoint: str,
    config: str,
    champion: Champion,
    challenger: Challenger,
    until: datetime,
    counts: Counts,
    metrics: Metrics,
) -> Evidence:
    requests = metrics.sum(SHADOW, "Invocations")
    errors = None
    if requests is not None:
        # With requests but without a value of an error metric, SageMaker has seen no such error.
        server = metrics.sum(SHADOW, "Invocation5XXErrors") or 0
        client = metrics.sum(SHADOW, "Invocation4XXErrors") or 0
        # A bad request fails in both; what only the shadow refuses is the shadow's error.
        errors = server + max(0, client - (metrics.sum(PRODUCTION, "Invocation4XXErrors") or 0))
    return Evidence(
        endpoint=endpoint,
        config=config,
        champion=champion.package,
        challenger=challenger.package,
        version=challenger.version,
        since=counts.first,
        until=until,
        production_rows=counts.production_rows,
        shadow_rows=counts.shadow_rows,
        pairs=counts.pairs,
        agreed=counts.agreed,
        joined_by_id=counts.joined_by_id,
        joined_by_payload=counts.joined_by_payload,
        shadow_answers=counts.shadow_answers,
        shadow_unreadable=counts.shadow_unreadable,
        other_versions=counts.other_versions,
        mean_score_difference=counts.score_difference_sum / counts.pairs if counts.pairs else None,
        largest_score_difference=counts.score_difference_max if counts.pairs else None,
        production_requests=metrics.sum(PRODUCTION, "Invocations"),
        shadow_requests=requests,
        shadow_errors=errors,
    )


def keep(evidence: Evidence, checks: Any, clients: Mapping[str, Any]) -> str:
    """Write the evidence beside the captures it is made of; its S3 URI. The name is of the content."""
    described = clients["sagemaker"].describe_endpoint(EndpointName=evidence.endpoint)
    capture = described["DataCaptureConfig"]
    place = Place.of(capture["DestinationS3Uri"], evidence.endpoint)
    value = {"evidence": evidence.model_dump(mode="json"), "checks": checks}
    name = f"evidence/{evidence.endpoint}/{evidence.version}-{content_hash(value)}.json"
    key = "/".join(part for part in (place.prefix, name) if part)
    encryption = (
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": capture["KmsKeyId"]}
        if capture.get("KmsKeyId")
        else {}
    )
    clients["s3"].put_object(
        Bucket=place.bucket, Key=key, Body=canonical(value), ContentType="application/json", **encryption
    )
    return f"s3://{place.bucket}/{key}"
