"""How the production fleet follows its load, between a floor and a ceiling."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass
class VariantScalingArgs:
    """
    Attributes:
        endpoint_name: the endpoint, which must exist before (pass it from the deployment).
        minimum: at least 2, so that a zone can fail.
        concurrency_target: requests at once on one instance that the fleet is kept at.
    """

    endpoint_name: pulumi.Input[str]
    variant_name: str
    minimum: int
    maximum: int
    concurrency_target: float


class VariantScaling(pulumi.ComponentResource):
    """Target tracking on concurrency, published every 10 seconds: it sees a rush minutes before the metric of
    invocations a minute does (SageMaker Developer Guide, "High-resolution metrics")."""

    def __init__(
        self, name: str, args: VariantScalingArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sluice:endpoints:VariantScaling", name, None, opts)
        target = aws.appautoscaling.Target(
            name,
            service_namespace="sagemaker",
            scalable_dimension="sagemaker:variant:DesiredInstanceCount",
            resource_id=pulumi.Output.concat(
                "endpoint/", args.endpoint_name, f"/variant/{args.variant_name}"
            ),
            min_capacity=args.minimum,
            max_capacity=args.maximum,
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.appautoscaling.Policy(
            name,
            policy_type="TargetTrackingScaling",
            service_namespace=target.service_namespace,
            scalable_dimension=target.scalable_dimension,
            resource_id=target.resource_id,
            target_tracking_scaling_policy_configuration={
                "target_value": args.concurrency_target,
                "predefined_metric_specification": {
                    "predefined_metric_type": "SageMakerVariantConcurrentRequestsPerModelHighResolution"
                },
                "scale_out_cooldown": 60,
                "scale_in_cooldown": 300,
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
