"""What SageMaker says to EventBridge."""

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from moto.events.models import events_backends

from emulator.context import Context

log = logging.getLogger("emulator.events")

PACKAGE_FIELDS = (
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelPackageStatusDetails",
    "InferenceSpecification",
    "ModelApprovalStatus",
    "CustomerMetadataProperties",
)


def put(context: Context, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str]) -> None:
    """Put an event of SageMaker on the default bus, without waiting for its targets."""
    event = {
        "Source": "aws.sagemaker",
        "DetailType": detail_type,
        "Detail": json.dumps(detail, default=str),
        "Resources": list(resources),
    }

    def deliver() -> None:
        # Straight to the backend: PutEvents from outside may not name a source of AWS.
        try:
            events_backends[context.account][context.region].put_events([event])
        except Exception:  # moto raises whatever a target raises, and no target is a part of SageMaker
            log.exception("an event reached not all of its targets: %s", detail_type)

    threading.Thread(target=deliver, name="event", daemon=True).start()


def package_changed(context: Context, fields: Mapping[str, Any]) -> None:
    """A model package was made, or its approval changed."""
    detail = {key: fields[key] for key in PACKAGE_FIELDS if key in fields}
    put(context, "SageMaker Model Package State Change", detail, [fields["ModelPackageArn"]])
