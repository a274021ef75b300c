"""What nobody emulates is refused in the protocol of its service, with a status that no client repeats."""

from typing import Any

from moto.core.responses import ActionResult, BaseResponse

from emulator.refusals import RefusalError
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
    return error(response, CODE, text)


def error(response: Any, code: str, message: str) -> Any:
    """Status, headers and body of an error, in the protocol of the service that moto's `response` belongs to."""
    status, headers, body = response.serialized(ActionResult(RefusalError(code, message)))
    headers, body = response._enrich_response(headers, body)
    return status, headers, body
