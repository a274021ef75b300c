"""The signature of a report: whoever can write the report cannot write it as the judge.

AWS KMS Developer Guide, "Asymmetric keys in AWS KMS": the private half never leaves KMS, and the public half is enough
to check a signature without it.
"""

import base64
import hashlib
from datetime import datetime
from typing import Any, Literal

from botocore.exceptions import ClientError
from pydantic import AwareDatetime

from sluice.config import Frozen

ALGORITHM: Literal["ECDSA_SHA_256"] = "ECDSA_SHA_256"


class Signature(Frozen):
    """What lies beside a report.

    Attributes:
        report: the URI of the report.
        key: ARN of the key.
        digest: SHA-256 of the exact bytes of the report, in hexadecimal digits.
        signature: of the digest, DER in base64.
        moment: when it was signed.
    """

    report: str
    key: str
    algorithm: Literal["ECDSA_SHA_256"] = ALGORITHM
    digest: str
    signature: str
    moment: AwareDatetime


class Checked(Frozen):
    """Whether a report is as the judge wrote it, and in words why not."""

    valid: bool
    says: str


def sign(kms: Any, key: str, report: str, body: bytes, now: datetime) -> Signature:
    """Sign the bytes of a report."""
    digest = hashlib.sha256(body)
    answer = kms.sign(KeyId=key, Message=digest.digest(), MessageType="DIGEST", SigningAlgorithm=ALGORITHM)
    return Signature(
        report=report,
        key=answer["KeyId"],
        digest=digest.hexdigest(),
        signature=base64.b64encode(answer["Signature"]).decode(),
        moment=now,
    )


def check(kms: Any, key: str, body: bytes, signature: Signature) -> Checked:
    """Whether the bytes are those that were signed with `key`.

    Args:
        key: the key that reports are signed with. What the signature says of its key proves nothing: anybody has one.
    """
    digest = hashlib.sha256(body)
    if signature.key != key:
        return Checked(
            valid=False, says=f"it is signed with another key, {signature.key}, and not with {key}"
        )
    if signature.digest != digest.hexdigest():
        return Checked(valid=False, says=f"the report was altered after it was signed at {signature.moment}")
    try:
        kms.verify(
            KeyId=key,
            Message=digest.digest(),
            MessageType="DIGEST",
            Signature=base64.b64decode(signature.signature),
            SigningAlgorithm=ALGORITHM,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "KMSInvalidSignatureException":
            raise
        return Checked(valid=False, says="the signature is not of this report")
    return Checked(valid=True, says=f"the report is as the judge signed it at {signature.moment}")
