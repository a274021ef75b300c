"""The endpoints program of one workload: exactly what its release file says."""

from itertools import islice
from typing import Any

import pulumi
import pulumi_aws as aws

from endpoints import registry
from endpoints.components.alarms import (
    RollbackAlarms,
    RollbackAlarmsArgs,
    abort_alarm_name,
    rollback_alarm_names,
)
from endpoints.components.dashboard import dashboard_body
from endpoints.components.judge import Judge, JudgeArgs, judge_alarm_names
from endpoints.components.models import model, model_name
from endpoints.components.role import serving_statements
from endpoints.components.scaling import VariantScaling, VariantScalingArgs
from endpoints.config import EndpointSettings
from endpoints.plan import Plan, Version, plan
from endpoints.release import proof, store
from endpoints.release.file import ReleaseFile
from endpoints.release.on_trial import Places, subject_of
from endpoints.release.serving import answered
from endpoints.rollout.cloud import Cloud
from endpoints.rollout.deployment import (
    CaptureArgs,
    Deployment,
    DeploymentArgs,
    GuardrailsArgs,
    ProductionArgs,
    ShadowArgs,
)
from endpoints.rollout.spec import PRODUCTION_VARIANT, Spec, config_name
from policies.iam.statements import document, service_trust
from sluice import aws as calls
from sluice import images, naming
from sluice.components.role import ServiceRole, ServiceRoleArgs
from sluice.outputs import EndpointOutputs, PlatformOutputs
from sluice.program import clean, provider, run, settings
from workloads.contract import Workload


def main() -> None:
    stack = settings(EndpointSettings)
    workload = Workload.load(stack.workload)
    release = store.open(stack.environment, stack.region).read(workload.name)
    # At preview already: nothing rejected, unapproved or unknown is deployed.
    packages = registry.refuse_undeployable(release, workload.name)
    s3, endpoint = calls.client("s3"), naming.endpoint_name(workload.name, stack.environment)
    proof.refuse_unproved(release, packages, workload.serving.instance_type, s3)
    proof.refuse_unknown(release, s3, endpoint, lambda: answered(Cloud.connect(), endpoint))
    aws_provider = provider(stack, "endpoints", workload.name)
    with_provider = pulumi.ResourceOptions(providers=[aws_provider])
    platform = PlatformOutputs.from_stack(stack.platform_stack)

    role = ServiceRole(
        f"{workload.name}-serving",
        ServiceRoleArgs(
            platform.apply(lambda at: service_trust("sagemaker.amazonaws.com", at.account_id, at.region)),
            platform.apply(lambda at: at.permissions_boundary_arn),
            f"Sluice: serving containers of {workload.name}",
        ),
        with_provider,
    )
    role.grant("serve", platform.apply(lambda at: document(*serving_statements(at, workload.name))))

    wanted = plan(release)
    if wanted is None:
        pulumi.log.info(
            f"{workload.name} has no champion yet, so no endpoint is deployed: sluice release init {workload.name}"
        )
        EndpointOutputs.export(
            workload=workload.name,
            endpoint_name="",
            endpoint_config_name="",
            serving_role_arn=role.arn,
            rollback_alarms=[],
            abort_alarm="",
        )
        return

    # The models of the last champions stay, as the way back.
    kept = [Version(arn, packages[arn].version) for arn in islice(release.history, stack.kept_models)]
    assert release.champion is not None  # the plan says so
    champion = Version(release.champion.package, release.champion.version)
    versions = dict.fromkeys(
        [wanted.production, *([wanted.shadow] if wanted.shadow else []), champion, *kept]
    )
    models = {
        version: model(
            model_name(workload.name, version.version, version.package, stack.environment),
            version.package,
            role.arn,
            platform,
            pulumi.ResourceOptions(provider=aws_provider),
        )
        for version in versions
    }
    args = deployment_args(endpoint, wanted, workload, stack, platform)
    config = pulumi.Output.from_input(args.properties()).apply(
        lambda properties: config_name(Spec.model_validate(properties))
    )
    alarms = RollbackAlarms(
        endpoint,
        RollbackAlarmsArgs(
            endpoint_name=endpoint,
            config_name=config,
            variant_name=PRODUCTION_VARIANT,
            period_seconds=stack.alarm_period_seconds,
            latency_ms=workload.serving.latency_ms,
            topic_arn=platform.apply(lambda at: at.alerts_topic_arn),
        ),
        with_provider,
    )
    judge = Judge(
        endpoint,
        JudgeArgs(
            workload=workload.name,
            environment=stack.environment,
            endpoint_name=endpoint,
            config_name=config,
            image_uri=platform.apply(
                lambda at: clean(images.address)(
                    "watch", workload.name, at.image_repository, at.image_repository_url
                )
            ),
            platform=platform,
            subject=pulumi.Output.all(platform, config).apply(
                lambda known: judged(release, packages, workload, endpoint, *known)
            ),
            every_seconds=stack.judge_every_seconds,
            lag_seconds=stack.judge_lag_seconds,
            period_seconds=stack.alarm_period_seconds,
            log_retention_days=stack.log_retention_days,
        ),
        with_provider,
    )
    used = [models[version] for version in (wanted.production, wanted.shadow) if version is not None]
    deployment = Deployment(
        endpoint,
        args,
        pulumi.ResourceOptions(depends_on=[alarms, judge, *used], protect=not stack.throwaway),
    )
    VariantScaling(
        endpoint,
        VariantScalingArgs(
            endpoint_name=deployment.endpoint_arn.apply(lambda arn: arn.rpartition("/")[2]),
            variant_name=PRODUCTION_VARIANT,
            minimum=workload.serving.minimum_instances,
            maximum=workload.serving.maximum_instances,
            concurrency_target=workload.serving.concurrency_target,
        ),
        with_provider,
    )
    aws.cloudwatch.Dashboard(
        endpoint,
        dashboard_name=endpoint,
        dashboard_body=config.apply(
            lambda name: dashboard_body(
                stack.region,
                endpoint,
                name,
                [*rollback_alarm_names(endpoint), *judge_alarm_names(endpoint)],
            )
        ),
        opts=pulumi.ResourceOptions(provider=aws_provider),
    )

    EndpointOutputs.export(
        workload=workload.name,
        endpoint_name=endpoint,
        endpoint_config_name=deployment.config_name,
        serving_role_arn=role.arn,
        rollback_alarms=[*rollback_alarm_names(endpoint), *judge_alarm_names(endpoint)],
        abort_alarm=abort_alarm_name(endpoint),
    )


def judged(
    release: ReleaseFile,
    packages: dict[str, registry.Package],
    workload: Workload,
    endpoint: str,
    at: PlatformOutputs,
    config: str,
) -> dict[str, Any] | None:
    """What the judge is told of the release, as JSON."""
    places = Places(
        captures=captures_uri(at, workload.name),
        captures_key_arn=at.capture_key_arn,
        labels=f"s3://{at.data_bucket}/{workload.name}/labels/",
        audit=f"s3://{at.audit_bucket}/{workload.name}/releases/",
        audit_key_arn=at.audit_key_arn,
        signing_key_arn=at.evidence_signing_key_arn,
    )
    promised = None
    if release.champion is not None and release.challenger is None:
        promised = registry.expectation(packages[release.champion.package], calls.client("s3"))
    subject = subject_of(
        release, packages, endpoint, config, workload.serving.instance_type, places, promised
    )
    return None if subject is None else subject.model_dump(mode="json")


def captures_uri(at: PlatformOutputs, workload: str) -> str:
    """Where the endpoint's requests and answers are recorded."""
    return f"s3://{at.capture_bucket}/{workload}"


def deployment_args(
    endpoint: str,
    wanted: Plan,
    workload: Workload,
    stack: EndpointSettings,
    platform: pulumi.Output[PlatformOutputs],
) -> DeploymentArgs:
    """What is to be deployed. Model names are plain, so that the config's name is known at preview."""

    def name(version: Version) -> str:
        return model_name(workload.name, version.version, version.package, stack.environment)

    kind = workload.serving.instance_type
    return DeploymentArgs(
        endpoint_name=endpoint,
        production=ProductionArgs(name(wanted.production), kind, workload.serving.minimum_instances),
        shadow=ShadowArgs(name(wanted.shadow), kind) if wanted.shadow else None,
        kms_key_arn=platform.apply(lambda at: at.artifacts_key_arn),
        capture=CaptureArgs(
            destination_s3_uri=platform.apply(lambda at: captures_uri(at, workload.name)),
            sampling_percentage=100,
            kms_key_arn=platform.apply(lambda at: at.capture_key_arn),
        ),
        metrics_frequency_seconds=stack.metrics_frequency_seconds,
        guardrails=GuardrailsArgs(
            canary_percent=stack.canary_percent,
            wait_seconds=stack.canary_wait_seconds,
            bake_seconds=stack.bake_seconds,
            maximum_seconds=stack.maximum_seconds,
            # The judge has no say in a way back, and may be out when one is needed.
            alarm_names=[
                *rollback_alarm_names(endpoint),
                *(judge_alarm_names(endpoint) if wanted.stage == "canary" else ()),
            ],
        ),
        stage=wanted.stage,
        release=wanted.release,
        tags=naming.tags(stack.environment, "endpoints", workload.name),
    )


run(main)
