"""Model packages: the versions of a group, and packages without one."""

from collections.abc import Mapping
from typing import Any

from emulator.context import Context
from emulator.sagemaker import containers, events
from emulator.sagemaker.packages import change
from emulator.sagemaker.packages.groups import Groups
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
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)


class Packages:
    """The actions of model packages."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._groups = Groups(context)
        # By the table too: /moto-api/reset makes a new one, which knows nothing of these.
        self._last_version: dict[tuple[int, str], int] = {}
        self._tokens: dict[tuple[int, str], str] = {}

    def create(self, params: Params) -> Mapping[str, Any]:
        group, name = params.get("ModelPackageGroupName"), params.get("ModelPackageName")
        if group and name:
            raise refusal(
                "Both ModelPackageName and ModelPackageGroupName are provided in the input. "
                "Cannot determine which one to use."
            )
        if not group and not name:
            raise refusal("Either ModelPackageName or ModelPackageGroupName must be provided.")
        change.check_approval(params.get("ModelApprovalStatus"))
        change.check_properties(params.get("CustomerMetadataProperties"))
        if group and params.get("Tags"):
            raise refusal(
                "Tags cannot be provided for a versioned model package. Tag its model package group."
            )
        containers.check((params.get("InferenceSpecification") or {}).get("Containers") or [])
        for more in params.get("AdditionalInferenceSpecifications") or []:
            containers.check(more.get("Containers") or [])
        with LOCK:
            token = params.get("ClientToken")
            known = self._tokens.get((id(self._table()), token)) if token else None
            if known in self._table():
                return {"ModelPackageArn": known}
            fields = self._versioned(group) if group else self._unversioned(str(name))
            fields |= present({key: params.get(key) for key in change.KEPT})
            if group:
                fields.setdefault("ModelApprovalStatus", "PendingManualApproval")
            fields |= {
                "CreationTime": self._context.clock.now(),
                "ModelPackageStatus": "Completed",
                "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            }
            fields.setdefault("CertifyForMarketplace", False)
            arn = fields["ModelPackageArn"]
            # "Your model package […] uses the tags associated with the model group" (CreateModelPackage, Tags).
            tags = list(self._groups.find(group).tags) if group else checked_tags(params.get("Tags"))
            self._table()[arn] = Record(arn, fields, tags)
            if token:
                self._tokens[id(self._table()), token] = arn
        events.package_changed(self._context, fields)
        return {"ModelPackageArn": arn}

    def describe(self, params: Params) -> Mapping[str, Any]:
        return self.find(params["ModelPackageName"]).fields

    def list(self, params: Params) -> Mapping[str, Any]:
        group = params.get("ModelPackageGroupName")
        if group:
            group = self._groups.find(group).fields["ModelPackageGroupName"]
        kind = "Versioned" if group else params.get("ModelPackageType") or "Unversioned"
        records = [
            record
            for record in self._table().values()
            if (not group or record.fields.get("ModelPackageGroupName") == group)
            and (kind == "Both" or ("ModelPackageVersion" in record.fields) == (kind == "Versioned"))
        ]
        # Two versions of one moment: sorting is stable, also in reverse, so put them in the order that is asked for.
        records.sort(
            key=lambda record: record.fields.get("ModelPackageVersion", 0),
            reverse=params.get("SortOrder") == "Descending",
        )
        chosen = choose(
            records,
            params,
            name="ModelPackageGroupName" if group else "ModelPackageName",
            sort_keys={"Name": "ModelPackageArn", "CreationTime": "CreationTime"},
            default_order="Ascending",
            equals={"ModelApprovalStatus": "ModelApprovalStatus"},
        )
        found, token = page(chosen, params)
        summaries = [{key: r.fields[key] for key in SUMMARY if key in r.fields} for r in found]
        return {"ModelPackageSummaryList": summaries, "NextToken": token}

    def update(self, params: Params) -> Mapping[str, Any]:
        specification = params.get("InferenceSpecification") or {}
        containers.check(specification.get("Containers") or [])
        with LOCK:
            record = self.find(params["ModelPackageArn"])
            if params.get("ModelApprovalStatus") and "ModelPackageVersion" not in record.fields:
                raise refusal("ModelApprovalStatus can only be updated for versioned model packages.")
            before = record.fields
            record.fields = change.updated(before, params, self._context.clock.now())
        if record.fields.get("ModelApprovalStatus") != before.get("ModelApprovalStatus"):
            events.package_changed(self._context, record.fields)
        return {"ModelPackageArn": record.arn}

    def delete(self, params: Params) -> None:
        with LOCK:
            record = self.find(params["ModelPackageName"])
            del self._table()[record.arn]

    def find(self, name_or_arn: str) -> Record:
        """The package.

        Raises:
            RefusalError: ValidationException if there is none.
        """
        arn = (
            name_or_arn
            if name_or_arn.startswith("arn:")
            else self._context.arn("sagemaker", f"model-package/{name_or_arn}")
        )
        record: Record | None = self._table().get(arn)
        if record is None:
            raise refusal(f"ModelPackage {arn} does not exist.")
        return record

    def _versioned(self, group_name: str) -> dict[str, Any]:
        group = self._groups.find(group_name).fields["ModelPackageGroupName"]
        # A deleted version's number is not given again, as SageMaker's are not.
        key = (id(self._table()), group)
        version = self._last_version.get(key, 0) + 1
        self._last_version[key] = version
        return {
            "ModelPackageGroupName": group,
            "ModelPackageVersion": version,
            "ModelPackageArn": self._context.arn("sagemaker", f"model-package/{group}/{version}"),
        }

    def _unversioned(self, name: str) -> dict[str, Any]:
        arn = self._context.arn("sagemaker", f"model-package/{name}")
        if arn in self._table():
            raise refusal(f"Model Package already exists: {arn}")
        return {"ModelPackageName": name, "ModelPackageArn": arn}

    def _table(self) -> dict[str, Any]:
        table: dict[str, Any] = backend(self._context).model_packages
        return table
