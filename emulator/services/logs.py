"""CloudWatch Logs: the class of a log group."""

from typing import Any

from moto.logs.models import LogGroup
from moto.logs.responses import LogsResponse

from emulator.services.patching import original, replace

CLASSES = ("STANDARD", "INFREQUENT_ACCESS", "DELIVERY")


def install() -> None:
    """Keep `logGroupClass`."""
    create_by_moto = original(LogsResponse, "create_log_group")
    describe_by_moto = original(LogGroup, "to_describe_dict")

    def create_log_group(self: Any) -> Any:
        answer = create_by_moto(self)
        group = self.logs_backend.groups[self._get_param("logGroupName")]
        group.sluice_class = self._get_param("logGroupClass") or CLASSES[0]
        return answer

    def to_describe_dict(self: Any) -> dict[str, Any]:
        return {**describe_by_moto(self), "logGroupClass": getattr(self, "sluice_class", CLASSES[0])}

    replace(LogsResponse, "create_log_group", create_log_group)
    replace(LogGroup, "to_describe_dict", to_describe_dict)
