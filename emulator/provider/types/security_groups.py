"""Security groups, and rules that are resources of their own."""

# ruff: noqa: ARG002 - every type has the same five calls; few need all that they are given.

from collections.abc import Iterable, Mapping
from typing import Any

from emulator.provider import tagging
from emulator.provider.base import Autoname, AwsResource
from emulator.provider.clients import client, found
from emulator.provider.fields import Field, Values, from_api, to_api
from emulator.provider.types.network import arn, specification

GONE = ("InvalidGroup.NotFound", "InvalidGroupId.NotFound")
_SOURCES = {
    "cidrBlocks": ("IpRanges", "CidrIp"),
    "ipv6CidrBlocks": ("Ipv6Ranges", "CidrIpv6"),
    "prefixListIds": ("PrefixListIds", "PrefixListId"),
    "securityGroups": ("UserIdGroupPairs", "GroupId"),
}
_RULE = {
    "fromPort": Field(required=True),
    "toPort": Field(required=True),
    "protocol": Field(required=True),
    "description": Field(default=""),
    "self": Field(default=False),
    **{name: Field(unordered=True) for name in _SOURCES},
}


class SecurityGroup(AwsResource):
    """Takes away the rule "all traffic out" that EC2 gives every new group, as the real provider does."""

    token = "aws:ec2/securityGroup:SecurityGroup"
    fields = {
        "name": Field(api="GroupName", replace=True),
        "description": Field(replace=True, default="Managed by Pulumi"),
        "vpcId": Field(replace=True, computed=True),
        "ingress": Field(computed=True, unordered=True, fields=_RULE),
        "egress": Field(computed=True, unordered=True, fields=_RULE),
        "revokeRulesOnDelete": Field(settings=True, default=False),
    }
    made = frozenset({"arn", "ownerId"})
    autoname = Autoname(max_length=255)
    tagging = tagging.EC2

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        names = ("name", "description", "vpcId")
        parameters = to_api({name: self.fields[name] for name in names}, inputs)
        parameters.setdefault("Description", self.fields["description"].default)
        answer = client("ec2").create_security_group(**parameters, **specification("security-group", tags))
        return str(answer["GroupId"])

    def finish(self, id: str, inputs: Values, tags: Mapping[str, str]) -> None:
        api = client("ec2")
        group = api.describe_security_groups(GroupIds=[id])["SecurityGroups"][0]
        if group["IpPermissionsEgress"]:
            api.revoke_security_group_egress(GroupId=id, IpPermissions=group["IpPermissionsEgress"])
        if inputs.get("ingress"):
            permissions = [_permission(id, rule) for rule in inputs["ingress"]]
            api.authorize_security_group_ingress(GroupId=id, IpPermissions=permissions)
        if inputs.get("egress"):
            permissions = [_permission(id, rule) for rule in inputs["egress"]]
            api.authorize_security_group_egress(GroupId=id, IpPermissions=permissions)

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        answer = found(lambda: client("ec2").describe_security_groups(GroupIds=[id]), *GONE)
        if not answer or not answer["SecurityGroups"]:
            return None
        group = answer["SecurityGroups"][0]
        owner = group["OwnerId"]
        return {
            "name": group["GroupName"],
            "description": group["Description"],
            "vpcId": group.get("VpcId"),
            "ingress": _rules(id, group["IpPermissions"]),
            "egress": _rules(id, group["IpPermissionsEgress"]),
            "arn": arn(owner, "security-group", id),
            "ownerId": owner,
            "tagsAll": self.tagging.unpack(group.get("Tags")),
        }

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        api = client("ec2")
        group = api.describe_security_groups(GroupIds=[id])["SecurityGroups"][0]
        if "ingress" in changed:
            if group["IpPermissions"]:
                api.revoke_security_group_ingress(GroupId=id, IpPermissions=group["IpPermissions"])
            if new.get("ingress"):
                permissions = [_permission(id, rule) for rule in new["ingress"]]
                api.authorize_security_group_ingress(GroupId=id, IpPermissions=permissions)
        if "egress" in changed:
            if group["IpPermissionsEgress"]:
                api.revoke_security_group_egress(GroupId=id, IpPermissions=group["IpPermissionsEgress"])
            if new.get("egress"):
                permissions = [_permission(id, rule) for rule in new["egress"]]
                api.authorize_security_group_egress(GroupId=id, IpPermissions=permissions)

    def remove(self, id: str, state: Values) -> None:
        api = client("ec2")
        answer = found(lambda: api.describe_security_groups(GroupIds=[id]), *GONE)
        if answer and state.get("revokeRulesOnDelete"):
            group = answer["SecurityGroups"][0]
            if group["IpPermissions"]:
                api.revoke_security_group_ingress(GroupId=id, IpPermissions=group["IpPermissions"])
            if group["IpPermissionsEgress"]:
                api.revoke_security_group_egress(GroupId=id, IpPermissions=group["IpPermissionsEgress"])
        found(lambda: api.delete_security_group(GroupId=id), *GONE)


def _permission(group: str, rule: Values) -> dict[str, Any]:
    protocol = str(rule["protocol"])
    permission: dict[str, Any] = {"IpProtocol": "-1" if protocol == "all" else protocol}
    if permission["IpProtocol"] != "-1":
        permission |= {"FromPort": rule["fromPort"], "ToPort": rule["toPort"]}
    text = {"Description": rule["description"]} if rule.get("description") else {}
    for name, (member, key) in _SOURCES.items():
        if rule.get(name):
            permission[member] = [{key: source, **text} for source in rule[name]]
    if rule.get("self"):
        permission.setdefault("UserIdGroupPairs", []).append({"GroupId": group, **text})
    return permission


def _rules(group: str, permissions: Iterable[Values]) -> list[dict[str, Any]]:
    """The permissions as the provider's rules: one a protocol, port range and description."""
    rules: dict[tuple[Any, ...], dict[str, Any]] = {}
    for permission in permissions:
        start = max(permission.get("FromPort", 0), 0)
        end = max(permission.get("ToPort", 0), 0)
        for name, (member, key) in _SOURCES.items():
            for source in permission.get(member, []):
                text = source.get("Description", "")
                place = (permission["IpProtocol"], start, end, text)
                blank = {"protocol": permission["IpProtocol"], "fromPort": start, "toPort": end}
                rule = rules.setdefault(place, {**blank, "description": text, "self": False})
                if name == "securityGroups" and source[key] == group:
                    rule["self"] = True
                else:
                    rule.setdefault(name, []).append(source[key])
    return list(rules.values())


class SecurityGroupRule(AwsResource):
    """One source, one range of ports."""

    egress: bool
    fields = {
        "securityGroupId": Field(api="GroupId", replace=True, required=True),
        "ipProtocol": Field(required=True),
        "fromPort": Field(),
        "toPort": Field(),
        "cidrIpv4": Field(),
        "cidrIpv6": Field(),
        "prefixListId": Field(),
        "referencedSecurityGroupId": Field(),
        "description": Field(),
    }
    made = frozenset({"arn", "securityGroupRuleId"})
    tagging = tagging.EC2

    def problems(self, inputs: Values) -> list[tuple[str, str]]:
        names = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")
        given = [name for name in names if inputs.get(name) is not None]
        if len(given) != 1:
            return [("", f"exactly one of {', '.join(names)} must be set, not {given or 'none'}")]
        return []

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        api = client("ec2")
        call = api.authorize_security_group_egress if self.egress else api.authorize_security_group_ingress
        extra = specification("security-group-rule", tags)
        answer = call(GroupId=inputs["securityGroupId"], IpPermissions=[_single(inputs)], **extra)
        return str(answer["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        gone = ("InvalidSecurityGroupRuleId.NotFound", *GONE)
        answer = found(lambda: client("ec2").describe_security_group_rules(SecurityGroupRuleIds=[id]), *gone)
        if not answer or not answer["SecurityGroupRules"]:
            return None
        rule = answer["SecurityGroupRules"][0]
        referenced = rule.get("ReferencedGroupInfo", {}).get("GroupId")
        live = from_api(self.fields, {**rule, "ReferencedSecurityGroupId": referenced})
        # EC2 shows -1 for the ports of "all protocols"; the program leaves them out.
        live = {k: v for k, v in live.items() if not (k in ("fromPort", "toPort") and v == -1)}
        owner = rule.get("GroupOwnerId", "")
        return {
            **{name: value for name, value in live.items() if value != ""},
            "arn": arn(owner, "security-group-rule", id),
            "securityGroupRuleId": id,
            "tagsAll": self.tagging.unpack(rule.get("Tags")),
        }

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        names = {name: rule for name, rule in self.fields.items() if name not in ("securityGroupId",)}
        names["referencedSecurityGroupId"] = Field(api="ReferencedGroupId")
        rule = to_api(names, new)
        client("ec2").modify_security_group_rules(
            GroupId=new["securityGroupId"],
            SecurityGroupRules=[{"SecurityGroupRuleId": id, "SecurityGroupRule": rule}],
        )

    def remove(self, id: str, state: Values) -> None:
        api = client("ec2")
        call = api.revoke_security_group_egress if self.egress else api.revoke_security_group_ingress
        if self.look(id, state) is not None:
            call(GroupId=state["securityGroupId"], SecurityGroupRuleIds=[id])


class SecurityGroupIngressRule(SecurityGroupRule):
    token = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    egress = False


class SecurityGroupEgressRule(SecurityGroupRule):
    token = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    egress = True


def _single(inputs: Values) -> dict[str, Any]:
    permission: dict[str, Any] = {"IpProtocol": inputs["ipProtocol"]}
    for name in ("fromPort", "toPort"):
        if inputs.get(name) is not None:
            permission[name[0].upper() + name[1:]] = inputs[name]
    text = {"Description": inputs["description"]} if inputs.get("description") else {}
    sources = {
        "cidrIpv4": ("IpRanges", "CidrIp"),
        "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
        "prefixListId": ("PrefixListIds", "PrefixListId"),
        "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    }
    for name, (member, key) in sources.items():
        if inputs.get(name) is not None:
            permission[member] = [{key: inputs[name], **text}]
    return permission
