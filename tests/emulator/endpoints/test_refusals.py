"""What SageMaker refuses of configs and endpoints."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.endpoints.world import World


def refused(message: str) -> Any:
    return pytest.raises(ClientError, match=message)


def test_every_field_of_a_config_is_kept(world: World) -> None:
    more: dict[str, Any] = {
        "ShadowProductionVariants": [world.variant("good", "Shadow", 1, InitialVariantWeight=0.5)],
        "ExplainerConfig": {
            "ClarifyExplainerConfig": {"ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": "1,2"}}}
        },
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]},
        "EnableNetworkIsolation": True,
        "ExecutionRoleArn": "arn:aws:iam::123456789012:role/endpoint",
        "KmsKeyId": "arn:aws:kms:us-east-1:123456789012:key/x",
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    world.config("whole", **more)
    kept = world.sagemaker.describe_endpoint_config(EndpointConfigName="whole")
    tags = more.pop("Tags")
    assert {key: kept[key] for key in more} == more
    assert kept["MetricsConfig"]["MetricPublishFrequencyInSeconds"] == 10
    assert kept["DataCaptureConfig"]["CaptureContentTypeHeader"]["CsvContentTypes"] == ["text/csv"]
    assert world.sagemaker.list_tags(ResourceArn=kept["EndpointConfigArn"])["Tags"] == tags


def test_configs_that_are_refused(world: World) -> None:
    world.config("once")
    with refused("Cannot create already existing endpoint configuration"):
        world.config("once")
    variant = world.variant("good")
    with refused("Could not find model"):
        world.config("c", ProductionVariants=[variant | {"ModelName": "nothing"}])
    for production, shadow in ((["A", "B"], ["S"]), (["A"], ["S", "T"])):
        with refused("exactly one production variant and one shadow variant"):
            world.config(
                "c",
                ProductionVariants=[variant | {"VariantName": name} for name in production],
                ShadowProductionVariants=[variant | {"VariantName": name} for name in shadow],
            )
    serverless = {"VariantName": "A", "ModelName": world.model("good"), "ServerlessConfig": {
        "MemorySizeInMB": 1024, "MaxConcurrency": 1}}  # fmt: skip
    with refused("not supported for serverless"):
        world.config("c", ProductionVariants=[serverless], shadow="good")
    with refused("must be unique"):
        world.config("c", ProductionVariants=[variant, variant])
    with refused("must be unique"):
        world.config("c", ShadowProductionVariants=[variant])
    with refused("enum value set"):
        world.config("c", ProductionVariants=[variant | {"InstanceType": "ml.m5.huge"}])
    with refused("MetricPublishFrequencyInSeconds"):
        world.config(
            "c", MetricsConfig={"EnableEnhancedMetrics": True, "MetricPublishFrequencyInSeconds": 20}
        )
    with refused("Could not find endpoint configuration"):
        world.sagemaker.describe_endpoint_config(EndpointConfigName="c")


def test_updates_that_are_refused(world: World) -> None:
    world.endpoint("firm", world.config("firm-1", count=1), Tags=[{"Key": "k", "Value": "1"}])
    sagemaker = world.sagemaker

    def update(config: str, **more: Any) -> None:
        sagemaker.update_endpoint(EndpointName="firm", EndpointConfigName=config, **more)

    with refused("Cannot create already existing endpoint"):
        sagemaker.create_endpoint(EndpointName="firm", EndpointConfigName="firm-1")
    with refused("Could not find endpoint configuration"):
        update("nothing")
    with refused("Could not find endpoint "):
        sagemaker.update_endpoint(EndpointName="nothing", EndpointConfigName="firm-1")
    world.config("renamed", ProductionVariants=[world.variant("good", "Other", 1)])
    routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    plain = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}
    with refused("must have the same variant name"):
        update("renamed", DeploymentConfig=plain)
    with refused("Could not find the following CloudWatch alarm"):
        update(
            "firm-1",
            DeploymentConfig={**plain, "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "no"}]}},
        )
    with refused("RetainDeploymentConfig is true"):
        update("firm-1", DeploymentConfig=plain, RetainDeploymentConfig=True)
    with refused("not present within endpoint configuration"):
        sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="firm",
            DesiredWeightsAndCapacities=[{"VariantName": "No", "DesiredInstanceCount": 1}],
        )
    arn = world.describe("firm")["EndpointArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "sluice:refused", "Value": "x y"}])
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["k"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "sluice:refused", "Value": "x y"}]
    assert [e["EndpointName"] for e in sagemaker.list_endpoints(NameContains="firm")["Endpoints"]] == ["firm"]


def test_an_autoscaled_variant_keeps_its_instance_type(world: World) -> None:
    world.endpoint("scaled", world.config("scaled-1", count=1))
    world.config("scaled-2", ProductionVariants=[world.variant("good", count=1, InstanceType="ml.c5.large")])
    scaling = world.emulator.client("application-autoscaling")
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/scaled/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    with refused("[Dd]eregister"):
        world.sagemaker.update_endpoint(EndpointName="scaled", EndpointConfigName="scaled-2")
    scaling.deregister_scalable_target(**target)
    world.sagemaker.update_endpoint(EndpointName="scaled", EndpointConfigName="scaled-2")
    assert world.settled("scaled")["EndpointConfigName"] == "scaled-2"


def test_a_live_config_that_was_deleted_breaks_the_next_update(world: World) -> None:
    world.endpoint("orphan", world.config("orphan-1", count=1))
    world.config("orphan-2", count=1)
    world.sagemaker.delete_endpoint_config(EndpointConfigName="orphan-1")
    assert world.invoke("orphan")["About"]["way"] == "good"
    with refused("Could not find endpoint configuration"):
        world.sagemaker.update_endpoint(EndpointName="orphan", EndpointConfigName="orphan-2")
