"""What nobody emulates is refused in the protocol of its service, with a status that no client repeats."""

from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse

from emulator.services.patching import original, replace

CODE = "NotImplemented"


def install() -> None:
    """moto lets NotImplementedError through: an HTML page with status 500, which boto3 repeats for seconds."""
    by_moto = original(BaseResponse, "call_action")

    def call_action(self: Any) -> Any:
        try:
            return by_moto(self)
        except NotImplementedError as error:
            return _refused(self, str(error))

    replace(BaseResponse, "call_action", call_action)


def _refused(response: Any, problem: str) -> Any:
    message = f"The emulator does not do {response.service_name}:{response._get_action()}"
    text = f"{message}: {problem}" if problem and "has not been implemented" not in problem else f"{message}."
    # moto finds the service of an error, and so its protocol, by the module of its class.
    kind = type(
        "NotImplementedException", (ServiceException,), {"code": CODE, "__module__": _module(response)}
    )
    status, headers, body = response.serialized(ActionResult(kind(CODE, text)))
    headers, body = response._enrich_response(headers, body)
    return status, headers, body


def _module(response: Any) -> str:
    return f"moto.{type(response).__module__.split('.')[1]}.exceptions"
