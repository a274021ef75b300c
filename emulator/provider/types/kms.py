"""Keys and their aliases."""

# ruff: noqa: ARG002 - every type has the same five calls; few need all that they are given.

from collections.abc import Mapping
from typing import Any

from emulator.provider import tagging
from emulator.provider.base import Autoname, AwsResource
from emulator.provider.clients import client, found, pages
from emulator.provider.fields import Field, Values, to_api

GONE = ("NotFoundException",)


class Key(AwsResource):
    """Deleting schedules the deletion, after `deletionWindowInDays` (7 to 30; KMS takes 30 by itself)."""

    token = "aws:kms/key:Key"
    fields = {
        "bypassPolicyLockoutSafetyCheck": Field(settings=True, default=False),
        "customerMasterKeySpec": Field(api="KeySpec", replace=True, default="SYMMETRIC_DEFAULT"),
        "deletionWindowInDays": Field(settings=True),
        "description": Field(computed=True),
        "enableKeyRotation": Field(settings=False, default=False),
        "isEnabled": Field(default=True),
        "keyUsage": Field(replace=True, default="ENCRYPT_DECRYPT"),
        "multiRegion": Field(replace=True, computed=True),
        "policy": Field(policy=True, computed=True),
    }
    made = frozenset({"arn", "keyId"})
    tagging = tagging.KMS

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        kept = {"customerMasterKeySpec", "description", "keyUsage", "multiRegion", "policy"}
        defaults = {"customerMasterKeySpec": "SYMMETRIC_DEFAULT", "keyUsage": "ENCRYPT_DECRYPT"}
        parameters = to_api({name: self.fields[name] for name in kept}, {**defaults, **inputs})
        if inputs.get("bypassPolicyLockoutSafetyCheck"):
            parameters["BypassPolicyLockoutSafetyCheck"] = True
        answer = client("kms").create_key(**parameters, Tags=self.tagging.pack(tags))
        return str(answer["KeyMetadata"]["KeyId"])

    def finish(self, id: str, inputs: Values, tags: Mapping[str, str]) -> None:
        if inputs.get("enableKeyRotation"):
            client("kms").enable_key_rotation(KeyId=id)
        if inputs.get("isEnabled") is False:
            client("kms").disable_key(KeyId=id)

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        api = client("kms")
        answer = found(lambda: api.describe_key(KeyId=id), *GONE)
        # A key that waits for its deletion is gone to the real provider too.
        if answer is None or answer["KeyMetadata"]["KeyState"] == "PendingDeletion":
            return None
        key = answer["KeyMetadata"]
        rotation = found(lambda: api.get_key_rotation_status(KeyId=id), "UnsupportedOperationException") or {}
        return {
            "arn": key["Arn"],
            "keyId": key["KeyId"],
            "customerMasterKeySpec": key["KeySpec"],
            "description": key.get("Description", ""),
            "enableKeyRotation": bool(rotation.get("KeyRotationEnabled", False)),
            "isEnabled": key["Enabled"],
            "keyUsage": key["KeyUsage"],
            "multiRegion": bool(key.get("MultiRegion", False)),
            "policy": api.get_key_policy(KeyId=id, PolicyName="default")["Policy"],
            "tagsAll": self.tagging.unpack(pages("kms", "list_resource_tags", "Tags", KeyId=id)),
        }

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        api = client("kms")
        # A disabled key refuses the other changes: enable first, disable last.
        if new.get("isEnabled", True) and "isEnabled" in changed:
            api.enable_key(KeyId=id)
        if "description" in changed:
            api.update_key_description(KeyId=id, Description=new.get("description", ""))
        if "policy" in changed and new.get("policy"):
            bypass = bool(new.get("bypassPolicyLockoutSafetyCheck"))
            api.put_key_policy(
                KeyId=id, PolicyName="default", Policy=new["policy"], BypassPolicyLockoutSafetyCheck=bypass
            )
        if "enableKeyRotation" in changed:
            on = new.get("enableKeyRotation")
            (api.enable_key_rotation if on else api.disable_key_rotation)(KeyId=id)
        if not new.get("isEnabled", True) and "isEnabled" in changed:
            api.disable_key(KeyId=id)

    def remove(self, id: str, state: Values) -> None:
        window = {}
        if state.get("deletionWindowInDays"):
            window = {"PendingWindowInDays": state["deletionWindowInDays"]}
        if self.look(id, state) is not None:
            client("kms").schedule_key_deletion(KeyId=id, **window)


class Alias(AwsResource):
    token = "aws:kms/alias:Alias"
    fields = {"name": Field(replace=True), "targetKeyId": Field(required=True)}
    made = frozenset({"arn", "targetKeyArn"})
    autoname = Autoname(prefix="alias/", max_length=256)

    def __init__(self) -> None:
        super().__init__()
        # A key's ARN and its id name the same key.
        rule = Field(required=True, same=lambda old, new: old.rpartition("/")[2] == new.rpartition("/")[2])
        self.declared = {**self.declared, "targetKeyId": rule}

    def problems(self, inputs: Values) -> list[tuple[str, str]]:
        name = inputs.get("name")
        if isinstance(name, str) and not name.startswith("alias/"):
            return [("name", f"the alias {name!r} must begin with 'alias/'")]
        return []

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        client("kms").create_alias(AliasName=inputs["name"], TargetKeyId=inputs["targetKeyId"])
        return str(inputs["name"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        every = pages("kms", "list_aliases", "Aliases")
        alias = next((item for item in every if item["AliasName"] == id), None)
        if alias is None or "TargetKeyId" not in alias:
            return None
        arn = str(alias["AliasArn"])
        key = alias["TargetKeyId"]
        return {
            "name": id,
            "arn": arn,
            "targetKeyId": key,
            "targetKeyArn": f"{arn.rpartition(':')[0]}:key/{key.rpartition('/')[2]}",
        }

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        client("kms").update_alias(AliasName=id, TargetKeyId=new["targetKeyId"])

    def remove(self, id: str, state: Values) -> None:
        found(lambda: client("kms").delete_alias(AliasName=id), *GONE)
