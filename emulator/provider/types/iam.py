"""Roles and policies."""

# ruff: noqa: ARG002 - every type has the same five calls; few need all that they are given.

from collections.abc import Mapping
from typing import Any

from emulator.provider import tagging
from emulator.provider.base import Autoname, AwsResource
from emulator.provider.clients import client, found, pages
from emulator.provider.fields import Field, Values, from_api, to_api
from emulator.provider.policy import policy_text
from sluice.clock import iso

GONE = ("NoSuchEntity",)


class Role(AwsResource):
    """Deleting takes the inline policies away; managed ones only with `forceDetachPolicies`, else IAM
    refuses."""

    token = "aws:iam/role:Role"
    fields = {
        "name": Field(api="RoleName", replace=True),
        "path": Field(replace=True, default="/"),
        "assumeRolePolicy": Field(api="AssumeRolePolicyDocument", required=True, policy=True),
        "description": Field(),
        "maxSessionDuration": Field(default=3600),
        "permissionsBoundary": Field(),
        "forceDetachPolicies": Field(settings=True, default=False),
    }
    made = frozenset({"arn", "createDate", "uniqueId"})
    autoname = Autoname(max_length=64)
    tagging = tagging.ROLE

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        client("iam").create_role(**to_api(self.fields, inputs), Tags=self.tagging.pack(tags))
        return str(inputs["name"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        answer = found(lambda: client("iam").get_role(RoleName=id), *GONE)
        if answer is None:
            return None
        role = answer["Role"]
        role["PermissionsBoundary"] = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        role["AssumeRolePolicyDocument"] = policy_text(role["AssumeRolePolicyDocument"])
        return {
            **from_api(self.fields, role),
            "arn": role["Arn"],
            "createDate": iso(role["CreateDate"]),
            "uniqueId": role["RoleId"],
            "tagsAll": self.tagging.unpack(role.get("Tags")),
        }

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        api = client("iam")
        if "assumeRolePolicy" in changed:
            api.update_assume_role_policy(RoleName=id, PolicyDocument=new["assumeRolePolicy"])
        if changed & {"description", "maxSessionDuration"}:
            api.update_role(
                RoleName=id,
                Description=new.get("description", ""),
                MaxSessionDuration=new.get("maxSessionDuration", 3600),
            )
        if "permissionsBoundary" in changed and new.get("permissionsBoundary"):
            api.put_role_permissions_boundary(RoleName=id, PermissionsBoundary=new["permissionsBoundary"])
        elif "permissionsBoundary" in changed:
            api.delete_role_permissions_boundary(RoleName=id)

    def remove(self, id: str, state: Values) -> None:
        api = client("iam")
        if found(lambda: api.get_role(RoleName=id), *GONE) is None:
            return
        for name in pages("iam", "list_role_policies", "PolicyNames", RoleName=id):
            api.delete_role_policy(RoleName=id, PolicyName=name)
        if state.get("forceDetachPolicies"):
            for attached in pages("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=id):
                api.detach_role_policy(RoleName=id, PolicyArn=attached["PolicyArn"])
        found(lambda: api.delete_role(RoleName=id), *GONE)


class RolePolicy(AwsResource):
    """Its id is `<role>:<name>`."""

    token = "aws:iam/rolePolicy:RolePolicy"
    fields = {
        "name": Field(api="PolicyName", replace=True),
        "role": Field(api="RoleName", replace=True, required=True),
        "policy": Field(api="PolicyDocument", required=True, policy=True),
    }
    autoname = Autoname(max_length=128)

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        client("iam").put_role_policy(**to_api(self.fields, inputs))
        return f"{inputs['role']}:{inputs['name']}"

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        role, _, name = id.partition(":")
        answer = found(lambda: client("iam").get_role_policy(RoleName=role, PolicyName=name), *GONE)
        if answer is None:
            return None
        return from_api(self.fields, {**answer, "PolicyDocument": policy_text(answer["PolicyDocument"])})

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        role, _, name = id.partition(":")
        client("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=new["policy"])

    def remove(self, id: str, state: Values) -> None:
        role, _, name = id.partition(":")
        found(lambda: client("iam").delete_role_policy(RoleName=role, PolicyName=name), *GONE)


class Policy(AwsResource):
    """A managed policy; its id is its ARN. A change makes a new version, of which IAM keeps five."""

    token = "aws:iam/policy:Policy"
    fields = {
        "name": Field(api="PolicyName", replace=True),
        "path": Field(replace=True, default="/"),
        "description": Field(replace=True),
        "policy": Field(api="PolicyDocument", required=True, policy=True),
    }
    made = frozenset({"arn", "attachmentCount", "policyId"})
    autoname = Autoname(max_length=128)
    tagging = tagging.POLICY

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        answer = client("iam").create_policy(**to_api(self.fields, inputs), Tags=self.tagging.pack(tags))
        return str(answer["Policy"]["Arn"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        api = client("iam")
        answer = found(lambda: api.get_policy(PolicyArn=id), *GONE)
        if answer is None:
            return None
        policy = answer["Policy"]
        version = api.get_policy_version(PolicyArn=id, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
        tags = api.list_policy_tags(PolicyArn=id)["Tags"]
        return {
            **from_api(self.fields, {**policy, "PolicyDocument": policy_text(version["Document"])}),
            "arn": id,
            "attachmentCount": policy.get("AttachmentCount", 0),
            "policyId": policy["PolicyId"],
            "tagsAll": self.tagging.unpack(tags),
        }

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        api = client("iam")
        versions = api.list_policy_versions(PolicyArn=id)["Versions"]
        spare = sorted((v for v in versions if not v["IsDefaultVersion"]), key=lambda v: v["CreateDate"])
        if len(versions) >= 5:
            api.delete_policy_version(PolicyArn=id, VersionId=spare[0]["VersionId"])
        api.create_policy_version(PolicyArn=id, PolicyDocument=new["policy"], SetAsDefault=True)

    def remove(self, id: str, state: Values) -> None:
        api = client("iam")
        answer = found(lambda: api.list_policy_versions(PolicyArn=id), *GONE) or {"Versions": []}
        for version in answer["Versions"]:
            if not version["IsDefaultVersion"]:
                api.delete_policy_version(PolicyArn=id, VersionId=version["VersionId"])
        found(lambda: api.delete_policy(PolicyArn=id), *GONE)


class RolePolicyAttachment(AwsResource):
    """Its id is `<role>/<policy ARN>`."""

    token = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    fields = {
        "role": Field(api="RoleName", replace=True, required=True),
        "policyArn": Field(replace=True, required=True),
    }

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        client("iam").attach_role_policy(**to_api(self.fields, inputs))
        return f"{inputs['role']}/{inputs['policyArn']}"

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        role, _, arn = id.partition("/")
        attached = found(
            lambda: pages("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=role), *GONE
        )
        if not any(item["PolicyArn"] == arn for item in attached or []):
            return None
        return {"role": role, "policyArn": arn}

    def remove(self, id: str, state: Values) -> None:
        role, _, arn = id.partition("/")
        found(lambda: client("iam").detach_role_policy(RoleName=role, PolicyArn=arn), *GONE)
