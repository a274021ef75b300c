"""EC2: the description of a rule between two security groups."""

from typing import Any

from moto.ec2.models.security_groups import SecurityGroupRule


def install() -> None:
    """moto reads the description of address ranges only."""

    def description(self: Any) -> str | None:
        found = self.ip_range.get("Description") or (self.source_group or {}).get("Description")
        return found or (self.prefix_list_id or {}).get("Description")

    setattr(SecurityGroupRule, "description", property(description))  # noqa: B010 - mypy refuses to change a property
