"""The table of models."""

from collections.abc import Mapping
from typing import Any

from emulator.context import Context
from emulator.sagemaker import containers
from emulator.sagemaker.packages.versions import Packages
from emulator.sagemaker.seam import (
    LOCK,
    Params,
    Record,
    backend,
    checked_tags,
    choose,
    page,
    present,
    refusal,
)

SUMMARY = ("ModelName", "ModelArn", "CreationTime")


class Models:
    """The actions of models."""

    def __init__(self, context: Context, packages: Packages) -> None:
        self._context = context
        self._packages = packages

    def create(self, params: Params) -> Mapping[str, Any]:
        name = params["ModelName"]
        arn = self._context.arn("sagemaker", f"model/{name}")
        primary, several = params.get("PrimaryContainer"), params.get("Containers")
        if bool(primary) == bool(several):
            raise refusal("Exactly one of PrimaryContainer and Containers must be provided.")
        for given in [primary] if primary else several or []:
            if not given.get("ModelPackageName") and not given.get("Image"):
                raise refusal("Image must be provided for a container without a ModelPackageName.")
            self._check_package(given)
            containers.check([given])
        with LOCK:
            if name in self._table():
                raise refusal(f'Cannot create already existing model "{arn}".')
            fields = present(
                {
                    "ModelName": name,
                    "ModelArn": arn,
                    "PrimaryContainer": primary,
                    "Containers": several,
                    "InferenceExecutionConfig": params.get("InferenceExecutionConfig"),
                    "ExecutionRoleArn": params.get("ExecutionRoleArn"),
                    "VpcConfig": params.get("VpcConfig"),
                    "EnableNetworkIsolation": bool(params.get("EnableNetworkIsolation")),
                    "CreationTime": self._context.clock.now(),
                }
            )
            self._table()[name] = Record(arn, fields, checked_tags(params.get("Tags")))
        return {"ModelArn": arn}

    def describe(self, params: Params) -> Mapping[str, Any]:
        return self.find(params["ModelName"]).fields

    def list(self, params: Params) -> Mapping[str, Any]:
        chosen = choose(
            self._table().values(),
            params,
            name="ModelName",
            sort_keys={"Name": "ModelName", "CreationTime": "CreationTime"},
        )
        records, token = page(chosen, params)
        return {"Models": [{key: r.fields[key] for key in SUMMARY} for r in records], "NextToken": token}

    def delete(self, params: Params) -> None:
        with LOCK:
            record = self.find(params["ModelName"])
            del self._table()[record.fields["ModelName"]]

    def find(self, name: str) -> Record:
        """The model.

        Raises:
            RefusalError: ValidationException if there is none.
        """
        record: Record | None = self._table().get(name)
        if record is None:
            raise refusal(f'Could not find model "{self._context.arn("sagemaker", f"model/{name}")}".')
        return record

    def container(self, name: str) -> Mapping[str, Any]:
        """The first container of the model, over that of its package where it names one.

        Raises:
            RefusalError: ValidationException if the model or its package does not exist.
        """
        fields = self.find(name).fields
        given: dict[str, Any] = fields.get("PrimaryContainer") or fields["Containers"][0]
        package = given.get("ModelPackageName")
        if not package:
            return given
        found = self._packages.find(package)
        base = found.fields["InferenceSpecification"]["Containers"][0]
        environment = {**(base.get("Environment") or {}), **(given.get("Environment") or {})}
        return {**base, **given, "ModelPackageName": found.arn, "Environment": environment}

    def _check_package(self, container: Mapping[str, Any]) -> None:
        name = container.get("ModelPackageName")
        if not name:
            return
        package = self._packages.find(name)
        if not (package.fields.get("InferenceSpecification") or {}).get("Containers"):
            raise refusal(f"Model package {package.arn} has no inference specification.")
        # CreateModelPackage, ModelApprovalStatus: "For versioned models, the value of this parameter must be set to
        # Approved to deploy the model."
        status = package.fields.get("ModelApprovalStatus")
        if "ModelPackageVersion" in package.fields and status != "Approved":
            raise refusal(
                f"Cannot create a model from model package {package.arn}: its ModelApprovalStatus is {status}, "
                "and must be Approved."
            )

    def _table(self) -> dict[str, Any]:
        table: dict[str, Any] = backend(self._context)._models
        return table
