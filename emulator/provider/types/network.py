"""VPC, subnets, routes and VPC endpoints."""

# ruff: noqa: ARG002 - every type has the same five calls; few need all that they are given.

from collections.abc import Mapping
from typing import Any

from emulator.provider import tagging
from emulator.provider.base import AwsResource
from emulator.provider.clients import client, found
from emulator.provider.fields import Field, Values, from_api, to_api
from sluice import aws


def specification(kind: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """The parameter that tags an EC2 resource while it is made; EC2 refuses an empty one."""
    if not tags:
        return {}
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tagging.EC2.pack(tags)}]}


def arn(owner: str, kind: str, id: str) -> str:
    return f"arn:aws:ec2:{aws.region()}:{owner}:{kind}/{id}"


class Vpc(AwsResource):
    token = "aws:ec2/vpc:Vpc"
    fields = {
        "cidrBlock": Field(replace=True, required=True),
        "instanceTenancy": Field(replace=True, default="default"),
        "enableDnsSupport": Field(default=True),
        "enableDnsHostnames": Field(default=False),
    }
    made = frozenset(
        {
            "arn",
            "ownerId",
            "dhcpOptionsId",
            "mainRouteTableId",
            "defaultRouteTableId",
            "defaultNetworkAclId",
            "defaultSecurityGroupId",
        }
    )
    tagging = tagging.EC2

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        parameters = to_api({name: self.fields[name] for name in ("cidrBlock", "instanceTenancy")}, inputs)
        answer = client("ec2").create_vpc(**parameters, **specification("vpc", tags))
        return str(answer["Vpc"]["VpcId"])

    def finish(self, id: str, inputs: Values, tags: Mapping[str, str]) -> None:
        self._dns(id, inputs, frozenset({"enableDnsSupport", "enableDnsHostnames"} & inputs.keys()))

    def _dns(self, id: str, inputs: Values, changed: frozenset[str]) -> None:
        # ModifyVpcAttribute takes one attribute a call.
        for name in sorted(changed, reverse=True):
            value = inputs.get(name, self.fields[name].default)
            client("ec2").modify_vpc_attribute(VpcId=id, **{name[0].upper() + name[1:]: {"Value": value}})

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        api = client("ec2")
        answer = found(lambda: api.describe_vpcs(VpcIds=[id]), "InvalidVpcID.NotFound")
        if not answer or not answer["Vpcs"]:
            return None
        vpc = answer["Vpcs"][0]
        here = [{"Name": "vpc-id", "Values": [id]}]
        main = [*here, {"Name": "association.main", "Values": ["true"]}]
        tables = api.describe_route_tables(Filters=main)["RouteTables"]
        network_lists = api.describe_network_acls(Filters=[*here, {"Name": "default", "Values": ["true"]}])
        groups = api.describe_security_groups(Filters=[*here, {"Name": "group-name", "Values": ["default"]}])
        support = api.describe_vpc_attribute(VpcId=id, Attribute="enableDnsSupport")
        names = api.describe_vpc_attribute(VpcId=id, Attribute="enableDnsHostnames")
        table = tables[0]["RouteTableId"] if tables else ""
        return {
            **from_api({name: self.fields[name] for name in ("cidrBlock", "instanceTenancy")}, vpc),
            "enableDnsSupport": support["EnableDnsSupport"]["Value"],
            "enableDnsHostnames": names["EnableDnsHostnames"]["Value"],
            "arn": arn(vpc["OwnerId"], "vpc", id),
            "ownerId": vpc["OwnerId"],
            "dhcpOptionsId": vpc.get("DhcpOptionsId", ""),
            "mainRouteTableId": table,
            "defaultRouteTableId": table,
            "defaultNetworkAclId": next((n["NetworkAclId"] for n in network_lists["NetworkAcls"]), ""),
            "defaultSecurityGroupId": next((g["GroupId"] for g in groups["SecurityGroups"]), ""),
            "tagsAll": self.tagging.unpack(vpc.get("Tags")),
        }

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        self._dns(id, new, changed)

    def remove(self, id: str, state: Values) -> None:
        found(lambda: client("ec2").delete_vpc(VpcId=id), "InvalidVpcID.NotFound")


class Subnet(AwsResource):
    token = "aws:ec2/subnet:Subnet"
    fields = {
        "vpcId": Field(replace=True, required=True),
        "cidrBlock": Field(replace=True, required=True),
        "availabilityZone": Field(replace=True, computed=True),
        "availabilityZoneId": Field(replace=True, computed=True),
        "mapPublicIpOnLaunch": Field(default=False),
    }
    made = frozenset({"arn", "ownerId"})
    tagging = tagging.EC2

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        names = ("vpcId", "cidrBlock", "availabilityZone", "availabilityZoneId")
        parameters = to_api({name: self.fields[name] for name in names}, inputs)
        answer = client("ec2").create_subnet(**parameters, **specification("subnet", tags))
        return str(answer["Subnet"]["SubnetId"])

    def finish(self, id: str, inputs: Values, tags: Mapping[str, str]) -> None:
        if inputs.get("mapPublicIpOnLaunch"):
            self._public(id, True)

    def _public(self, id: str, value: bool) -> None:
        client("ec2").modify_subnet_attribute(SubnetId=id, MapPublicIpOnLaunch={"Value": value})

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        gone = "InvalidSubnetID.NotFound"
        answer = found(lambda: client("ec2").describe_subnets(SubnetIds=[id]), gone)
        if not answer or not answer["Subnets"]:
            return None
        subnet = answer["Subnets"][0]
        return {
            **from_api(self.fields, subnet),
            "arn": subnet["SubnetArn"],
            "ownerId": subnet["OwnerId"],
            "tagsAll": self.tagging.unpack(subnet.get("Tags")),
        }

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        self._public(id, bool(new.get("mapPublicIpOnLaunch", False)))

    def remove(self, id: str, state: Values) -> None:
        found(lambda: client("ec2").delete_subnet(SubnetId=id), "InvalidSubnetID.NotFound")


_ROUTE = {
    "cidrBlock": Field(api="DestinationCidrBlock"),
    "ipv6CidrBlock": Field(api="DestinationIpv6CidrBlock"),
    "gatewayId": Field(),
    "natGatewayId": Field(),
    "transitGatewayId": Field(),
    "vpcPeeringConnectionId": Field(),
}


class RouteTable(AwsResource):
    """Its own routes; those that AWS adds (local, and of gateway endpoints) are none of them."""

    token = "aws:ec2/routeTable:RouteTable"
    fields = {
        "vpcId": Field(replace=True, required=True),
        "routes": Field(computed=True, unordered=True, fields=_ROUTE),
    }
    made = frozenset({"arn", "ownerId"})
    tagging = tagging.EC2

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        answer = client("ec2").create_route_table(VpcId=inputs["vpcId"], **specification("route-table", tags))
        return str(answer["RouteTable"]["RouteTableId"])

    def finish(self, id: str, inputs: Values, tags: Mapping[str, str]) -> None:
        for route in inputs.get("routes") or []:
            client("ec2").create_route(RouteTableId=id, **to_api(_ROUTE, route))

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        gone = "InvalidRouteTableID.NotFound"
        answer = found(lambda: client("ec2").describe_route_tables(RouteTableIds=[id]), gone)
        if not answer or not answer["RouteTables"]:
            return None
        table = answer["RouteTables"][0]
        owner = table.get("OwnerId", "")
        routes = [
            from_api(_ROUTE, route)
            for route in table["Routes"]
            if route.get("GatewayId") != "local"
            and not str(route.get("GatewayId", "")).startswith("vpce-")
            and "DestinationPrefixListId" not in route
        ]
        return {
            "vpcId": table["VpcId"],
            "routes": routes,
            "arn": arn(owner, "route-table", id),
            "ownerId": owner,
            "tagsAll": self.tagging.unpack(table.get("Tags")),
        }

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        api = client("ec2")
        wanted = [to_api(_ROUTE, route) for route in new.get("routes") or []]
        present = [to_api(_ROUTE, route) for route in state.get("routes") or []]
        destinations = ("DestinationCidrBlock", "DestinationIpv6CidrBlock")
        for route in present:
            if route not in wanted:
                target = {key: route[key] for key in destinations if key in route}
                api.delete_route(RouteTableId=id, **target)
        for route in wanted:
            if route not in present:
                api.create_route(RouteTableId=id, **route)

    def remove(self, id: str, state: Values) -> None:
        found(lambda: client("ec2").delete_route_table(RouteTableId=id), "InvalidRouteTableID.NotFound")


class RouteTableAssociation(AwsResource):
    """EC2 gives an association a new id when its table changes, so it is found by its subnet."""

    token = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    fields = {"subnetId": Field(replace=True, required=True), "routeTableId": Field(required=True)}

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        return str(client("ec2").associate_route_table(**to_api(self.fields, inputs))["AssociationId"])

    def _find(self, id: str, state: Values) -> dict[str, Any] | None:
        name, value = "route-table-association-id", id
        if state.get("subnetId"):
            name, value = "subnet-id", str(state["subnetId"])
        filters = [{"Name": f"association.{name}", "Values": [value]}]
        for table in client("ec2").describe_route_tables(Filters=filters)["RouteTables"]:
            for association in table["Associations"]:
                if value in (association.get("SubnetId"), association["RouteTableAssociationId"]):
                    return dict(association)
        return None

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        association = self._find(id, state)
        return None if association is None else from_api(self.fields, association)

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        association = self._find(id, state)
        if association is not None:
            client("ec2").replace_route_table_association(
                AssociationId=association["RouteTableAssociationId"], RouteTableId=new["routeTableId"]
            )

    def remove(self, id: str, state: Values) -> None:
        association = self._find(id, state)
        if association is not None:
            current = association["RouteTableAssociationId"]
            client("ec2").disassociate_route_table(AssociationId=current)


_MEMBERS = {"subnetIds": "Subnet", "securityGroupIds": "SecurityGroup", "routeTableIds": "RouteTable"}


class VpcEndpoint(AwsResource):
    token = "aws:ec2/vpcEndpoint:VpcEndpoint"
    fields = {
        "vpcId": Field(replace=True, required=True),
        "serviceName": Field(replace=True, required=True),
        "vpcEndpointType": Field(replace=True, default="Gateway"),
        "policy": Field(api="PolicyDocument", policy=True, computed=True),
        "privateDnsEnabled": Field(computed=True),
        "ipAddressType": Field(computed=True),
        "subnetIds": Field(unordered=True, computed=True),
        "securityGroupIds": Field(unordered=True, computed=True),
        "routeTableIds": Field(unordered=True, computed=True),
    }
    made = frozenset(
        {"arn", "ownerId", "state", "dnsEntries", "networkInterfaceIds", "prefixListId", "requesterManaged"}
    )
    tagging = tagging.EC2

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        parameters = {"VpcEndpointType": "Gateway", **to_api(self.fields, inputs)}
        answer = client("ec2").create_vpc_endpoint(**parameters, **specification("vpc-endpoint", tags))
        return str(answer["VpcEndpoint"]["VpcEndpointId"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        api = client("ec2")
        gone = "InvalidVpcEndpointId.NotFound"
        answer = found(lambda: api.describe_vpc_endpoints(VpcEndpointIds=[id]), gone)
        every = (answer or {}).get("VpcEndpoints", [])
        # A deleted endpoint is listed for a while.
        if not every or every[0].get("State", "").lower() in ("deleting", "deleted"):
            return None
        endpoint = every[0]
        groups = [group["GroupId"] for group in endpoint.get("Groups", [])]
        service = [{"Name": "prefix-list-name", "Values": [endpoint["ServiceName"]]}]
        lists: list[Any] = []
        if endpoint.get("VpcEndpointType") == "Gateway":
            lists = api.describe_managed_prefix_lists(Filters=service)["PrefixLists"]
        owner = endpoint.get("OwnerId", "")
        return {
            **from_api(self.fields, {**endpoint, "SecurityGroupIds": groups}),
            "subnetIds": endpoint.get("SubnetIds") or [],
            "securityGroupIds": groups,
            "routeTableIds": endpoint.get("RouteTableIds") or [],
            "arn": arn(owner, "vpc-endpoint", id),
            "ownerId": owner,
            "state": endpoint.get("State", ""),
            "requesterManaged": bool(endpoint.get("RequesterManaged", False)),
            "networkInterfaceIds": endpoint.get("NetworkInterfaceIds") or [],
            "prefixListId": lists[0]["PrefixListId"] if lists else "",
            "dnsEntries": [
                {"dnsName": entry.get("DnsName", ""), "hostedZoneId": entry.get("HostedZoneId", "")}
                for entry in endpoint.get("DnsEntries") or []
            ],
            "tagsAll": self.tagging.unpack(endpoint.get("Tags")),
        }

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        parameters: dict[str, Any] = {}
        for name, kind in _MEMBERS.items():
            if name in changed:
                wanted, present = set(new.get(name) or []), set(state.get(name) or [])
                parameters[f"Add{kind}Ids"] = sorted(wanted - present)
                parameters[f"Remove{kind}Ids"] = sorted(present - wanted)
        if "policy" in changed and new.get("policy"):
            parameters["PolicyDocument"] = new["policy"]
        for name in changed & {"privateDnsEnabled", "ipAddressType"}:
            parameters[name[0].upper() + name[1:]] = new.get(name)
        parameters = {key: value for key, value in parameters.items() if value not in ([], None)}
        if parameters:
            client("ec2").modify_vpc_endpoint(VpcEndpointId=id, **parameters)

    def remove(self, id: str, state: Values) -> None:
        client("ec2").delete_vpc_endpoints(VpcEndpointIds=[id])
