"""SageMaker models, package groups and pipelines. The endpoint is a type of Sluice's own provider."""

# ruff: noqa: ARG002 - every type has the same five calls; few need all that they are given.

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from emulator.provider import tagging
from emulator.provider.base import Autoname, AwsResource
from emulator.provider.clients import client, pages
from emulator.provider.fields import Field, Values, from_api, to_api

_S3_SOURCE = {
    "compressionType": Field(required=True),
    "s3DataType": Field(api="S3DataType", required=True),
    "s3Uri": Field(api="S3Uri", required=True),
}
_CONTAINER = {
    "containerHostname": Field(),
    "environment": Field(),
    "image": Field(),
    "imageConfig": Field(fields={"repositoryAccessMode": Field(required=True)}),
    "inferenceSpecificationName": Field(),
    "mode": Field(default="SingleModel"),
    "modelDataUrl": Field(),
    "modelPackageName": Field(),
    "multiModelConfig": Field(fields={"modelCacheSetting": Field()}),
}


def absent(call: Any) -> Any:
    """What `call` gives, or None where SageMaker answers that there is no such thing: it says so in a
    ValidationException, and only the text tells it from a wrong parameter."""
    try:
        return call()
    except ClientError as error:
        fault = error.response["Error"]
        gone = ("could not find", "does not exist", "not found")
        text = fault.get("Message", "").lower()
        if fault["Code"] == "ResourceNotFound" or (
            fault["Code"] == "ValidationException" and any(sign in text for sign in gone)
        ):
            return None
        raise


def tags_of(arn: str) -> dict[str, str]:
    return tagging.SAGEMAKER.unpack(pages("sagemaker", "list_tags", "Tags", ResourceArn=arn))


class Model(AwsResource):
    """A model never changes: everything but its tags replaces it."""

    token = "aws:sagemaker/model:Model"
    fields = {
        "name": Field(api="ModelName", replace=True),
        "executionRoleArn": Field(replace=True, required=True),
        "primaryContainer": Field(replace=True, fields=_CONTAINER),
        "containers": Field(replace=True, fields=_CONTAINER),
        "enableNetworkIsolation": Field(replace=True, default=False),
        "inferenceExecutionConfig": Field(replace=True, computed=True, fields={"mode": Field(required=True)}),
        "vpcConfig": Field(
            replace=True,
            fields={
                "subnets": Field(required=True, unordered=True),
                "securityGroupIds": Field(required=True, unordered=True),
            },
        ),
    }
    made = frozenset({"arn"})
    autoname = Autoname(max_length=63)
    tagging = tagging.SAGEMAKER

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        client("sagemaker").create_model(**to_api(self.fields, inputs), Tags=self.tagging.pack(tags))
        return str(inputs["name"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        model = absent(lambda: client("sagemaker").describe_model(ModelName=id))
        if model is None:
            return None
        arn = model["ModelArn"]
        return {**from_api(self.fields, model), "arn": arn, "tagsAll": tags_of(arn)}

    def remove(self, id: str, state: Values) -> None:
        absent(lambda: client("sagemaker").delete_model(ModelName=id))


class ModelPackageGroup(AwsResource):
    """SageMaker deletes only an empty one."""

    token = "aws:sagemaker/modelPackageGroup:ModelPackageGroup"
    fields = {
        "modelPackageGroupName": Field(replace=True, required=True),
        "modelPackageGroupDescription": Field(replace=True),
    }
    made = frozenset({"arn"})
    tagging = tagging.SAGEMAKER

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        client("sagemaker").create_model_package_group(
            **to_api(self.fields, inputs), Tags=self.tagging.pack(tags)
        )
        return str(inputs["modelPackageGroupName"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        api = client("sagemaker")
        group = absent(lambda: api.describe_model_package_group(ModelPackageGroupName=id))
        if group is None:
            return None
        arn = group["ModelPackageGroupArn"]
        return {**from_api(self.fields, group), "arn": arn, "tagsAll": tags_of(arn)}

    def remove(self, id: str, state: Values) -> None:
        absent(lambda: client("sagemaker").delete_model_package_group(ModelPackageGroupName=id))


class Pipeline(AwsResource):
    token = "aws:sagemaker/pipeline:Pipeline"
    fields = {
        "pipelineName": Field(replace=True, required=True),
        "pipelineDisplayName": Field(required=True),
        "pipelineDescription": Field(),
        "pipelineDefinition": Field(json=True, required=True),
        "roleArn": Field(),
        "parallelismConfiguration": Field(fields={"maxParallelExecutionSteps": Field(required=True)}),
    }
    made = frozenset({"arn"})
    tagging = tagging.SAGEMAKER

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        # boto3 fills in the idempotency token ClientRequestToken.
        client("sagemaker").create_pipeline(**to_api(self.fields, inputs), Tags=self.tagging.pack(tags))
        return str(inputs["pipelineName"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        pipeline = absent(lambda: client("sagemaker").describe_pipeline(PipelineName=id))
        if pipeline is None:
            return None
        arn = pipeline["PipelineArn"]
        return {**from_api(self.fields, pipeline), "arn": arn, "tagsAll": tags_of(arn)}

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        fields = {name: rule for name, rule in self.fields.items() if name in changed}
        parameters = to_api(fields, new)
        if "pipelineDescription" in changed:
            parameters.setdefault("PipelineDescription", "")
        client("sagemaker").update_pipeline(PipelineName=id, **parameters)

    def remove(self, id: str, state: Values) -> None:
        absent(lambda: client("sagemaker").delete_pipeline(PipelineName=id))
