"""The loop of a rollout: look, decide, act, wait."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from endpoints.rollout import configs, glass, marks, scaling, timing
from endpoints.rollout.cloud import Cloud, Outcome
from endpoints.rollout.decide import (
    Asked,
    Create,
    Delete,
    Done,
    Fail,
    Memory,
    Update,
    Wait,
    Wanted,
    decide,
    remember,
)
from endpoints.rollout.faults import Fault, fault
from endpoints.rollout.observe import Observed
from endpoints.rollout.pace import Pace
from endpoints.rollout.payloads import Routing, create_endpoint, initial_instances, routing, update_endpoint
from endpoints.rollout.spec import PRODUCTION_VARIANT, Spec, config_name, is_config_of
from sluice.errors import SluiceError

ALARM_LIMIT = 600.0
"""Seconds for a rollback alarm to leave ALARM before an update: several periods of a minute."""
CREATION_LIMIT = 4500.0
"""SageMaker gives a creation up by itself after an hour."""

Answer = TypeVar("Answer")


class RolloutError(SluiceError):
    """The wanted config is not live. `arn` is that of the endpoint as far as there is one."""

    def __init__(self, problem: str, way_out: str | None, arn: str | None) -> None:
        super().__init__(problem, way_out)
        self.arn = arn


@dataclass(frozen=True)
class Live:
    """An endpoint that serves what was asked for."""

    arn: str
    config: str
    status: str
    previous: str | None


@dataclass
class Rollout:
    """One run of `roll_out`."""

    cloud: Cloud
    pace: Pace
    spec: Spec
    adopt: bool = False
    """The endpoint is in the stack's state, so it is ours whatever config somebody gave it by hand."""
    before: Spec | None = None
    """What the stack's state says was deployed last."""
    limit: float | None = None
    """Seconds that the user gives it; None for what SageMaker itself may need."""
    emergency: bool = False
    """All traffic at once and no alarm that could turn it back: the alarms watch what is being put away. What the
    endpoint's tags say of releases stays as it is."""
    memory: Memory = field(default_factory=Memory)
    rang: set[str] = field(default_factory=set)
    """Rollback alarms seen in ALARM since the update was asked for."""
    previous: str | None = None
    carried: dict[str, str] = field(default_factory=dict)
    """Marks of an endpoint that was deleted to be made anew."""
    waits: float = 0.0
    """Seconds of waiting that the last call asked for."""
    asked: tuple[float, float] | None = None
    """When this run asked for what is under way, and the waits that were part of it: to measure the rest."""

    def __post_init__(self) -> None:
        maximum = self.spec.guardrails.maximum_seconds
        self.name = self.spec.endpoint_name
        self.wanted = Wanted(
            config=config_name(self.spec),
            guarded=self.spec.shadow is None and not self.emergency,
            # SageMaker ends the update after `maximum` and may need as long again to roll it back.
            limit=self.limit or max(CREATION_LIMIT, 2 * maximum + 900) + ALARM_LIMIT,
            alarm_limit=ALARM_LIMIT,
        )

    def run(self) -> Live:
        """
        Raises:
            RolloutError: unless the endpoint ends InService on the wanted config.
        """
        seen = self._look()
        self._own(seen)
        if seen.arn is not None:
            self.memory = Memory(attempt=marks.attempt_of(self.spec, self.cloud.tags(seen.arn)))
        self.previous = seen.config
        while True:
            ringing = self._ringing(seen)
            elapsed = self.pace.elapsed()
            self.memory = remember(self.memory, seen, self.wanted, ringing, elapsed)
            action = decide(self.wanted, seen, self.memory, ringing, elapsed)
            match action:
                case Done(created):
                    return self._done(seen, created)
                case Fail(why, refuse):
                    raise self._failed(seen, why, refuse)
                case Wait(why):
                    self.pace.wait(f"{self.name}: {why}")
                case Create():
                    self._ask("create", seen, self._create())
                case Update():
                    self._ask("update", seen, self._update(seen))
                case Delete(why):
                    self.pace.milestone(f"{self.name}: deleting the failed endpoint, to make it anew: {why}")
                    self._ask("delete", seen, self._delete(seen))
            seen = self._look()

    def _own(self, seen: Observed) -> None:
        mine = is_config_of(self.name, seen.config) or is_config_of(self.name, seen.pending)
        if seen.status is None or mine or self.adopt:
            return
        raise RolloutError(
            f"the endpoint {self.name} exists with the config {seen.config}, which was not made here",
            "Take it into the stack with `pulumi import`, or delete it.",
            None,
        )

    def _look(self) -> Observed:
        return self._patiently(lambda: self.cloud.endpoint(self.name), "looking at the endpoint")

    def _patiently(self, call: Callable[[], Answer], what: str) -> Answer:
        """A call that may be repeated, until it has an answer or the time is over."""
        while True:
            try:
                return call()
            except (ClientError, BotoCoreError) as error:
                if (
                    fault(error) not in (Fault.THROTTLED, Fault.LOST)
                    or self.pace.elapsed() > self.wanted.limit
                ):
                    raise
                self.pace.wait(f"{self.name}: {what}: AWS does not answer, trying again")

    def _ringing(self, seen: Observed) -> frozenset[str]:
        if not self.wanted.guarded or seen.status is None:
            return frozenset()
        names = self.spec.guardrails.alarm_names
        ringing = self._patiently(lambda: self.cloud.ringing(names), "looking at the alarms")
        if self.memory.asked == "update":
            self.rang |= ringing
        return ringing

    def _ask(self, what: Asked, seen: Observed, outcome: Outcome) -> None:
        if outcome == "again":
            self.pace.wait(f"{self.name}: AWS asks to {what} later")
            return
        now = self.pace.elapsed()
        self.asked = (now, self.waits) if outcome == "accepted" and what != "delete" else None
        self.memory = self.memory.ask(what, seen, now, certain=outcome == "accepted")

    def _create(self) -> Outcome:
        # Before anything exists: an alarm that does not would leave the first hour unwatched.
        self.cloud.ringing(self.spec.guardrails.alarm_names)
        self.waits = 0.0
        configs.ensure(self.cloud, self.pace, self.spec, initial_instances(self.spec, {}), ())
        self.pace.milestone(f"{self.name}: creating it with {self.wanted.config}")
        return self.cloud.create(create_endpoint(self.spec, self.carried))

    def _update(self, seen: Observed) -> Outcome:
        assert seen.arn is not None
        spec, instances = self.spec, initial_instances(self.spec, seen.desired)
        if self.before is not None and config_name(self.before) == seen.config:
            # SageMaker refuses every update of an endpoint whose own config somebody deleted.
            configs.ensure(self.cloud, self.pace, self.before, instances, (seen.config,))
        configs.ensure(self.cloud, self.pace, spec, instances, (seen.config, seen.pending))
        live = configs.production(self.cloud.config(seen.config) if seen.config else None)
        running = seen.desired.get(PRODUCTION_VARIANT, spec.production.instances)
        known = configs.known_models(self.cloud, self.name)
        route = (
            Routing(canary=False, guarded=False)
            if self.emergency
            else routing(spec, live.get("ModelName"), known, running)
        )
        if live.get("InstanceType") not in (None, spec.production.instance_type):
            scaling.park(self.cloud, self.name, seen.arn)
        self.cloud.tag(seen.arn, {marks.ATTEMPT: marks.attempt_mark(spec, seen.modified)})
        how = "a canary" if route.canary else "all at once"
        self.pace.milestone(f"{self.name}: updating from {seen.config} to {self.wanted.config}, {how}")
        self.previous = seen.config
        self.waits = route.waits(spec.guardrails)
        try:
            return self.cloud.update(update_endpoint(spec, route, running))
        except ClientError as error:
            if seen.status != "UpdateRollbackFailed":
                raise
            # No AWS text says which changes an endpoint takes whose rollback failed; deleting it is downtime, and so
            # for a person to decide.
            raise RolloutError(
                f"endpoint {self.name}: its last update and the rollback of it failed, so it serves a mix of both, and "
                f"SageMaker takes no update of it: {error.response['Error']['Message']}",
                "Ask AWS support; or delete the endpoint, which ends its service until `pulumi up` has made it anew.",
                seen.arn,
            ) from error

    def _delete(self, seen: Observed) -> Outcome:
        assert seen.arn is not None
        tags = self.cloud.tags(seen.arn)
        # DeleteEndpoint takes the scalable target with it.
        parked = scaling.park(self.cloud, self.name, seen.arn)
        self.carried = {key: value for key, value in tags.items() if key == marks.REFUSED} | parked
        return self.cloud.delete(self.name)

    def _done(self, seen: Observed, created: bool) -> Live:
        assert seen.arn is not None
        if scaling.restore(self.cloud, seen.arn):
            self.pace.milestone(f"{self.name}: its scaling is registered again")
        self.cloud.untag(seen.arn, [marks.ATTEMPT, *(() if self.emergency else glass.KEYS)])
        took = self._took()
        if created:
            self._bake(seen)
        # Repairs a config that was deleted under the endpoint: without it SageMaker stops patching the instances.
        configs.ensure(
            self.cloud,
            self.pace,
            self.spec,
            initial_instances(self.spec, seen.desired),
            (self.wanted.config,),
        )
        configs.mark_served(self.cloud, self.wanted.config, took)
        previous = None if self.previous == self.wanted.config else self.previous
        configs.collect(self.cloud, self.name, (self.wanted.config, seen.config, previous))
        return Live(seen.arn, self.wanted.config, seen.status or "", previous)

    def _took(self) -> timing.Timing | None:
        """How long what this run asked for took, if it saw it from the beginning."""
        if self.asked is None:
            return None
        at, waits = self.asked
        return timing.Timing(
            max(0.0, self.pace.elapsed() - at - waits), float(self.spec.guardrails.bake_seconds)
        )

    def _bake(self, seen: Observed) -> None:
        """Watch a first creation, which guardrails do not cover. An alarm that rang before it could not be about it,
        until it has been quiet once or the time is over."""
        names, seconds = self.spec.guardrails.alarm_names, float(self.spec.guardrails.bake_seconds)
        began = self.pace.elapsed()
        stale = ringing = self._patiently(lambda: self.cloud.ringing(names), "looking at the alarms")
        while not ringing - stale and (left := began + seconds - self.pace.elapsed()) > 0:
            self.pace.tell(f"{self.name}: created; watching its alarms for {seconds:.0f} s")
            self.pace.clock.sleep(min(max(left, 0.1), 5.0))
            ringing = self._patiently(lambda: self.cloud.ringing(names), "looking at the alarms")
            stale &= ringing
        if ringing:
            self.rang |= ringing
            raise self._failed(seen, "it was created, and did not pass its bake", refuse=True)

    def _failed(self, seen: Observed, why: str, refuse: bool) -> RolloutError:
        if seen.arn is not None and seen.status != "Deleting":
            if refuse and not self.emergency:
                self.cloud.tag(seen.arn, {marks.REFUSED: marks.pair(self.spec)})
                self.cloud.untag(seen.arn, [marks.ATTEMPT])
            # While an update of the instance type is still under way a target would be in its way again.
            if seen.status == "InService":
                scaling.restore(self.cloud, seen.arn)
        names = ", ".join(sorted(name for name in self.rang if name not in why))
        alarms = f"; {names} went to ALARM" if refuse and names else ""
        way_out = (
            "Nothing else was changed; `aws sagemaker describe-endpoint` says more."
            if self.emergency
            else f"Release {self.spec.release} is refused here from now on: change the release file."
            if refuse
            else "Run `pulumi up` again once that is mended: it goes on from where the endpoint is then."
        )
        return RolloutError(
            f"endpoint {self.name}, config {self.wanted.config}: {why}{alarms}", way_out, seen.arn
        )


def roll_out(
    cloud: Cloud,
    pace: Pace,
    spec: Spec,
    *,
    adopt: bool,
    before: Spec | None = None,
    limit: float | None = None,
    emergency: bool = False,
) -> Live:
    """Make the endpoint serve `spec`, creating what is missing, and wait until it does.

    Args:
        cloud: the AWS calls.
        pace: how to wait.
        spec: what is wanted.
        adopt: the endpoint is in the stack's state; without it, one that others made is left alone.
        before: what the state says was deployed last.
        limit: seconds to wait in all; None for what SageMaker itself may need.
        emergency: all traffic at once, with no alarm that could turn it back.

    Raises:
        RolloutError: unless it ends InService on the wanted config, naming the alarm or SageMaker's reason. A
            release that was turned back is marked as refused on the endpoint.
        SluiceError: if a config or an alarm stands in the way.
    """
    return Rollout(cloud, pace, spec, adopt, before, limit, emergency).run()


def tear_down(cloud: Cloud, pace: Pace, endpoint: str, limit: float = CREATION_LIMIT) -> None:
    """Delete the endpoint, when SageMaker allows it, wait until it is gone, and delete its configs.

    Raises:
        RolloutError: if it is not gone in time.
    """
    while (seen := cloud.endpoint(endpoint)).status is not None:
        if pace.elapsed() > limit:
            raise RolloutError(
                f"the endpoint {endpoint} is still {seen.status} after {limit:.0f} s",
                "Run it again.",
                seen.arn,
            )
        if seen.status in ("InService", "Failed", "UpdateRollbackFailed", "OutOfService"):
            cloud.delete(endpoint)
        # In all other states DeleteEndpoint is refused.
        pace.wait(f"{endpoint}: {seen.status}, waiting until it is deleted")
    for name, _ in cloud.configs(f"{endpoint}-"):
        if is_config_of(endpoint, name):
            cloud.delete_config(name)
