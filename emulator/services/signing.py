"""KMS's asymmetric keys: digests are signed as digests, a wrong signature is an error, and each key has one use."""

import base64
import json
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.core.exceptions import JsonRESTError
from moto.kms.responses import KmsResponse

from emulator.services.patching import original

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "ECDSA_SHA_256": hashes.SHA256(),
    "ECDSA_SHA_384": hashes.SHA384(),
    "ECDSA_SHA_512": hashes.SHA512(),
}
_USES = {
    "sign": "SIGN_VERIFY",
    "verify": "SIGN_VERIFY",
    "encrypt": "ENCRYPT_DECRYPT",
    "decrypt": "ENCRYPT_DECRYPT",
    "generate_data_key": "ENCRYPT_DECRYPT",
    "generate_data_key_without_plaintext": "ENCRYPT_DECRYPT",
}
MAX_RAW = 4096
"""Bytes of a message that KMS hashes itself."""


Action = Callable[[Any], Any]


def actions(find: Any) -> dict[str, Action]:
    """Methods of moto's `KmsResponse` with what it lacks.

    Args:
        find: the key of a backend by any of its names; None if there is none.
    """
    found = _signatures(find)
    for action, usage in _USES.items():
        found[action] = _one_use(action, usage, found.get(action) or original(KmsResponse, action), find)
    for action in ("enable_key_rotation", "get_key_rotation_status"):
        found[action] = _rotates(original(KmsResponse, action), find)
    return found


def _one_use(action: str, usage: str, inner: Action, find: Any) -> Action:
    def used(self: Any) -> Any:
        name = self._get_param("KeyId")
        key = find(self.kms_backend, name) if name else None
        if key is not None and key.key_usage != usage:
            raise JsonRESTError(
                "InvalidKeyUsageException",
                f"{key.arn} key usage is {key.key_usage} which is not valid for {action.title().replace('_', '')}.",
            )
        return inner(self)

    return used


def _rotates(inner: Action, find: Any) -> Action:
    """Only symmetric keys for encryption rotate by themselves."""

    def rotates(self: Any) -> Any:
        key = find(self.kms_backend, self._get_param("KeyId"))
        if key is not None and key.key_spec != "SYMMETRIC_DEFAULT":
            raise JsonRESTError("UnsupportedOperationException", f"{key.arn} is not a symmetric key.")
        return inner(self)

    return rotates


def _signatures(find: Any) -> dict[str, Action]:
    sign_by_moto, verify_by_moto = original(KmsResponse, "sign"), original(KmsResponse, "verify")

    def sign(self: Any) -> Any:
        algorithm, digest = _digest(self)
        if digest is None:
            return sign_by_moto(self)
        key = _curve(find(self.kms_backend, self._get_param("KeyId")), algorithm)
        made = key.private_key.private_key.sign(digest, ec.ECDSA(Prehashed(_HASHES[algorithm])))
        said = {"KeyId": key.arn, "Signature": base64.b64encode(made).decode(), "SigningAlgorithm": algorithm}
        return json.dumps(said)

    def verify(self: Any) -> Any:
        algorithm, digest = _digest(self)
        if digest is None:
            answer = verify_by_moto(self)
            valid = json.loads(answer)["SignatureValid"]
        else:
            key = _curve(find(self.kms_backend, self._get_param("KeyId")), algorithm)
            signature = self._get_param("Signature")
            if isinstance(signature, str):
                signature = base64.b64decode(signature)
            public = key.private_key.private_key.public_key()
            try:
                public.verify(signature, digest, ec.ECDSA(Prehashed(_HASHES[algorithm])))
                valid = True
            except InvalidSignature:
                valid = False
            answer = json.dumps({"KeyId": key.arn, "SignatureValid": valid, "SigningAlgorithm": algorithm})
        if not valid:
            raise JsonRESTError("KMSInvalidSignatureException", "")
        return answer

    return {"sign": sign, "verify": verify}


def _digest(response: Any) -> tuple[str, bytes | None]:
    """The algorithm, and the digest if the message is one."""
    algorithm, message = response._get_param("SigningAlgorithm"), response._get_param("Message")
    raw = message.encode() if isinstance(message, str) else message
    if response._get_param("MessageType") != "DIGEST":
        if len(raw) > MAX_RAW:
            raise JsonRESTError(
                "ValidationException",
                "1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have "
                f"length less than or equal to {MAX_RAW}",
            )
        return algorithm, None
    if algorithm not in _HASHES:
        raise JsonRESTError("ValidationException", f"the emulator signs no digests with {algorithm}")
    if len(raw) != _HASHES[algorithm].digest_size:
        raise JsonRESTError("ValidationException", f"Digest is invalid length for algorithm {algorithm}.")
    return algorithm, raw


def _curve(key: Any, algorithm: str) -> Any:
    if key is None or algorithm not in (key.signing_algorithms or ()):
        raise JsonRESTError(
            "InvalidKeyUsageException",
            f"Algorithm {algorithm} and key spec {getattr(key, 'key_spec', None)} are incompatible.",
        )
    return key
