"""How each service tags: the same thing, under different names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from emulator.provider.clients import client

Tags = Mapping[str, str]


@dataclass(frozen=True)
class Tagging:
    """The calls that add and take away tags.

    `target`: the parameter that names the resource. `style`: whether tags are pairs under `key` and `value`,
    or a mapping. `keys`: the parameter for the keys taken away. `by`: the property that names the resource,
    or `id`.
    """

    service: str
    add: str = "tag_resource"
    remove: str = "untag_resource"
    target: str = "ResourceArn"
    tags: str = "Tags"
    keys: str = "TagKeys"
    style: Literal["pairs", "mapping"] = "pairs"
    key: str = "Key"
    value: str = "Value"
    by: str = "arn"

    def pack(self, tags: Tags) -> Any:
        """The tags as the service's calls take them."""
        if self.style == "mapping":
            return dict(tags)
        return [{self.key: name, self.value: text} for name, text in tags.items()]

    def unpack(self, tags: Any) -> dict[str, str]:
        """The tags as a mapping, without those of AWS itself."""
        pairs = [] if isinstance(tags, Mapping) else tags or []
        found = dict(tags) if isinstance(tags, Mapping) else {tag[self.key]: tag[self.value] for tag in pairs}
        return {name: text for name, text in found.items() if not name.startswith("aws:")}

    def apply(self, name: str, old: Tags, new: Tags) -> None:
        """Make the tags of the resource `name` go from `old` to `new`."""
        api = client(self.service)
        gone = [key for key in old if key not in new]
        come = {key: text for key, text in new.items() if old.get(key) != text}
        if gone:
            getattr(api, self.remove)(**{self.target: name, self.keys: gone})
        if come:
            getattr(api, self.add)(**{self.target: name, self.tags: self.pack(come)})


@dataclass(frozen=True)
class Ec2Tagging(Tagging):
    """EC2 tags several resources at once, and takes tags away by pairs."""

    def apply(self, name: str, old: Tags, new: Tags) -> None:
        gone = [{"Key": key} for key in old if key not in new]
        come = {key: text for key, text in new.items() if old.get(key) != text}
        if gone:
            client("ec2").delete_tags(Resources=[name], Tags=gone)
        if come:
            client("ec2").create_tags(Resources=[name], Tags=self.pack(come))


@dataclass(frozen=True)
class BucketTagging(Tagging):
    """S3 sets all tags at once."""

    def apply(self, name: str, old: Tags, new: Tags) -> None:
        if new:
            client("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": self.pack(new)})
        elif old:
            client("s3").delete_bucket_tagging(Bucket=name)


EC2 = Ec2Tagging("ec2", by="id")
S3 = BucketTagging("s3", by="id")
KMS = Tagging("kms", target="KeyId", key="TagKey", value="TagValue", by="id")
ROLE = Tagging("iam", add="tag_role", remove="untag_role", target="RoleName", by="id")
POLICY = Tagging("iam", add="tag_policy", remove="untag_policy", target="PolicyArn", by="id")
ECR = Tagging("ecr", target="resourceArn", tags="tags", keys="tagKeys")
SNS = Tagging("sns")
CLOUDWATCH = Tagging("cloudwatch", target="ResourceARN")
LOGS = Tagging("logs", target="resourceArn", tags="tags", keys="tagKeys", style="mapping")
SAGEMAKER = Tagging("sagemaker", add="add_tags", remove="delete_tags")
AUTOSCALING = Tagging("application-autoscaling", target="ResourceARN", style="mapping")
BUDGETS = Tagging("budgets", target="ResourceARN", tags="ResourceTags", keys="ResourceTagKeys")
LAMBDA = Tagging("lambda", target="Resource", style="mapping")
EVENTS = Tagging("events", target="ResourceARN")
