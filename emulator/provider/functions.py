"""The invokes that the programs call."""

# ruff: noqa: ARG001 - the kit gives every function its context.

from typing import Any

from emulator.provider.clients import client
from emulator.provider.fields import Values
from sluice import aws
from sluice.errors import SluiceError
from sluice.provider import Context, Function


def _known(arguments: Values, token: str, names: set[str]) -> dict[str, Any]:
    given = {name: value for name, value in arguments.items() if value is not None}
    if unmapped := sorted(set(given) - names):
        raise SluiceError(f"the emulator's provider does not map the argument {unmapped[0]!r} of {token}")
    return given


def caller_identity(context: Context, arguments: Values) -> Values:
    _known(arguments, "aws:index/getCallerIdentity:getCallerIdentity", {"id"})
    answer = client("sts").get_caller_identity()
    account = answer["Account"]
    return {"accountId": account, "arn": answer["Arn"], "id": account, "userId": answer["UserId"]}


def region(context: Context, arguments: Values) -> Values:
    given = _known(arguments, "aws:index/getRegion:getRegion", {"id", "name", "region", "endpoint"})
    name = given.get("region") or given.get("name") or aws.region()
    every = client("ec2").describe_regions(RegionNames=[name])["Regions"]
    return {
        "id": name,
        "name": name,
        "region": name,
        "endpoint": str(every[0]["Endpoint"]).removeprefix("https://"),
        "description": name,
    }


def partition(context: Context, arguments: Values) -> Values:
    _known(arguments, "aws:index/getPartition:getPartition", {"id"})
    return {
        "id": "aws",
        "partition": "aws",
        "dnsSuffix": "amazonaws.com",
        "reverseDnsPrefix": "com.amazonaws",
    }


def availability_zones(context: Context, arguments: Values) -> Values:
    token = "aws:index/getAvailabilityZones:getAvailabilityZones"
    given = _known(arguments, token, {"state", "filters", "allAvailabilityZones", "excludeNames"})
    filters = [{"Name": item["name"], "Values": item["values"]} for item in given.get("filters") or []]
    if given.get("state"):
        filters.append({"Name": "state", "Values": [given["state"]]})
    zones = client("ec2").describe_availability_zones(
        Filters=filters, AllAvailabilityZones=bool(given.get("allAvailabilityZones", False))
    )["AvailabilityZones"]
    zones = [zone for zone in zones if zone["ZoneName"] not in (given.get("excludeNames") or [])]
    zones.sort(key=lambda zone: str(zone["ZoneName"]))
    return {
        "id": aws.region(),
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone["ZoneId"] for zone in zones],
        "groupNames": sorted({zone.get("GroupName", aws.region()) for zone in zones}),
        "region": aws.region(),
        **given,
    }


def image(context: Context, arguments: Values) -> Values:
    token = "aws:ecr/getImage:getImage"
    names = {"repositoryName", "imageTag", "imageDigest", "mostRecent", "registryId"}
    given = _known(arguments, token, names)
    repository = given["repositoryName"]
    wanted = {name: given[name] for name in ("imageTag", "imageDigest") if given.get(name)}
    if bool(wanted) == bool(given.get("mostRecent")):
        raise SluiceError(f"{token} needs one of imageTag, imageDigest and mostRecent")
    registry = {"registryId": given["registryId"]} if given.get("registryId") else {}
    selection = {"imageIds": [wanted]} if wanted else {}
    api = client("ecr")
    search = {"repositoryName": repository, **registry, **selection}
    answers = api.get_paginator("describe_images").paginate(**search)
    details = [item for answer in answers for item in answer["imageDetails"]]
    if not details:
        raise SluiceError(f"the repository {repository} holds no image")
    found = max(details, key=lambda item: item["imagePushedAt"])
    described = api.describe_repositories(repositoryNames=[repository])["repositories"][0]
    digest = found["imageDigest"]
    return {
        **given,
        "id": digest,
        "imageDigest": digest,
        "imagePushedAt": int(found["imagePushedAt"].timestamp()),
        "imageSizeInBytes": found.get("imageSizeInBytes", 0),
        "imageTags": found.get("imageTags", []),
        "imageUri": f"{described['repositoryUri']}@{digest}",
        "registryId": found["registryId"],
        "region": aws.region(),
    }


FUNCTIONS: dict[str, Function] = {
    "aws:index/getCallerIdentity:getCallerIdentity": caller_identity,
    "aws:index/getRegion:getRegion": region,
    "aws:index/getPartition:getPartition": partition,
    "aws:index/getAvailabilityZones:getAvailabilityZones": availability_zones,
    "aws:ecr/getImage:getImage": image,
}
