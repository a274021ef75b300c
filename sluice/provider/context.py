"""What one call knows beside its properties, and the way to talk to the engine."""

import hashlib
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from sluice.errors import SluiceError


class EngineLog:
    """Messages in the output of `pulumi`, at a resource where `urn` names one.

    A log that cannot be delivered is no reason to fail the operation: the engine may be on its way out.
    """

    def __init__(self, stub: Any | None, urn: str = "") -> None:
        self._stub = stub
        self._urn = urn

    @classmethod
    def connect(cls, address: str | None) -> "EngineLog":
        """A log of the engine at `address`; without one, messages go nowhere."""
        if not address:
            return cls(None)
        return cls(engine_pb2_grpc.EngineStub(grpc.insecure_channel(address)))

    def at(self, urn: str) -> "EngineLog":
        return EngineLog(self._stub, urn)

    def debug(self, message: str) -> None:
        self._send(engine_pb2.DEBUG, message, False)

    def info(self, message: str, *, ephemeral: bool = False) -> None:
        """`ephemeral` shows the message as the resource's status, until the next one."""
        self._send(engine_pb2.INFO, message, ephemeral)

    def warning(self, message: str) -> None:
        self._send(engine_pb2.WARNING, message, False)

    def error(self, message: str) -> None:
        """Marks the whole operation as failed, whatever else happens."""
        self._send(engine_pb2.ERROR, message, False)

    def _send(self, severity: Any, message: str, ephemeral: bool) -> None:
        if self._stub is None:
            return
        request = engine_pb2.LogRequest(
            severity=severity, message=message, urn=self._urn, ephemeral=ephemeral
        )
        try:
            self._stub.Log(request, timeout=5)
        except grpc.RpcError:
            return


@dataclass(frozen=True)
class Naming:
    """The engine's wish for automatic names. `mode`: propose, enforce or disable."""

    mode: str = "propose"
    proposed: str = ""


@dataclass(frozen=True)
class Context:
    """One call."""

    urn: str = ""
    preview: bool = False
    timeout: float | None = None
    random_seed: bytes = b""
    naming: Naming | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    log: EngineLog = field(default_factory=lambda: EngineLog(None))
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        """The resource's name in the program: what follows the URN's last `::`."""
        return self.urn.rpartition("::")[2]

    def raise_if_cancelled(self) -> None:
        """
        Raises:
            SluiceError: if the user interrupted the operation.
        """
        if self.cancelled.is_set():
            raise SluiceError(f"{self.name or 'the operation'} was interrupted")

    def autoname(
        self, *, separator: str = "-", digits: int = 7, max_length: int = 64, lower: bool = False
    ) -> str:
        """`<name>-<7 hexadecimal digits>`, cut to fit; the same for the same seed of the engine.

        Raises:
            SluiceError: if the stack's configuration forbids automatic names, or the name enforced is too
            long.
        """
        naming = self.naming or Naming()
        if naming.mode == "disable":
            raise SluiceError(f"{self.name}: automatic names are disabled for this stack", "Give it a name.")
        if naming.proposed:
            if naming.mode == "enforce" and len(naming.proposed) > max_length:
                raise SluiceError(f"{self.name}: the name {naming.proposed!r} is longer than {max_length}")
            return naming.proposed[:max_length]
        tail = hashlib.sha256(self.random_seed).hexdigest() if self.random_seed else secrets.token_hex(16)
        stem = self.name.lower() if lower else self.name
        stem = stem[: max_length - digits - len(separator)]
        return f"{stem}{separator}{tail[:digits]}"
