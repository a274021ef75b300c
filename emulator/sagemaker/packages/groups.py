"""Model package groups."""

from collections.abc import Mapping
from typing import Any

from emulator.context import Context
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

SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageGroupArn",
    "ModelPackageGroupDescription",
    "CreationTime",
    "ModelPackageGroupStatus",
)


class Groups:
    """The actions of model package groups."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def create(self, params: Params) -> Mapping[str, Any]:
        name = params["ModelPackageGroupName"]
        arn = self._arn(name)
        with LOCK:
            if name in self._table():
                raise refusal(f"Model Package Group already exists: {arn}")
            fields = present(
                {
                    "ModelPackageGroupName": name,
                    "ModelPackageGroupArn": arn,
                    "ModelPackageGroupDescription": params.get("ModelPackageGroupDescription"),
                    "CreationTime": self._context.clock.now(),
                    "ModelPackageGroupStatus": "Completed",
                }
            )
            self._table()[name] = Record(arn, fields, checked_tags(params.get("Tags")))
        return {"ModelPackageGroupArn": arn}

    def describe(self, params: Params) -> Mapping[str, Any]:
        return self.find(params["ModelPackageGroupName"]).fields

    def list(self, params: Params) -> Mapping[str, Any]:
        chosen = choose(
            self._table().values(),
            params,
            name="ModelPackageGroupName",
            sort_keys={"Name": "ModelPackageGroupName", "CreationTime": "CreationTime"},
            default_order="Ascending",
        )
        records, token = page(chosen, params)
        summaries = [{key: r.fields[key] for key in SUMMARY if key in r.fields} for r in records]
        return {"ModelPackageGroupSummaryList": summaries, "NextToken": token}

    def delete(self, params: Params) -> None:
        with LOCK:
            record = self.find(params["ModelPackageGroupName"])
            name = record.fields["ModelPackageGroupName"]
            if any(
                package.fields.get("ModelPackageGroupName") == name
                for package in backend(self._context).model_packages.values()
            ):
                raise refusal(
                    f"Model Package Group {record.arn} cannot be deleted because it contains model packages.",
                    "ConflictException",
                )
            del self._table()[name]

    def find(self, name_or_arn: str) -> Record:
        """The group.

        Raises:
            RefusalError: ValidationException if there is none.
        """
        name = name_or_arn.rpartition("/")[2]
        record: Record | None = self._table().get(name)
        if record is None:
            raise refusal(f"ModelPackageGroup {self._arn(name)} does not exist.")
        return record

    def _arn(self, name: str) -> str:
        return self._context.arn("sagemaker", f"model-package-group/{name}")

    def _table(self) -> dict[str, Any]:
        table: dict[str, Any] = backend(self._context).model_package_groups
        return table
