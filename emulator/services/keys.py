"""KMS: a key that is disabled encrypts nothing, and rotation keeps its period."""

import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.kms.models import KmsBackend, kms_backends
from moto.kms.responses import KmsResponse

from emulator.context import Context
from emulator.services import signing
from emulator.services.patching import original, replace


class KeyRefusedError(Exception):
    """KMS refuses the key; `code` is KMS's."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def usable_key(context: Context, name: str) -> str:
    """The ARN of a key given by id, ARN, alias name or alias ARN.

    Raises:
        KeyRefusedError: NotFoundException, DisabledException or KMSInvalidStateException.
    """
    backend = kms_backends[context.account][context.region]
    key = _find(backend, name)
    if key is None:
        arn = name if name.startswith("arn:") else context.arn("kms", name if "/" in name else f"key/{name}")
        problem = f"Alias {arn} is not found." if "alias/" in name else f"Key '{arn}' does not exist"
        raise KeyRefusedError("NotFoundException", problem)
    if key.key_state == "Disabled":
        raise KeyRefusedError("DisabledException", f"{key.arn} is disabled.")
    if key.key_state != "Enabled":
        raise KeyRefusedError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    return str(key.arn)


def _find(backend: KmsBackend, name: str) -> Any:
    plain = name.split(":", 5)[5] if name.startswith("arn:") else name
    if plain.startswith("alias/"):
        found = backend.get_key_id_from_alias(plain)
        return backend.keys.get(found) if found else None
    return backend.keys.get(plain.removeprefix("key/"))


_ENCRYPTING = (
    "encrypt",
    "decrypt",
    "generate_data_key",
    "generate_data_key_without_plaintext",
    "re_encrypt",
    "sign",
    "verify",
    "generate_mac",
    "verify_mac",
)


def install(context: Context) -> None:
    """Patch moto's KMS."""
    ours = signing.actions(_find)
    for action in _ENCRYPTING:
        _guard(context, action, ours.get(action) or original(KmsResponse, action))
    _rotation(ours["enable_key_rotation"], ours["get_key_rotation_status"])
    _by_any_name()
    _usage()


def _guard(context: Context, action: str, inner: signing.Action | None) -> None:
    if inner is None:
        return

    def guarded(self: Any) -> Any:
        for parameter in ("KeyId", "DestinationKeyId"):
            name = self._get_param(parameter)
            key = _find(kms_backends[context.account][context.region], name) if name else None
            if key is not None and key.key_state != "Enabled":
                try:
                    usable_key(context, name)
                except KeyRefusedError as error:
                    raise JsonRESTError(error.code, str(error)) from None
        return inner(self)

    replace(KmsResponse, action, guarded)


def _rotation(enable: signing.Action, status: signing.Action) -> None:
    def enable_key_rotation(self: Any) -> Any:
        days = self._get_param("RotationPeriodInDays") or 365
        if not 90 <= int(days) <= 2560:
            raise JsonRESTError(
                "ValidationException",
                f"1 validation error detected: Value '{days}' at 'rotationPeriodInDays' failed to satisfy constraint: "
                "Member must have value between 90 and 2560",
            )
        answer = enable(self)
        key = _find(self.kms_backend, self._get_param("KeyId"))
        if key is not None:
            key.rotation_period = int(days)
        return answer

    def get_key_rotation_status(self: Any) -> Any:
        answer = json.loads(status(self))
        key = _find(self.kms_backend, self._get_param("KeyId"))
        if key is not None:
            answer["KeyId"] = key.arn
            if answer.get("KeyRotationEnabled"):
                answer["RotationPeriodInDays"] = getattr(key, "rotation_period", 365)
        return json.dumps(answer)

    replace(KmsResponse, "enable_key_rotation", enable_key_rotation)
    replace(KmsResponse, "get_key_rotation_status", get_key_rotation_status)


def _by_any_name() -> None:
    """moto takes only ids here, and answers 500 to an ARN."""
    for name in (
        "enable_key",
        "disable_key",
        "schedule_key_deletion",
        "cancel_key_deletion",
        "update_key_description",
    ):
        by_moto = original(KmsBackend, name)

        def by_id(self: Any, key_id: str, *args: Any, _by_moto: Any = by_moto, **given: Any) -> Any:
            return _by_moto(self, key_id.rsplit("/", 1)[-1] if ":key/" in key_id else key_id, *args, **given)

        replace(KmsBackend, name, by_id)


def _usage() -> None:
    """A key made without KeyUsage is one for encryption."""
    by_moto = original(KmsBackend, "create_key")

    def create_key(self: Any, policy: Any, key_usage: str | None, *args: Any, **given: Any) -> Any:
        return by_moto(self, policy, key_usage or "ENCRYPT_DECRYPT", *args, **given)

    replace(KmsBackend, "create_key", create_key)
