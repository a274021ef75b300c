"""The one reader of a pipelines stack's configuration."""

from sluice.program import StackSettings


class PipelineSettings(StackSettings):
    """
    Attributes:
        workload: the folder under `workloads/`.
        platform_stack: the stack of the platform, `organization/sluice-platform/<env>`.
    """

    workload: str
    platform_stack: str
