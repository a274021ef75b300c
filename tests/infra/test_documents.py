"""Policies are reviewed as documents: a change of one shows as a change of its golden file."""

import json
from pathlib import Path

import pytest

from endpoints.components.judge import judge_statements
from endpoints.components.role import serving_statements
from infra.components.boundary import boundary_policy
from infra.components.bucket import bucket_policy
from infra.components.key import key_policy
from infra.components.network import endpoint_policy, s3_endpoint_policy, subnet_blocks
from infra.components.signing_key import signing_key_policy
from pipelines.components.roles import connected_statements, isolated_statements, pipeline_statements
from policies.iam.statements import document
from sluice.outputs import PlatformOutputs

ACCOUNT, REGION = "123456789012", "us-east-1"
GOLDEN = Path(__file__).parent / "golden"
KEYS = {
    f"{name}_key_arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}"
    for name in ("data", "artifacts", "capture", "audit", "operations")
}
PLATFORM = PlatformOutputs(
    account_id=ACCOUNT,
    region=REGION,
    environment="prod",
    permissions_boundary_arn=f"arn:aws:iam::{ACCOUNT}:policy/boundary",
    vpc_id="vpc-1",
    private_subnet_ids=("subnet-1", "subnet-2", "subnet-3"),
    jobs_security_group_id="sg-1",
    serving_security_group_id="sg-2",
    data_bucket="data",
    artifacts_bucket="artifacts",
    capture_bucket="capture",
    audit_bucket="audit",
    image_repository="images",
    image_repository_url=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/images",
    evidence_signing_key_arn=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/evidence",
    alerts_topic_arn=f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts",
    **KEYS,
)
JOB_ROLES = [f"arn:aws:iam::{ACCOUNT}:role/isolated", f"arn:aws:iam::{ACCOUNT}:role/connected"]

DOCUMENTS = {
    "boundary": boundary_policy(ACCOUNT, REGION),
    "bucket": bucket_policy("arn:aws:s3:::data", KEYS["data_key_arn"]),
    "bucket-logs": bucket_policy("arn:aws:s3:::logs", None, receives_logs_of=ACCOUNT),
    "key-data": key_policy(ACCOUNT, REGION, ()),
    "key-operations": key_policy(ACCOUNT, REGION, ("logs", "cloudwatch", "sns")),
    "key-evidence": signing_key_policy(ACCOUNT),
    "endpoint": endpoint_policy(ACCOUNT),
    "endpoint-s3": s3_endpoint_policy(ACCOUNT, REGION),
    "role-isolated": document(*isolated_statements(PLATFORM, "flights")),
    "role-connected": document(*connected_statements(PLATFORM, "flights", "prod")),
    "role-pipeline": document(*pipeline_statements(PLATFORM, "flights", JOB_ROLES)),
    "role-serving": document(*serving_statements(PLATFORM, "flights")),
    "role-judge": document(*judge_statements(PLATFORM, "flights", "flights-prod", "flights-prod-judge")),
}


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_policy_is_as_it_was_reviewed(name: str) -> None:
    assert json.loads(DOCUMENTS[name]) == json.loads((GOLDEN / f"{name}.json").read_text())


def test_every_golden_file_is_of_a_policy() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(DOCUMENTS)


@pytest.mark.parametrize(
    "name", ["role-isolated", "role-connected", "role-pipeline", "role-serving", "role-judge"]
)
def test_a_role_of_a_workload_reaches_no_other_workload(name: str) -> None:
    for statement in json.loads(DOCUMENTS[name])["Statement"]:
        for resource in statement["Resource"]:
            if ":s3:::" in resource and "/" in resource:
                assert resource.split("/", 1)[1].startswith("flights/"), statement["Sid"]


@pytest.mark.parametrize(
    "name", ["role-isolated", "role-connected", "role-pipeline", "role-serving", "role-judge"]
)
def test_no_role_of_a_job_or_a_server_approves_or_deploys(name: str) -> None:
    granted = {
        action
        for statement in json.loads(DOCUMENTS[name])["Statement"]
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
    }
    assert not granted & {
        "sagemaker:UpdateModelPackage",
        "sagemaker:CreateEndpoint",
        "sagemaker:UpdateEndpoint",
        "sagemaker:DeleteEndpoint",
    }


def test_a_bucket_refuses_plain_http_and_foreign_keys() -> None:
    sids = {s["Sid"]: s for s in json.loads(DOCUMENTS["bucket"])["Statement"]}
    assert {sid for sid, s in sids.items() if s["Effect"] == "Deny"} == {"OnlyTls", "OnlyKms", "OnlyThisKey"}
    assert not [s for s in sids.values() if s["Effect"] == "Allow"]


def test_subnets_are_apart_and_within_the_vpc() -> None:
    assert subnet_blocks("10.40.0.0/16") == ["10.40.0.0/20", "10.40.16.0/20", "10.40.32.0/20"]
    with pytest.raises(ValueError, match="too small"):
        subnet_blocks("10.40.0.0/25")
