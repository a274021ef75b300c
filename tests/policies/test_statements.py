import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.iam.grants import Bucket, Images, Key, vpc_interfaces
from policies.iam.statements import TAKES_NO_ARN, allow, deny, document, service_trust
from sluice.errors import SluiceError

ACCOUNT, REGION = "123456789012", "us-east-1"
KEY = Key(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1", REGION)


@pytest.mark.parametrize("action", ["*", "s3:*", "sagemaker:*", "*:GetObject"])
def test_a_whole_service_is_never_granted(action: str) -> None:
    with pytest.raises(SluiceError, match="whole service"):
        allow("Everything", [action], ["arn:aws:s3:::bucket"])


def test_an_action_that_takes_an_arn_is_never_granted_on_every_resource() -> None:
    with pytest.raises(SluiceError, match="s3:GetObject on every resource"):
        allow("Read", ["s3:GetObject"], ["*"])


@pytest.mark.parametrize("action", sorted(TAKES_NO_ARN))
def test_an_action_without_resources_may_be(action: str) -> None:
    assert allow("Some", [action], ["*"])["Resource"] == ["*"]


def test_a_deny_may_be_wide() -> None:
    assert deny("Never", ["*"], ["*"])["Effect"] == "Deny"


def test_two_statements_of_one_name_are_refused() -> None:
    with pytest.raises(SluiceError, match="Read"):
        document(allow("Read", ["s3:GetObject"], ["a"]), allow("Read", ["s3:GetObject"], ["b"]))


@given(st.lists(st.sampled_from(["s3:GetObject", "s3:PutObject", "kms:Decrypt"]), min_size=1))
def test_the_same_statement_has_the_same_bytes_in_any_order(actions: list[str]) -> None:
    one = document(allow("Some", actions, ["b", "a"]))
    other = document(allow("Some", list(reversed(actions)), ["a", "b"]))
    assert one == other


def test_a_service_trusts_this_account_alone() -> None:
    trust = json.loads(service_trust("sagemaker.amazonaws.com", ACCOUNT, REGION))
    (statement,) = trust["Statement"]
    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:*"},
    }


def test_a_bucket_grants_its_prefix_and_its_key_through_s3() -> None:
    read = Bucket("data", KEY).read("Data", "flights/")
    assert [s["Resource"] for s in read] == [
        ["arn:aws:s3:::data/flights/*"],
        ["arn:aws:s3:::data"],
        [KEY.arn],
    ]
    assert read[1]["Condition"] == {"StringLike": {"s3:prefix": ["flights/*"]}}
    assert read[2]["Condition"] == {"StringEquals": {"kms:ViaService": [f"s3.{REGION}.amazonaws.com"]}}


def test_reading_grants_no_write_and_writing_no_delete() -> None:
    actions = {a for s in Bucket("data", KEY).read("Data", "x/") for a in s["Action"]}
    assert not {a for a in actions if "Put" in a or "Delete" in a or "Generate" in a}
    actions = {a for s in Bucket("data", KEY).write("Data", "x/") for a in s["Action"]}
    assert "s3:PutObject" in actions and not {a for a in actions if "Delete" in a}


def test_grants_compose_into_one_document() -> None:
    statements = [
        *Bucket("data", KEY).read("Data", "x/"),
        *Bucket("artifacts", KEY).write("Artifacts", "x/"),
        *Images("images", ACCOUNT, REGION).pull(),
        *vpc_interfaces(REGION, ACCOUNT),
    ]
    assert len(json.loads(document(*statements))["Statement"]) == len(statements)
