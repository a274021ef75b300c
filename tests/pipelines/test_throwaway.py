from typing import Any

from botocore.exceptions import ClientError

from pipelines.throwaway.plugin import ThrowawayPackages


class Registry:
    """SageMaker's registry as far as the resource goes."""

    def __init__(self, **groups: list[str]) -> None:
        self.groups = groups

    def _group(self, name: str) -> list[str]:
        if name not in self.groups:
            error = {"Code": "ValidationException", "Message": f"ModelPackageGroup {name} does not exist."}
            raise ClientError({"Error": error}, "ListModelPackages")  # type: ignore[arg-type]
        return self.groups[name]

    def describe_model_package_group(self, ModelPackageGroupName: str) -> dict[str, Any]:
        self._group(ModelPackageGroupName)
        return {}

    def get_paginator(self, _: str) -> "Registry":
        return self

    def paginate(self, ModelPackageGroupName: str) -> Any:
        arns = [{"ModelPackageArn": arn} for arn in self._group(ModelPackageGroupName)]
        yield {"ModelPackageSummaryList": arns[:2]}
        yield {"ModelPackageSummaryList": arns[2:]}

    def delete_model_package(self, ModelPackageName: str) -> None:
        for packages in self.groups.values():
            if ModelPackageName in packages:
                packages.remove(ModelPackageName)


class Quiet:
    """A context that is never cancelled."""

    def raise_if_cancelled(self) -> None:
        return


def resource(registry: Registry) -> ThrowawayPackages:
    return ThrowawayPackages(lambda: registry)


def test_it_takes_every_package_of_its_group_and_no_other() -> None:
    registry = Registry(flights=["a", "b", "c"], weld=["d"])
    resource(registry).delete(Quiet(), "flights", {}, {})  # type: ignore[arg-type]
    assert registry.groups == {"flights": [], "weld": ["d"]}


def test_a_group_that_is_gone_needs_nothing() -> None:
    resource(Registry()).delete(Quiet(), "flights", {}, {})  # type: ignore[arg-type]
    assert resource(Registry()).read(Quiet(), "flights", {}, {}) is None  # type: ignore[arg-type]


def test_refresh_sees_the_group() -> None:
    found = resource(Registry(flights=[])).read(Quiet(), "flights", {}, {})  # type: ignore[arg-type]
    assert found is not None and found.inputs == {"group": "flights"}


def test_making_it_deletes_nothing() -> None:
    registry = Registry(flights=["a"])
    assert resource(registry).create(Quiet(), {"group": "flights"}).id == "flights"  # type: ignore[arg-type]
    assert registry.groups == {"flights": ["a"]}
