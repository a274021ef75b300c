"""AddTags, ListTags and DeleteTags where moto answers 500: ARNs with three parts, and what does not exist."""

from typing import Any

from moto.sagemaker.models import SageMakerModelBackend

from emulator.sagemaker.seam import refusal

_installed = False


def install() -> None:
    """Replace moto's look-up by ARN, once a process."""
    global _installed
    if _installed:
        return
    _installed = True
    original = SageMakerModelBackend._get_resource_from_arn

    def find(self: Any, arn: str) -> Any:
        kind, _, name = arn.split(":", 5)[-1].partition("/")
        if kind == "model-package":
            resource = self.model_packages.get(arn)
        else:
            try:
                resource = original(self, arn)
            except (ValueError, AttributeError):
                resource = None
        if resource is None:
            raise refusal(f"Could not find {kind} with name {name}")
        if resource.tags is None:
            resource.tags = []
        return resource

    def add(self: Any, arn: str, tags: list[dict[str, str]]) -> list[dict[str, str]]:
        # moto appends, so a key that is there already would be there twice.
        resource = find(self, arn)
        keys = {tag["Key"] for tag in tags}
        resource.tags = [tag for tag in resource.tags if tag["Key"] not in keys] + list(tags)
        return list(resource.tags)

    SageMakerModelBackend._get_resource_from_arn = find  # type: ignore[method-assign]
    SageMakerModelBackend.add_tags = add  # type: ignore[method-assign]
