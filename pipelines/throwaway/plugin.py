# ruff: noqa: ARG002 - the signatures are the kit's
"""The resource as the Pulumi engine sees it."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from sluice import aws
from sluice.provider import Context, Created, Property, Provider, Read, Resource
from sluice.provider.resource import Values

TOKEN = "mlops:pipelines:ThrowawayPackages"
VERSION = "0.1.0"


class ThrowawayPackages(Resource):
    """The packages of one group. It makes none; its deletion deletes them all."""

    token = TOKEN
    properties = {"group": Property(replace=True)}

    def __init__(self, connect: Callable[[], Any] = lambda: aws.client("sagemaker")) -> None:
        self._connect = connect

    def create(self, context: Context, inputs: Values) -> Created:
        return Created(str(inputs["group"]))

    def read(self, context: Context, id: str, state: Values, inputs: Values) -> Read | None:
        try:
            self._connect().describe_model_package_group(ModelPackageGroupName=id)
        except ClientError as error:
            if _missing(error):
                return None
            raise
        return Read(id, {"group": id}, {"group": id})

    def update(
        self, context: Context, id: str, state: Values, old_inputs: Values, inputs: Values
    ) -> dict[str, Any]:
        return {}

    def delete(self, context: Context, id: str, state: Values, old_inputs: Values) -> None:
        sagemaker = self._connect()
        pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=id)
        try:
            packages = [
                found["ModelPackageArn"] for page in pages for found in page["ModelPackageSummaryList"]
            ]
        except ClientError as error:
            if _missing(error):
                return
            raise
        for package in packages:
            context.raise_if_cancelled()
            sagemaker.delete_model_package(ModelPackageName=package)


def provider() -> Provider:
    """The plugin `mlops` of the pipelines program."""
    return Provider("mlops", VERSION, [ThrowawayPackages()])


def _missing(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in ("ResourceNotFound", "ValidationException")
