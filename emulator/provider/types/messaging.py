"""SNS topics."""

# ruff: noqa: ARG002 - every type has the same five calls; few need all that they are given.

import json
from collections.abc import Mapping
from typing import Any

from emulator.provider import tagging
from emulator.provider.base import Autoname, AwsResource
from emulator.provider.clients import client, found
from emulator.provider.fields import Field, Values, from_api

GONE = ("NotFound", "NotFoundException")
_ATTRIBUTES = {
    "displayName": Field(default=""),
    "kmsMasterKeyId": Field(),
    "policy": Field(policy=True, computed=True),
    "deliveryPolicy": Field(json=True),
}


class Topic(AwsResource):
    """Its id is its ARN."""

    token = "aws:sns/topic:Topic"
    fields = {"name": Field(replace=True), **_ATTRIBUTES}
    made = frozenset({"arn", "owner"})
    autoname = Autoname(max_length=256)
    tagging = tagging.SNS

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        attributes = {name[0].upper() + name[1:]: inputs[name] for name in _ATTRIBUTES if inputs.get(name)}
        answer = client("sns").create_topic(
            Name=inputs["name"], Attributes=attributes, Tags=self.tagging.pack(tags)
        )
        return str(answer["TopicArn"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        api = client("sns")
        answer = found(lambda: api.get_topic_attributes(TopicArn=id), *GONE)
        if answer is None:
            return None
        tags = api.list_tags_for_resource(ResourceArn=id)["Tags"]
        attributes = {name: text for name, text in answer["Attributes"].items() if text}
        return {
            **from_api(_ATTRIBUTES, attributes),
            "name": id.rpartition(":")[2],
            "arn": id,
            "owner": attributes.get("Owner", ""),
            "tagsAll": self.tagging.unpack(tags),
        }

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        for name in sorted(changed):
            if name == "policy" and not new.get(name):
                continue
            attribute = name[0].upper() + name[1:]
            client("sns").set_topic_attributes(
                TopicArn=id, AttributeName=attribute, AttributeValue=new.get(name, "")
            )

    def remove(self, id: str, state: Values) -> None:
        found(lambda: client("sns").delete_topic(TopicArn=id), *GONE)


class TopicPolicy(AwsResource):
    """A topic always has a policy; deleting puts back the one that SNS makes."""

    token = "aws:sns/topicPolicy:TopicPolicy"
    fields = {"arn": Field(replace=True, required=True), "policy": Field(required=True, policy=True)}
    made = frozenset({"owner"})

    def _put(self, arn: str, policy: str) -> None:
        client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        self._put(inputs["arn"], inputs["policy"])
        return str(inputs["arn"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        answer = found(lambda: client("sns").get_topic_attributes(TopicArn=id), *GONE)
        if answer is None:
            return None
        attributes = answer["Attributes"]
        return {"arn": id, "policy": attributes["Policy"], "owner": attributes.get("Owner", "")}

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        self._put(id, new["policy"])

    def remove(self, id: str, state: Values) -> None:
        found(lambda: self._put(id, _default_policy(id)), *GONE)


def _default_policy(arn: str) -> str:
    """The policy of a new topic:
    https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html"""
    actions = (
        "GetTopicAttributes SetTopicAttributes AddPermission RemovePermission DeleteTopic Subscribe "
        "ListSubscriptionsByTopic Publish"
    )
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in actions.split()],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": arn.split(":")[4]}},
    }
    return json.dumps({"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]})
