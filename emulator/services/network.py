"""EC2: the description of a rule whose other side is a security group or a prefix list."""

from inspect import signature
from typing import Any

from moto.ec2.models.security_groups import SecurityGroupRule

from emulator.services.patching import original, replace


def install() -> None:
    """moto reads the description of address ranges only, and forgets a prefix list's as it stores its id."""
    made_by_moto = original(SecurityGroupRule, "__init__")

    def made(self: Any, *given: Any, **named: Any) -> None:
        made_by_moto(self, *given, **named)
        source = signature(made_by_moto).bind(self, *given, **named).arguments.get("prefix_list_id")
        self.said_of_prefix_list = (source or {}).get("Description")

    def description(self: Any) -> str | None:
        found: str | None = self.ip_range.get("Description") or (self.source_group or {}).get("Description")
        said: str | None = self.said_of_prefix_list
        return found or said

    replace(SecurityGroupRule, "__init__", made)
    setattr(SecurityGroupRule, "description", property(description))  # noqa: B010 - mypy refuses to change a property
