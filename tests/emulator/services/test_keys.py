"""KMS refuses keys that are switched off."""

import pytest
from botocore.exceptions import ClientError

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
