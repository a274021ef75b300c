"""KMS refuses keys that are switched off, and signatures that are not of what it is shown."""

import hashlib
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.emulator.inprocess import World


def test_a_disabled_key_does_nothing_until_it_is_enabled(world: World) -> None:
    client = world.client("kms")
    key = client.create_key()["KeyMetadata"]["Arn"]
    client.create_alias(AliasName="alias/x", TargetKeyId=key)
    secret = client.encrypt(KeyId="alias/x", Plaintext=b"x")["CiphertextBlob"]
    client.disable_key(KeyId=key)
    for call in (
        lambda: client.encrypt(KeyId="alias/x", Plaintext=b"x"),
        lambda: client.generate_data_key(KeyId=key, KeySpec="AES_256"),
        lambda: client.decrypt(KeyId=key, CiphertextBlob=secret),
    ):
        with pytest.raises(ClientError) as error:
            call()
        assert error.value.response["Error"]["Code"] == "DisabledException"
    client.enable_key(KeyId=key)
    assert client.decrypt(KeyId=key, CiphertextBlob=secret)["Plaintext"] == b"x"


def test_a_key_that_waits_for_deletion_is_in_the_wrong_state(world: World) -> None:
    client = world.client("kms")
    key = client.create_key()["KeyMetadata"]["Arn"]
    client.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    with pytest.raises(ClientError) as error:
        client.encrypt(KeyId=key, Plaintext=b"x")
    assert error.value.response["Error"]["Code"] == "KMSInvalidStateException"


def test_a_rotation_period_out_of_range_is_refused(world: World) -> None:
    client = world.client("kms")
    key = client.create_key()["KeyMetadata"]["KeyId"]
    with pytest.raises(ClientError) as error:
        client.enable_key_rotation(KeyId=key, RotationPeriodInDays=2561)
    assert error.value.response["Error"]["Code"] == "ValidationException"


def signing_key(client: Any) -> str:
    made = client.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    return str(made["KeyMetadata"]["Arn"])


def test_a_digest_is_signed_as_the_message_it_is_of(world: World) -> None:
    """Whoever has the public key alone can check it, five years later and without KMS."""
    client = world.client("kms")
    key, message = signing_key(client), b"evidence" * 10_000
    digest = hashlib.sha256(message).digest()
    asked = {"KeyId": key, "Message": digest, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = client.sign(**asked)["Signature"]
    assert client.verify(**asked, Signature=signature)["SignatureValid"] is True
    public = load_der_public_key(client.get_public_key(KeyId=key)["PublicKey"])
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    other = hashlib.sha256(message + b".").digest()
    with pytest.raises(client.exceptions.KMSInvalidSignatureException):
        client.verify(**{**asked, "Message": other}, Signature=signature)
    with pytest.raises(client.exceptions.KMSInvalidSignatureException):
        client.verify(**{**asked, "KeyId": signing_key(client)}, Signature=signature)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Message": b"short"}, "ValidationException"),
        ({"MessageType": "RAW", "Message": b"x" * 4097}, "ValidationException"),
        ({"SigningAlgorithm": "ECDSA_SHA_384", "Message": b"x" * 48}, "InvalidKeyUsageException"),
    ],
)
def test_what_cannot_be_signed_is_refused(world: World, change: dict[str, Any], code: str) -> None:
    client = world.client("kms")
    asked = {"Message": b"x" * 32, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}
    with pytest.raises(ClientError) as error:
        client.sign(KeyId=signing_key(client), **{**asked, **change})
    assert error.value.response["Error"]["Code"] == code


def test_each_key_has_one_use(world: World) -> None:
    client = world.client("kms")
    signs, encrypts = signing_key(client), client.create_key()["KeyMetadata"]["Arn"]
    asked = {"Message": b"x" * 32, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}
    for call in (
        lambda: client.sign(KeyId=encrypts, **asked),
        lambda: client.encrypt(KeyId=signs, Plaintext=b"x"),
    ):
        with pytest.raises(client.exceptions.InvalidKeyUsageException):
            call()
    with pytest.raises(client.exceptions.UnsupportedOperationException):
        client.enable_key_rotation(KeyId=signs)
