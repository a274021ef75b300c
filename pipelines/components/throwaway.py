"""`mlops:pipelines:ThrowawayPackages` as the program declares it."""

import pulumi

from pipelines.throwaway.plugin import TOKEN


class ThrowawayPackages(pulumi.CustomResource):
    """Declared in throwaway stacks alone: `pulumi destroy` deletes the group's packages before the group."""

    def __init__(
        self, name: str, group: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(TOKEN, name, {"group": group}, opts)
