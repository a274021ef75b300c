"""The contract between programs: typed stack outputs. A program reads no other program's code, only these."""

from typing import TYPE_CHECKING, Any, Self

from sluice.config import Frozen, parse

if TYPE_CHECKING:
    # Commands read these contracts too, and most of them have no other use for the SDK, which takes long to import.
    import pulumi


class StackOutputs(Frozen):
    """What one program exports, field by field."""

    @classmethod
    def from_stack(cls, stack: str) -> "pulumi.Output[Self]":
        """The outputs of `organization/<project>/<stack>`, checked. Known at preview, for they are of a stack
        that is already up."""
        import pulumi

        fields = cls.model_fields

        def checked(values: dict[str, Any]) -> Any:
            if not values:
                # RunError is the one that Pulumi shows without a traceback.
                raise pulumi.RunError(
                    f"The stack {stack} is not up, and this program needs its outputs. Run it first."
                )
            return parse(
                cls, {name: values[name] for name in fields if name in values}, f"the outputs of {stack}"
            )

        return pulumi.StackReference(stack).outputs.apply(checked)

    @classmethod
    def export(cls, **values: "pulumi.Input[object]") -> None:
        """Export `values` from the running program.

        Raises:
            TypeError: if they are not exactly the fields of this contract.
        """
        import pulumi

        missing = set(cls.model_fields) - set(values)
        unknown = set(values) - set(cls.model_fields)
        if missing or unknown:
            raise TypeError(f"{cls.__name__}: missing {sorted(missing)}, unknown {sorted(unknown)}")
        for name, value in values.items():
            pulumi.export(name, value)


class AccountOutputs(StackOutputs):
    """Of `sluice-account`, once an account and region."""

    account_id: str
    region: str
    state_bucket: str
    secrets_key_arn: str
    permissions_boundary_arn: str


class PlatformOutputs(StackOutputs):
    """Of `sluice-platform`, once an environment and region. Buckets are names."""

    account_id: str
    region: str
    environment: str
    permissions_boundary_arn: str
    vpc_id: str
    private_subnet_ids: tuple[str, ...]
    """One in each of three availability zones, in the zones' order."""
    jobs_security_group_id: str
    serving_security_group_id: str
    data_bucket: str
    data_key_arn: str
    artifacts_bucket: str
    artifacts_key_arn: str
    capture_bucket: str
    capture_key_arn: str
    audit_bucket: str
    audit_key_arn: str
    evidence_signing_key_arn: str
    """Asymmetric; it signs the judge's reports."""
    image_repository: str
    """Name of the ECR repository of the snapshots."""
    image_repository_url: str
    alerts_topic_arn: str
    operations_key_arn: str
    """Of logs, alarms and alerts."""


class PipelineOutputs(StackOutputs):
    """Of `sluice-pipelines`, one stack a workload."""

    workload: str
    training_pipeline: str
    training_pipeline_arn: str
    model_package_group: str
    isolated_role_arn: str
    connected_role_arn: str
    pipeline_role_arn: str


class EndpointOutputs(StackOutputs):
    """Of `sluice-endpoints`, one stack a workload. All but the workload is empty before the first champion."""

    workload: str
    endpoint_name: str
    endpoint_config_name: str
    serving_role_arn: str
    rollback_alarms: tuple[str, ...]
    abort_alarm: str
