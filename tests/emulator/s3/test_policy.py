"""Policies and their conditions."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.s3 import policy
from emulator.s3.policy import Principal, Request, evaluate, is_public
from emulator.s3.requests import action

ACCOUNT = "123456789012"
ROOT = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
SESSION = Principal(
    ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/jobs/s", f"arn:aws:iam::{ACCOUNT}:role/sluice/jobs"
)
OTHER = Principal("999999999999", "arn:aws:iam::999999999999:root")
NOBODY = Principal("anonymous", "anonymous", anonymous=True)


def document(**changes: Any) -> str:
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", **changes}
    return json.dumps(
        {"Version": "2012-10-17", "Statement": {k: v for k, v in statement.items() if v is not None}}
    )


def denies(text: str, who: Principal = ROOT, act: str = "s3:PutObject", /, **context: Any) -> bool:
    keys = {name.replace("__", ":").replace("_", "-"): tuple(value) for name, value in context.items()}
    return evaluate(text, Request(who, act, "arn:aws:s3:::b/k", keys)) == "Deny"


@pytest.mark.parametrize(
    ("principal", "who", "expected"),
    [
        ("*", NOBODY, True),
        ({"AWS": "*"}, SESSION, True),
        ({"AWS": ACCOUNT}, SESSION, True),
        ({"AWS": [f"arn:aws:iam::{ACCOUNT}:root"]}, SESSION, True),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, OTHER, False),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/sluice/jobs"}, SESSION, True),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/sluice/jobs"}, ROOT, False),
        ({"Service": "logging.s3.amazonaws.com"}, ROOT, False),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, NOBODY, False),
    ],
)
def test_principals(principal: Any, who: Principal, expected: bool) -> None:
    assert denies(document(Principal=principal), who) is expected
    assert denies(document(Principal=None, NotPrincipal=principal), who) is not expected


@pytest.mark.parametrize(
    ("condition", "context", "expected"),
    [
        ({"Bool": {"aws:SecureTransport": "false"}}, {"aws__securetransport": ["true"]}, False),
        ({"Bool": {"aws:SecureTransport": False}}, {"aws__securetransport": ["false"]}, True),
        ({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}, {"aws__sourcevpce": ["vpce-1", "vpce-2"]}, False),
        ({"StringNotEquals": {"aws:SourceVpce": ["vpce-3"]}}, {"aws__sourcevpce": ["vpce-1"]}, True),
        ({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}, {}, True),
        ({"StringNotEqualsIfExists": {"aws:SourceVpce": "vpce-1"}}, {}, True),
        ({"StringEqualsIfExists": {"aws:SourceVpce": "vpce-1"}}, {}, True),
        ({"StringEquals": {"aws:SourceVpce": "vpce-1"}}, {}, False),
        ({"Null": {"s3:x-amz-server-side-encryption": "true"}}, {}, True),
        (
            {"Null": {"s3:x-amz-server-side-encryption": True}},
            {"s3__x_amz_server_side_encryption": ["a"]},
            False,
        ),
        (
            {"Null": {"s3:x-amz-server-side-encryption": "false"}},
            {"s3__x_amz_server_side_encryption": ["a"]},
            True,
        ),
        ({"StringLike": {"s3:prefix": "a/*"}}, {"s3__prefix": ["a/b/c"]}, True),
        (
            {"StringNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/x"}},
            {"aws__principalarn": ["arn"]},
            True,
        ),
        (
            {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}},
            {"aws__principalarn": ["arn:aws:iam::1:role/x"]},
            True,
        ),
        (
            {"ArnLike": {"aws:PrincipalArn": "arn:*:role/x"}},
            {"aws__principalarn": ["arn:aws:iam::1:role/x"]},
            False,
        ),
        ({"NumericLessThan": {"s3:TlsVersion": 1.2}}, {"s3__tlsversion": ["1.3"]}, False),
        ({"NumericLessThan": {"s3:TlsVersion": "1.2"}}, {"s3__tlsversion": ["not a number"]}, False),
        (
            {"DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}},
            {"aws__currenttime": ["2026-02-01T00:00:00Z"]},
            True,
        ),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws__sourceip": ["127.0.0.1"]}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws__tagkeys": ["a", "c"]}, False),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws__tagkeys": ["a", "c"]}, True),
        ({"StringEquals": {"a": "1"}, "Bool": {"b": "true"}}, {"a": ["1"], "b": ["false"]}, False),
    ],
)
def test_conditions(condition: Any, context: Any, expected: bool) -> None:
    assert denies(document(Condition=condition), ROOT, "s3:PutObject", **context) is expected


def test_deny_wins_over_allow() -> None:
    allow = json.loads(document(Effect="Allow"))["Statement"]
    deny = json.loads(document(Action=["s3:Put*"]))["Statement"]
    text = json.dumps({"Statement": [allow, deny]})
    assert evaluate(text, Request(ROOT, "s3:PutObject", "arn:aws:s3:::b/k")) == "Deny"
    assert evaluate(text, Request(ROOT, "s3:GetObject", "arn:aws:s3:::b/k")) == "Allow"


@given(st.text("ab*?", max_size=6), st.text("ab", max_size=6))
def test_wildcards(pattern: str, value: str) -> None:
    def slow(p: str, v: str) -> bool:
        if not p:
            return not v
        if p[0] == "*":
            return slow(p[1:], v) or (bool(v) and slow(p, v[1:]))
        return bool(v) and p[0] in ("?", v[0]) and slow(p[1:], v[1:])

    assert policy.like(value, pattern) == slow(pattern, value)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        document(Effect="Perhaps"),
        document(Principal=None),
        document(Action=None),
        document(Condition={"StringSimilar": {"a": "b"}}),
        document(Condition={"NullIfExists": {"a": "true"}}),
    ],
)
def test_a_malformed_policy_is_refused(text: str) -> None:
    with pytest.raises(policy.MalformedPolicyError):
        policy.statements(text)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Effect": "Allow"}, True),
        ({"Effect": "Allow", "Principal": {"AWS": ["*"]}}, True),
        ({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}}, False),
        ({"Effect": "Deny"}, False),
        ({"Effect": "Allow", "Condition": {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}}, False),
        ({"Effect": "Allow", "Condition": {"StringLike": {"aws:PrincipalArn": "*"}}}, True),
        ({"Effect": "Allow", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}, True),
    ],
)
def test_public(changes: dict[str, Any], expected: bool) -> None:
    assert is_public(document(**changes)) is expected


@pytest.mark.parametrize(
    ("method", "query", "of_object", "expected"),
    [
        ("GET", {}, True, "s3:GetObject"),
        ("GET", {"versionId": "1"}, True, "s3:GetObjectVersion"),
        ("PUT", {"partNumber": "1", "uploadId": "2"}, True, "s3:PutObject"),
        ("DELETE", {"uploadId": "2"}, True, "s3:AbortMultipartUpload"),
        ("GET", {"list-type": "2"}, False, "s3:ListBucket"),
        ("PUT", {"policy": ""}, False, "s3:PutBucketPolicy"),
        ("POST", {"delete": ""}, False, None),
        ("OPTIONS", {}, True, None),
    ],
)
def test_actions(method: str, query: dict[str, str], of_object: bool, expected: str | None) -> None:
    assert action(method, query, of_object) == expected
