# ruff: noqa: ARG002 - the signatures are the kit's
"""`mlops:endpoints:Deployment` as the Pulumi engine sees it."""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from endpoints.rollout import configs, marks, mirror
from endpoints.rollout.cloud import Cloud
from endpoints.rollout.engine import CREATION_LIMIT, Live, roll_out, tear_down
from endpoints.rollout.glass import glass_of
from endpoints.rollout.observe import Observed
from endpoints.rollout.pace import Pace
from endpoints.rollout.spec import Spec, config_name, is_config_of
from sluice.clock import Clock, SystemClock
from sluice.errors import SluiceError
from sluice.provider import (
    UNKNOWN,
    Change,
    Checked,
    Context,
    Created,
    Diff,
    Failure,
    Kind,
    PartialFailure,
    Property,
    Provider,
    Read,
    Resource,
    compare,
    contains_unknown,
)
from sluice.provider.faults import client_error_text
from sluice.provider.resource import Values

TOKEN = "mlops:endpoints:Deployment"
VERSION = "0.1.0"


class Interruptible:
    """The clock of one call: a wait ends when the user interrupts the operation."""

    def __init__(self, clock: Clock, cancelled: threading.Event) -> None:
        self._clock, self._cancelled = clock, cancelled

    def now(self) -> datetime:
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        """
        Raises:
            SluiceError: if the operation was interrupted.
        """
        if isinstance(self._clock, SystemClock):
            self._cancelled.wait(seconds)
        else:
            self._clock.sleep(seconds)
        if self._cancelled.is_set():
            raise SluiceError(
                "the rollout was interrupted; SageMaker goes on with what it began",
                "The next `pulumi up` joins it.",
            )


class Deployment(Resource):
    """One endpoint with its configs.

    Args:
        connect: makes the AWS calls; called once a call of the engine.
        clock: what waits are on.
    """

    token = TOKEN
    # All else updates in place. An endpoint cannot be renamed.
    properties = {"endpointName": Property(replace=True)}
    outputs = frozenset({"endpointArn", "configName", "endpointStatus", "previousConfigName"})

    def __init__(self, connect: Callable[[], Cloud] = Cloud.connect, clock: Clock | None = None) -> None:
        self._connect = connect
        self._clock = clock or SystemClock()

    def check(self, context: Context, old_inputs: Values, inputs: Values) -> Checked:
        """Refuses what SageMaker would, and a release that was turned back here before."""
        given = _given(inputs)
        if contains_unknown(given):
            return Checked(given)
        try:
            spec = Spec.model_validate(given)
        except ValidationError as error:
            return Checked(given, [_failure(problem) for problem in error.errors()])
        cloud = self._connect()
        seen = cloud.endpoint(spec.endpoint_name)
        tags = {} if seen.arn is None else cloud.tags(seen.arn)
        if tags.get(marks.REFUSED) == marks.pair(spec):
            reason = (
                f"release {spec.release} with the config {config_name(spec)} was rolled back on the endpoint "
                f"{spec.endpoint_name} and is not tried again. Change the release file: reject the challenger, or "
                f"propose another package; or remove the tag {marks.REFUSED} to try this one once more"
            )
            return Checked(given, [Failure("release", reason)])
        broken = _broken_glass(cloud, spec, seen, tags)
        return Checked(given, [] if broken is None else [Failure("release", broken)])

    def diff(self, context: Context, id: str, state: Values, old_inputs: Values, inputs: Values) -> Diff:
        """The changed inputs, and a live config other than the wanted one even where the inputs are the same."""
        changes = compare(old_inputs, inputs, self.properties)
        wanted = _wanted_config(inputs)
        strayed = state.get("endpointStatus") in ("Failed", "UpdateRollbackFailed") or (
            wanted is not UNKNOWN and state.get("configName") != wanted
        )
        if not changes and strayed:
            changes = (Change(("configName",), Kind.UPDATE, False),)
        return Diff(changes, self.delete_before_replace)

    def preview_create(self, context: Context, inputs: Values) -> Values:
        unknown = dict.fromkeys(self.outputs, UNKNOWN)
        return {**inputs, **unknown, "configName": _wanted_config(inputs)}

    def preview_update(
        self, context: Context, id: str, state: Values, old_inputs: Values, inputs: Values
    ) -> Values:
        wanted, live = _wanted_config(inputs), state.get("configName")
        previous = state.get("previousConfigName") if wanted == live else live
        known = {"endpointArn": state.get("endpointArn"), "endpointStatus": "InService"}
        return {**inputs, **known, "configName": wanted, "previousConfigName": previous}

    def create(self, context: Context, inputs: Values) -> Created:
        spec, cloud = Spec.model_validate(_given(inputs)), self._connect()
        try:
            live = roll_out(cloud, self._pace(context), spec, adopt=False, limit=context.timeout)
        except Exception as error:
            seen = _safely(lambda: cloud.endpoint(spec.endpoint_name))
            mine = seen is not None and (
                is_config_of(spec.endpoint_name, seen.config)
                or is_config_of(spec.endpoint_name, seen.pending)
            )
            if seen is None or seen.arn is None or not mine:
                raise
            # It exists, well or not: it must be in the state, or nobody would ever delete it.
            raise PartialFailure(spec.endpoint_name, _outputs(seen), [_text(error)]) from error
        return Created(spec.endpoint_name, _live_outputs(live))

    def update(self, context: Context, id: str, state: Values, old_inputs: Values, inputs: Values) -> Values:
        spec, cloud = Spec.model_validate(_given(inputs)), self._connect()
        live = roll_out(
            cloud, self._pace(context), spec, adopt=True, before=_spec(old_inputs), limit=context.timeout
        )
        old_tags = old_inputs.get("tags") or {}
        cloud.tag(live.arn, {key: value for key, value in spec.tags.items() if old_tags.get(key) != value})
        cloud.untag(live.arn, set(old_tags) - set(spec.tags))
        outputs = _live_outputs(live)
        if live.previous is None:
            outputs["previousConfigName"] = state.get("previousConfigName")
        return outputs

    def read(self, context: Context, id: str, state: Values, inputs: Values) -> Read | None:
        cloud = self._connect()
        seen = cloud.endpoint(id)
        if seen.arn is None:
            return None
        config = cloud.config(seen.config) if seen.config is not None else None
        found = mirror.inputs_of(config, cloud.tags(seen.arn), {"endpointName": id, **inputs})
        outputs = {**_outputs(seen), "previousConfigName": state.get("previousConfigName")}
        return Read(id, {**found, **outputs}, found)

    def delete(self, context: Context, id: str, state: Values, old_inputs: Values) -> None:
        tear_down(self._connect(), self._pace(context), id, context.timeout or CREATION_LIMIT)

    def _pace(self, context: Context) -> Pace:
        def progress(message: str) -> None:
            context.log.info(message, ephemeral=True)

        return Pace(Interruptible(self._clock, context.cancelled), progress, context.log.info)


def provider() -> Provider:
    """The plugin `mlops`."""
    return Provider("mlops", VERSION, [Deployment()])


def _broken_glass(cloud: Cloud, spec: Spec, seen: Observed, tags: Mapping[str, str]) -> str | None:
    """Why this spec would undo what somebody did in an emergency; None if it would not."""
    glass, serving = glass_of(tags), seen.pending or seen.config
    if glass is None or serving is None or serving == config_name(spec):
        return None
    # The model, not the config: one that says the same of other things may differ in them.
    live = configs.production(cloud.config(serving)).get("ModelName")
    if live == spec.production.model_name:
        return None
    return (
        f"{glass.says}. {live or serving} is live on {spec.endpoint_name}, and the release file asks for "
        f"{spec.production.model_name}, so that this would undo it. Make the file say what is live: "
        "`sluice release adopt`, or `sluice release rollback`"
    )


def _given(inputs: Values) -> dict[str, Any]:
    return {key: value for key, value in inputs.items() if value is not None}


def _spec(inputs: Values) -> Spec | None:
    """None where something is unknown, or not valid: what an older program left in the state need not be."""
    given = _given(inputs)
    if contains_unknown(given):
        return None
    try:
        return Spec.model_validate(given)
    except ValidationError:
        return None


def _wanted_config(inputs: Values) -> Any:
    spec = _spec(inputs)
    return UNKNOWN if spec is None else config_name(spec)


def _outputs(seen: Observed) -> dict[str, Any]:
    return {
        "endpointArn": seen.arn,
        "configName": seen.config or seen.pending,
        "endpointStatus": seen.status,
        "previousConfigName": None,
    }


def _live_outputs(live: Live) -> dict[str, Any]:
    return {
        "endpointArn": live.arn,
        "configName": live.config,
        "endpointStatus": live.status,
        "previousConfigName": live.previous,
    }


def _failure(problem: Any) -> Failure:
    path = ".".join(str(step) for step in problem["loc"])
    return Failure(path, problem["msg"].removeprefix("Value error, "))


def _safely(look: Callable[[], Observed]) -> Observed | None:
    try:
        return look()
    except (ClientError, BotoCoreError):
        return None


def _text(error: Exception) -> str:
    return client_error_text(error) if isinstance(error, ClientError) else str(error)
