"""A model that served before, put live with SageMaker's own calls alone: neither Pulumi nor git takes part."""

from collections.abc import Mapping
from typing import Any

from endpoints.rollout import configs, glass, mirror
from endpoints.rollout.cloud import Cloud
from endpoints.rollout.engine import Live, roll_out
from endpoints.rollout.glass import Glass
from endpoints.rollout.pace import Pace
from endpoints.rollout.spec import Spec, config_name
from sluice.clock import iso
from sluice.errors import SluiceError

MAXIMUM_SECONDS = 3600


def spec_of(endpoint: str, base: Mapping[str, Any], model: str, release: str) -> Spec:
    """The spec of a config like `base` in which `model` answers alone. It makes the very name that the program makes
    of the same content, so a kept config is found again, and nothing is left to do for the `pulumi up` that follows.

    Args:
        base: DescribeEndpointConfig's answer.
        release: what the rollout is called, in tags.
    """
    inputs = mirror.inputs_of(base, {}, {})
    inputs.pop("shadow", None)
    return Spec.model_validate(
        {
            **inputs,
            "endpointName": endpoint,
            "production": {**inputs["production"], "modelName": model},
            # No part of a config's name, and no alarm takes part in an emergency.
            "guardrails": {
                "canaryPercent": 50,
                "waitSeconds": 0,
                "bakeSeconds": 0,
                "maximumSeconds": MAXIMUM_SECONDS,
                "alarmNames": [f"{endpoint}-abort"],
            },
            "stage": "live",
            "release": release,
        }
    )


def put_live(
    cloud: Cloud, pace: Pace, endpoint: str, base: Mapping[str, Any], model: str, why: Glass
) -> Live:
    """Make `model` answer on the endpoint, all traffic at once, and wait until it does. Who and why are in the
    endpoint's tags before anything changes.

    Args:
        base: the config that it resembles in all but the model.
        why: who asks for it; its config is worked out here.

    Raises:
        SluiceError: if there is no endpoint, or an update is under way that has to be turned back first.
        RolloutError: if SageMaker did not do it; the tags are taken away then.
    """
    spec = spec_of(endpoint, base, model, f"break-glass-{iso(why.at)}")
    wanted, seen = config_name(spec), cloud.endpoint(endpoint)
    if seen.arn is None:
        raise SluiceError(f"there is no endpoint {endpoint}", "`sluice up` makes it.")
    if seen.status == "Updating" and seen.pending not in (None, wanted, seen.config):
        raise SluiceError(
            f"{endpoint} is being updated to {seen.pending}, and takes one change at a time",
            "Turn that back, which takes seconds: sluice release abort. Then run this again.",
        )
    before = glass.glass_of(cloud.tags(seen.arn))
    cloud.tag(seen.arn, glass.marks_of(Glass(wanted, why.at, why.who, why.why)))
    try:
        return roll_out(cloud, pace, spec, adopt=True, emergency=True)
    except SluiceError:
        now = cloud.endpoint(endpoint)
        if wanted not in (now.config, now.pending) and now.arn is not None:
            cloud.untag(now.arn, glass.KEYS)
            cloud.tag(now.arn, {} if before is None else glass.marks_of(before))
        raise


def base_of(kept: list[configs.Kept], live: str | None, model: str) -> configs.Kept | None:
    """The config to resemble: the newest in which the model answered, else the live one, else any.

    Args:
        kept: configs of the endpoint, the newest first.
        live: the name of the one that serves.
    """
    order = sorted(kept, key=lambda each: (each.model != model, each.name != live))
    return order[0] if order else None
