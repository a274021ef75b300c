"""The one reader of the platform's stack configuration."""

import ipaddress

from pydantic import Field, field_validator

from sluice.program import StackSettings


class PlatformSettings(StackSettings):
    """
    Attributes:
        vpc_cidr: the VPC's range.
        log_retention_days: how long logs are kept; a value that CloudWatch Logs offers.
        account_stack: the stack of the once-per-account program.
    """

    vpc_cidr: str = "10.40.0.0/16"
    log_retention_days: int = Field(default=365)
    account_stack: str

    @field_validator("vpc_cidr")
    @classmethod
    def _private(cls, value: str) -> str:
        network = ipaddress.IPv4Network(value)
        if not network.is_private or network.prefixlen > 24:
            raise ValueError(f"{value} must be a private IPv4 range of /24 or larger")
        return value
