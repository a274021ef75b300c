"""A role that an AWS service takes on, within the account's permissions boundary."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass
class ServiceRoleArgs:
    """
    Attributes:
        trust: who may take the role: a trust policy document.
        boundary_arn: no role of ours is without the permissions boundary.
        purpose: what the role is for, in a sentence; an auditor reads it.
    """

    trust: pulumi.Input[str]
    boundary_arn: pulumi.Input[str]
    purpose: str


class ServiceRole(pulumi.ComponentResource):
    """A role; `grant` gives it rights. `arn` waits for every grant, so what takes the role finds them."""

    def __init__(self, name: str, args: ServiceRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:iam:ServiceRole", name, None, opts)
        self._name = name
        self._grants: list[pulumi.Resource] = []
        self.role = aws.iam.Role(
            name,
            assume_role_policy=args.trust,
            permissions_boundary=args.boundary_arn,
            description=args.purpose,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"roleArn": self.role.arn})

    def grant(self, name: str, document: pulumi.Input[str]) -> None:
        """Give the role the rights of a policy document, as an inline policy of its own."""
        self._grants.append(
            aws.iam.RolePolicy(
                f"{self._name}-{name}",
                role=self.role.id,
                policy=document,
                opts=pulumi.ResourceOptions(parent=self),
            )
        )

    @property
    def arn(self) -> pulumi.Output[str]:
        """The ARN, known once all grants made so far exist."""
        policies = [grant.id for grant in self._grants]  # type: ignore[attr-defined]
        return pulumi.Output.all(self.role.arn, *policies).apply(lambda values: str(values[0]))
