"""What Pulumi does with the endpoints program, and what it knows: its state is as old as its last write."""

from copy import deepcopy
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from endpoints import registry
from endpoints.components.alarms import rollback_alarm_names
from endpoints.components.models import model_name
from endpoints.plan import Plan, Version, plan
from endpoints.release import proof
from endpoints.release.serving import answered
from endpoints.release.target import Target
from endpoints.rollout.deployment import DeploymentArgs, GuardrailsArgs, ProductionArgs, ShadowArgs
from endpoints.rollout.plugin import Deployment
from endpoints.rollout.spec import Spec, config_name
from sluice.errors import SluiceError
from sluice.provider import Context, PartialFailure
from tests.endpoints.release.machine.sagemaker import Client, SageMaker

KEPT_MODELS = 3
ROLE = "arn:aws:iam::123456789012:role/serving"
CONTEXT = Context(urn="a::b::c::e")


@dataclass
class State:
    """The state file. `failed`: the resource was made and not well; `pending`: an operation that began and was not
    seen to end, which the next run clears by a refresh."""

    models: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    failed: bool = False
    pending: bool = False
    scaled: bool = False


class Nothing:
    """S3 without any evidence."""

    def get_object(self, **_: str) -> Any:
        raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "nothing"}}, "GetObject")


class Stack:
    """One workload's stack. What it runs of the program is the program's own: the check of the registry, the plan,
    names, and the resource. The evidence of a canary is tried elsewhere, and here it is never missing; that of a
    champion always is, so that one has to have answered, or to be there for a reason."""

    def __init__(self, aws: SageMaker) -> None:
        self.aws = aws
        self.state = State()
        self.sagemaker = Client(aws, "sagemaker")
        self.resource = Deployment(aws.cloud, aws.clock)
        self.asking: str | None = None
        """The release that is being deployed."""

    def up(self, target: Target) -> None:
        """`pulumi up`.

        Raises:
            SluiceError: with whatever a resource failed with.
        """
        try:
            self._recover(target)
            self._up(target)
        except (ClientError, BotoCoreError) as error:
            raise SluiceError(f"pulumi: {error}") from error
        finally:
            self.asking = None

    def refresh(self, target: Target) -> None:
        """`pulumi refresh`."""
        try:
            self._refresh(target)
        except (ClientError, BotoCoreError) as error:
            raise SluiceError(f"pulumi: {error}") from error

    def _recover(self, target: Target) -> None:
        if self.state.pending:
            self._refresh(target)

    def _refresh(self, target: Target) -> None:
        known = {name: each for name, each in self.state.models.items() if self.aws.package_of(name)}
        found = deepcopy(self.state)
        found.models, found.pending = known, False
        if found.outputs:
            read = self.resource.read(CONTEXT, target.endpoint, found.outputs, found.inputs)
            if read is None:
                found.inputs, found.outputs = {}, {}
            else:
                found.inputs, found.outputs = dict(read.inputs), dict(read.outputs)
        self._write(found)

    def _up(self, target: Target) -> None:
        release, workload = target.read(), target.workload
        packages = registry.refuse_undeployable(release, workload.name, self.sagemaker)
        proof.refuse_unknown(
            release, Nothing(), target.endpoint, lambda: answered(self.aws.cloud(), target.endpoint)
        )
        wanted = plan(release)
        if wanted is None or release.champion is None:
            return
        kept = [Version(arn, packages[arn].version) for arn in islice(release.history, KEPT_MODELS)]
        champion = Version(release.champion.package, release.champion.version)
        shadow = [wanted.shadow] if wanted.shadow else []
        names = {
            model_name(workload.name, version.version, version.package, target.environment): version.package
            for version in (wanted.production, *shadow, champion, *kept)
        }
        for name, package in names.items():
            if name not in self.state.models:
                self._model(name, package)
        properties = _properties(target, wanted)
        # PutMetricAlarm leaves an alarm that exists in its state.
        self.aws.watched = config_name(Spec.model_validate(properties))
        self.aws.alarms = {
            name: self.aws.alarms.get(name, "OK") for name in rollback_alarm_names(target.endpoint)
        }
        self.asking = wanted.release
        self._deployment(target.endpoint, properties)
        if not self.state.scaled:
            self._scaling(target)
        for name in sorted(set(self.state.models) - set(names)):
            self.sagemaker.delete_model(ModelName=name)
            del self.state.models[name]

    def _model(self, name: str, package: str) -> None:
        container = {"ModelPackageName": package}
        try:
            self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        except ClientError as error:
            # boto3 makes a call again whose answer was lost.
            if "already existing" not in str(error):
                raise
        self.state.models[name] = package

    def _deployment(self, endpoint: str, properties: dict[str, Any]) -> None:
        state = self.state
        checked = self.resource.check(CONTEXT, state.inputs, properties)
        if checked.failures:
            raise SluiceError("; ".join(failure.reason for failure in checked.failures))
        inputs = dict(checked.inputs)
        if state.outputs and not state.failed:
            diff = self.resource.diff(CONTEXT, endpoint, state.outputs, state.inputs, inputs)
            if not diff.changes:
                return
        begun = deepcopy(state)
        begun.pending = True
        self._write(begun)
        after = deepcopy(state)
        try:
            if state.outputs:
                outputs = self.resource.update(CONTEXT, endpoint, state.outputs, state.inputs, inputs)
            else:
                outputs = self.resource.create(CONTEXT, inputs).outputs
        except PartialFailure as error:
            after.inputs, after.outputs, after.failed = inputs, {**inputs, **error.outputs}, True
            self._write(after)
            raise SluiceError("; ".join(error.reasons)) from error
        except Exception:
            # The engine writes down that it ended, and nothing else.
            self._write(after)
            raise
        after.inputs, after.outputs, after.failed = inputs, {**inputs, **outputs}, False
        self._write(after)

    def _scaling(self, target: Target) -> None:
        serving = target.workload.serving
        Client(self.aws, "application-autoscaling").register_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId=f"endpoint/{target.endpoint}/variant/AllTraffic",
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
            MinCapacity=serving.minimum_instances,
            MaxCapacity=serving.maximum_instances,
        )
        self.state.scaled = True

    def _write(self, state: State) -> None:
        self.aws.course.moment()
        self.state = state
        self.aws.course.moment()


def _properties(target: Target, wanted: Plan) -> dict[str, Any]:
    def name(version: Version) -> str:
        return model_name(target.workload.name, version.version, version.package, target.environment)

    serving = target.workload.serving
    shadow = ShadowArgs(name(wanted.shadow), serving.instance_type) if wanted.shadow else None
    return DeploymentArgs(
        endpoint_name=target.endpoint,
        production=ProductionArgs(name(wanted.production), serving.instance_type, serving.minimum_instances),
        shadow=shadow,
        guardrails=GuardrailsArgs(
            canary_percent=50,
            wait_seconds=20,
            bake_seconds=10,
            maximum_seconds=600,
            alarm_names=rollback_alarm_names(target.endpoint),
        ),
        stage=wanted.stage,
        release=wanted.release,
        tags={"team": "x"},
    ).properties()
