"""Lambda: functions of the package type Image, each run as processes on this machine."""

from typing import Any

from moto.awslambda.responses import LambdaResponse
from moto.core.responses import ActionResult

from emulator.context import Context
from emulator.functions.actions import Actions
from emulator.functions.invocations import Invocations
from emulator.functions.state import Functions
from emulator.refusals import RefusalError
from emulator.sagemaker.seam import present
from emulator.services.patching import original, replace
from emulator.services.refusals import CODE
from emulator.services.ticker import every

REAP_SECONDS = 5.0
_invocations: Invocations | None = None


def install(context: Context) -> None:
    """Serve Lambda's actions; what is not served is refused, for moto would only pretend."""
    global _invocations
    functions = Functions(context)
    _invocations = Invocations(context, functions)
    actions = Actions(context, functions, _invocations)
    by_moto = original(LambdaResponse, "__init__")

    def init(self: Any) -> None:
        by_moto(self)
        # moto reads REST requests by hand; with this it reads them by botocore's own model.
        self.automated_parameter_parsing = True

    replace(LambdaResponse, "__init__", init)
    for name, value in list(vars(LambdaResponse).items()):
        if not name.startswith("_") and callable(value):
            replace(LambdaResponse, name, _refused)
    for name, act in actions.served().items():
        replace(LambdaResponse, name, _method(act))
    every(context, REAP_SECONDS, _invocations.reap, "functions")


class _Answer(ActionResult):
    """moto does not send a status that is a member of the answer, as Invoke's is."""

    def execute_result(self, context: Any) -> Any:
        status, headers, body = super().execute_result(context)
        value = self.result
        return (value.get("StatusCode", status) if isinstance(value, dict) else status), headers, body


def _method(act: Any) -> Any:
    def method(self: Any) -> ActionResult:
        try:
            return _Answer(present(act(self._get_params()) or {}))
        except NotImplementedError as error:
            raise _not_done(self, str(error)) from None

    return method


def _refused(self: Any) -> None:
    raise _not_done(self, "only functions of the package type Image, and what belongs to them")


def _not_done(response: Any, why: str) -> RefusalError:
    return RefusalError(CODE, f"The emulator does not do lambda:{response._get_action()}: {why}")


def deliver(arn: str, payload: str, rule_arn: str) -> None:
    """An event of a rule, to its target: an asynchronous invocation, if the function's policy lets the rule.

    Raises:
        RefusalError: AccessDeniedException, or ResourceNotFoundException.
    """
    assert _invocations is not None
    _invocations.deliver(arn, payload.encode(), "events.amazonaws.com", rule_arn)
