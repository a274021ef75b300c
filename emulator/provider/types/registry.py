"""ECR repositories."""

# ruff: noqa: ARG002 - every type has the same five calls; few need all that they are given.

from collections.abc import Mapping
from typing import Any

from emulator.provider import tagging
from emulator.provider.base import Autoname, AwsResource
from emulator.provider.clients import client, found
from emulator.provider.fields import Field, Values, from_api, to_api

GONE = ("RepositoryNotFoundException",)


class Repository(AwsResource):
    """Deletes only an empty repository, unless `forceDelete` is set."""

    token = "aws:ecr/repository:Repository"
    fields = {
        "name": Field(api="repositoryName", replace=True),
        "imageTagMutability": Field(api="imageTagMutability", default="MUTABLE"),
        "imageScanningConfiguration": Field(
            api="imageScanningConfiguration", fields={"scanOnPush": Field(api="scanOnPush", default=False)}
        ),
        "encryptionConfigurations": Field(
            replace=True,
            computed=True,
            fields={
                "encryptionType": Field(api="encryptionType", default="AES256"),
                "kmsKey": Field(api="kmsKey", computed=True),
            },
        ),
        "forceDelete": Field(settings=True, default=False),
    }
    made = frozenset({"arn", "registryId", "repositoryUrl"})
    autoname = Autoname(max_length=256, lower=True)
    tagging = tagging.ECR

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        parameters = to_api(self.fields, inputs)
        encryption = parameters.pop("EncryptionConfigurations", [])
        if encryption:
            parameters["encryptionConfiguration"] = {"encryptionType": "AES256", **encryption[0]}
        client("ecr").create_repository(**parameters, tags=self.tagging.pack(tags))
        return str(inputs["name"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        api = client("ecr")
        answer = found(lambda: api.describe_repositories(repositoryNames=[id]), *GONE)
        if not answer or not answer["repositories"]:
            return None
        repository = answer["repositories"][0]
        encryption = [repository[key] for key in ("encryptionConfiguration",) if key in repository]
        tags = api.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
        return {
            **from_api(self.fields, {**repository, "EncryptionConfigurations": encryption}),
            "arn": repository["repositoryArn"],
            "registryId": repository["registryId"],
            "repositoryUrl": repository["repositoryUri"],
            "tagsAll": self.tagging.unpack(tags),
        }

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        api = client("ecr")
        if "imageTagMutability" in changed:
            api.put_image_tag_mutability(
                repositoryName=id, imageTagMutability=new.get("imageTagMutability", "MUTABLE")
            )
        if "imageScanningConfiguration" in changed:
            scan = bool((new.get("imageScanningConfiguration") or {}).get("scanOnPush", False))
            api.put_image_scanning_configuration(
                repositoryName=id, imageScanningConfiguration={"scanOnPush": scan}
            )

    def remove(self, id: str, state: Values) -> None:
        force = bool(state.get("forceDelete"))
        found(lambda: client("ecr").delete_repository(repositoryName=id, force=force), *GONE)


class LifecyclePolicy(AwsResource):
    token = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
    fields = {
        "repository": Field(replace=True, required=True),
        "policy": Field(required=True, json=True),
    }
    made = frozenset({"registryId"})

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        repository = str(inputs["repository"])
        client("ecr").put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=inputs["policy"])
        return repository

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        gone = (*GONE, "LifecyclePolicyNotFoundException")
        answer = found(lambda: client("ecr").get_lifecycle_policy(repositoryName=id), *gone)
        if answer is None:
            return None
        return {
            "repository": id,
            "policy": answer["lifecyclePolicyText"],
            "registryId": answer.get("registryId", ""),
        }

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        client("ecr").put_lifecycle_policy(repositoryName=id, lifecyclePolicyText=new["policy"])

    def remove(self, id: str, state: Values) -> None:
        gone = (*GONE, "LifecyclePolicyNotFoundException")
        found(lambda: client("ecr").delete_lifecycle_policy(repositoryName=id), *gone)
