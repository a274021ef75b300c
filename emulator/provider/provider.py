"""The provider `aws`: its configuration and its types."""

# ruff: noqa: ARG002 - the kit gives every method its context.

import os
from collections.abc import Mapping, Sequence
from typing import Any

from emulator.provider import clients
from emulator.provider.fields import Values
from emulator.provider.functions import FUNCTIONS
from emulator.provider.types import TYPES
from sluice.provider import UNKNOWN, Context, Failure, Provider, contains_unknown

VERSION = "7.51.1"
"""The version of pulumi-aws whose tokens and property names are served."""

_ACCEPTED = {"region", "defaultTags", "endpoints", "accessKey", "secretKey", "token", "s3UsePathStyle"}
_ACCEPTED |= {"skipCredentialsValidation", "skipMetadataApiCheck", "skipRegionValidation"}
_ACCEPTED |= {"skipRequestingAccountId"}
_ENGINE = {"version", "pluginDownloadURL", "pluginChecksums", "__internal"}


class AwsProvider(Provider):
    """A process serves one configuration: its region, endpoints and keys become the process's environment,
    where every boto3 client finds them."""

    def __init__(self) -> None:
        super().__init__("aws", VERSION, [kind() for kind in TYPES], FUNCTIONS)

    def check_config(self, context: Context, config: Values) -> Sequence[Failure]:
        failures = [
            Failure(name, f"the emulator's provider does not map the configuration aws:{name}")
            for name, value in config.items()
            if value is not None and name not in _ACCEPTED | _ENGINE
        ]
        tags = config.get("defaultTags")
        if isinstance(tags, Mapping) and (unknown := set(tags) - {"tags"}):
            failures.append(Failure("defaultTags", f"{sorted(unknown)[0]!r} is not mapped"))
        return failures

    def configure(self, context: Context, config: Values) -> Values:
        known = {name: value for name, value in config.items() if not contains_unknown(value)}
        for name, value in environment(known).items():
            os.environ[name] = value
        clients.forget()
        return known


def environment(config: Values) -> dict[str, str]:
    """The variables that make boto3 act on the configuration. Pure."""
    names = {"region": "AWS_REGION", "accessKey": "AWS_ACCESS_KEY_ID", "secretKey": "AWS_SECRET_ACCESS_KEY"}
    names["token"] = "AWS_SESSION_TOKEN"
    found = {variable: str(config[name]) for name, variable in names.items() if config.get(name)}
    for endpoints in config.get("endpoints") or []:
        for service, url in endpoints.items():
            found[f"AWS_ENDPOINT_URL_{_SERVICE_VARIABLES.get(service, service.upper())}"] = str(url)
    return found


# https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html, where it is not the name in
# capitals.
_SERVICE_VARIABLES: Mapping[str, Any] = {
    "appautoscaling": "APPLICATION_AUTO_SCALING",
    "logs": "CLOUDWATCH_LOGS",
}

__all__ = ["UNKNOWN", "VERSION", "AwsProvider", "environment"]
