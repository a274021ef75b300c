"""EventBridge: targets that really fire, and the events that AWS's services send by themselves."""

import copy
import json
import logging
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.events.models import EventsBackend, Rule, events_backends
from moto.events.utils import EventTemplateParser

from emulator.context import Context
from emulator.services.patching import original, replace
from sluice.aws import client
from sluice.clock import iso

log = logging.getLogger("emulator.events")

BY_MOTO = ("logs", "events")
"""Services whose targets moto delivers to."""


def emit(
    context: Context, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
) -> None:
    """Send an event of an AWS service to the default bus. Never raises: an event that fails fails nothing else."""
    event = {
        "Source": source,
        "DetailType": detail_type,
        "Detail": json.dumps(detail, default=str),
        "Resources": list(resources),
        "Time": context.clock.now().timestamp(),
    }
    try:
        events_backends[context.account][context.region].put_events([event])
    except Exception:
        log.exception("the event %s of %s could not be sent", detail_type, source)


def install(context: Context) -> None:
    """Deliver to the targets that moto cannot."""
    by_moto = original(Rule, "send_to_targets")

    def send_to_targets(self: Rule, original_event: Any, transform_input: bool = True) -> None:
        if self.state == "DISABLED":
            return
        # moto lets a rule without a pattern match everything; a scheduled rule must match nothing.
        if self.scheduled_expression and not self.event_pattern.get_pattern():
            return
        if not self.event_pattern.matches_event(original_event):
            return
        targets = list(self.targets)
        theirs = [target for target in targets if _service(target) in BY_MOTO]
        if theirs:
            rule = copy.copy(self)
            rule.targets = theirs
            try:
                by_moto(rule, original_event, transform_input)
            except Exception:
                log.exception("rule %s: a target could not be reached", self.name)
        for target in targets:
            if target not in theirs:
                deliver(context, self.name, target, original_event)

    replace(Rule, "send_to_targets", send_to_targets)
    _refuse_sources_of_aws()


def _refuse_sources_of_aws() -> None:
    """PutEvents from outside may not speak for AWS: such an entry fails, the others pass."""
    from moto.events.responses import EventsHandler

    by_moto = original(EventsHandler, "put_events")

    def put_events(self: Any) -> Any:
        entries = self._get_param("Entries") or []
        if not any(str(entry.get("Source", "")).startswith("aws.") for entry in entries):
            return by_moto(self)
        backend: EventsBackend = self.events_backend
        results = []
        for entry in entries:
            if str(entry.get("Source", "")).startswith("aws."):
                results.append(
                    {
                        "ErrorCode": "NotAuthorizedForSourceException",
                        "ErrorMessage": "Not authorized for the source.",
                    }
                )
            else:
                results += backend.put_events([entry])
        failed = sum("ErrorCode" in result for result in results)
        return json.dumps({"Entries": results, "FailedEntryCount": failed})

    replace(EventsHandler, "put_events", put_events)


def _service(target: Mapping[str, Any]) -> str:
    parts = str(target["Arn"]).split(":")
    return parts[2] if len(parts) > 5 else ""


def payload(target: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """What a target gets: its constant Input, the part at InputPath, the transformed text, or the event itself."""
    if target.get("Input"):
        return str(target["Input"])
    body = dict(event)
    if target.get("InputPath"):
        value: Any = body
        for part in str(target["InputPath"]).removeprefix("$").strip(".").split("."):
            value = value.get(part) if part and isinstance(value, Mapping) else value
        return json.dumps(value)
    transformer = target.get("InputTransformer") or {}
    if transformer:
        parsed = EventTemplateParser.parse(
            input_template=transformer["InputTemplate"],
            input_paths_map=transformer.get("InputPathsMap", {}),
            event=body,  # type: ignore[arg-type]
        )
        return parsed if isinstance(parsed, str) else json.dumps(parsed)
    return json.dumps(body, default=str)


def deliver(context: Context, rule: str, target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    """Send in a thread: PutEvents answers before targets are called."""
    for _ in range(2 if context.faults.twice(rule) else 1):
        threading.Thread(
            target=_deliver, args=(rule, target, _stamped(event)), name=f"event {rule}", daemon=True
        ).start()


def _stamped(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """With the time as text, as targets get it."""
    time = event.get("time")
    if isinstance(time, int | float):
        return {**event, "time": iso(datetime.fromtimestamp(time, UTC))}
    return event


def _deliver(rule: str, target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    arn, service = str(target["Arn"]), _service(target)
    try:
        if service == "sqs":
            _send_to_queue(
                arn, payload(target, event), (target.get("SqsParameters") or {}).get("MessageGroupId")
            )
        elif service == "sns":
            client("sns").publish(TopicArn=arn, Message=payload(target, event))
        elif service == "sagemaker" and ":pipeline/" in arn:
            given = (target.get("SageMakerPipelineParameters") or {}).get("PipelineParameterList") or []
            client("sagemaker").start_pipeline_execution(
                PipelineName=arn.rsplit("/", 1)[1],
                PipelineParameters=[
                    {"Name": each["Name"], "Value": _looked_up(each["Value"], event)} for each in given
                ],
            )
        elif service == "states":
            client("stepfunctions").start_execution(stateMachineArn=arn, input=payload(target, event))
        elif service == "lambda":
            # Here, for functions stand on services themselves.
            from emulator import functions

            region, account = arn.split(":")[3:5]
            source = f"arn:aws:events:{region}:{account}:rule/{rule}"
            functions.deliver(arn, payload(target, event), source)
        else:
            log.warning("rule %s: targets of %s are not emulated: %s", rule, service or "no service", arn)
    except Exception as error:  # noqa: BLE001 - one target that fails must not stop the others
        log.error("rule %s: the target %s failed: %s", rule, arn, error)
        _dead_letter(target, event)


def _looked_up(value: str, event: Mapping[str, Any]) -> str:
    """A pipeline parameter may be a JSON path into the event."""
    if not value.startswith("$."):
        return value
    found: Any = event
    for part in value[2:].split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else json.dumps(found)


def _dead_letter(target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue:
        return
    try:
        _send_to_queue(str(queue), json.dumps(event, default=str))
    except Exception as error:  # noqa: BLE001
        log.error("the dead-letter queue %s could not be reached: %s", queue, error)


def _send_to_queue(arn: str, body: str, group: str | None = None) -> None:
    from moto.sqs.models import sqs_backends

    _, _, _, region, account, name = arn.split(":")
    sqs_backends[account][region].send_message(name, body, group_id=group)
