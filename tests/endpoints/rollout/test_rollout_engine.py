"""Whole rollouts against SageMaker's rules in memory, on a clock that the test holds."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from endpoints.rollout import marks
from endpoints.rollout.engine import Live, RolloutError, roll_out, tear_down
from endpoints.rollout.pace import Pace
from endpoints.rollout.spec import Spec, config_name
from sluice.clock import ManualClock
from sluice.errors import SluiceError
from tests.endpoints.rollout.fake import PREFIX, FakeAws
from tests.endpoints.rollout.samples import spec_for

ARN = f"{PREFIX}endpoint/e"
TARGET = "endpoint/e/variant/AllTraffic"


class Run:
    """`roll_out` on the fake, and what the user saw."""

    def __init__(self, aws: FakeAws, clock: ManualClock) -> None:
        self.aws, self.clock = aws, clock
        self.said: list[str] = []

    def pace(self) -> Pace:
        return Pace(self.clock, self.said.append, self.said.append, random.Random(1))

    def __call__(self, spec: Spec, adopt: bool = True) -> Live:
        return roll_out(self.aws.cloud(), self.pace(), spec, adopt=adopt)


@pytest.fixture
def run(aws: FakeAws, clock: ManualClock) -> Run:
    return Run(aws, clock)


def live(aws: FakeAws) -> tuple[str, str]:
    aws.advance()
    return aws.endpoints["e"]["EndpointStatus"], aws.endpoints["e"]["EndpointConfigName"]


def sleeping(clock: ManualClock, event: Callable[[float], None]) -> None:
    """Call `event` with the seconds passed whenever the clock moves."""
    start = clock.now()
    clock._on_sleep = lambda now: event((now - start).total_seconds())


def test_first_creation_makes_config_and_endpoint_and_watches_the_bake(run: Run, aws: FakeAws) -> None:
    began = run.clock.now()
    made = run(spec_for(), adopt=False)
    assert made == Live(ARN, config_name(spec_for()), "InService", None)
    assert (run.clock.now() - began).total_seconds() >= 20 + 20
    assert [name for name, _ in aws.calls if name.startswith("Create")] == [
        "CreateEndpointConfig",
        "CreateEndpoint",
    ]
    assert aws.tag_store[ARN] == {"team": "x"}


def test_the_same_again_changes_nothing(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    before = len(aws.calls)
    run(spec_for(release="r2"))
    changing = [name for name, _ in aws.calls[before:] if name.startswith(("Create", "Update", "Delete"))]
    assert changing in ([], ["DeleteTags"])


def test_a_canary_is_one_update_with_alarms_and_retained_counts(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    aws.endpoints["e"]["ProductionVariants"][0]["DesiredInstanceCount"] = 12
    made = run(spec_for(model="m2", stage="canary"))
    (update,) = aws.named("UpdateEndpoint")
    assert update == {
        "EndpointName": "e",
        "EndpointConfigName": made.config,
        "RetainAllVariantProperties": True,
        "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DesiredWeight"}],
        "DeploymentConfig": {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": {
                    "Type": "CANARY",
                    "WaitIntervalInSeconds": 40,
                    "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
                },
                "TerminationWaitInSeconds": 20,
                "MaximumExecutionTimeoutInSeconds": 600,
            },
            "AutoRollbackConfiguration": {
                "Alarms": [{"AlarmName": "e-rollback-5xx"}, {"AlarmName": "e-abort"}]
            },
        },
    }
    assert aws.endpoints["e"]["ProductionVariants"][0]["DesiredInstanceCount"] == 12
    assert aws.configs[made.config]["ProductionVariants"][0]["InitialInstanceCount"] == 12
    assert made.previous == config_name(spec_for())
    assert marks.ATTEMPT not in aws.tag_store[ARN]


def test_a_shadow_starts_unguarded_with_as_many_instances_as_production(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    aws.endpoints["e"]["ProductionVariants"][0]["DesiredInstanceCount"] = 5
    aws.alarms["e-abort"] = "ALARM"
    run(spec_for(shadow="m2"))
    (update,) = aws.named("UpdateEndpoint")
    assert "AutoRollbackConfiguration" not in update["DeploymentConfig"]
    policy = update["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    assert policy["TrafficRoutingConfiguration"] == {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    assert aws.endpoints["e"]["ShadowProductionVariants"] == [
        {"VariantName": "Shadow", "DesiredInstanceCount": 5}
    ]


def test_a_silent_rollback_is_a_failure_that_names_the_alarm_and_is_refused(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    aws.ends = ["alarm"]
    wanted = spec_for(model="m2", stage="canary", release="r2")
    with pytest.raises(RolloutError) as failure:
        run(wanted)
    assert "rolled back" in str(failure.value) and "e-rollback-5xx" in str(failure.value)
    assert live(aws) == ("InService", config_name(spec_for()))
    assert aws.tag_store[ARN][marks.REFUSED] == f"{config_name(wanted)} r2"


def test_a_rollback_between_two_looks_is_still_seen(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    aws.ends, aws.provisioning = ["alarm"], 0.1
    with pytest.raises(RolloutError, match="rolled back"):
        run(spec_for(model="m2", stage="canary"))


def test_a_lagging_description_is_no_rollback(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    aws.visible_after = 10.0
    assert run(spec_for(model="m2", stage="canary")).status == "InService"


@pytest.mark.parametrize("end, text", [("failed", "No capacity"), ("rollback-failed", "so did its rollback")])
def test_worse_ends_are_refused_too(run: Run, aws: FakeAws, end: str, text: str) -> None:
    run(spec_for(), adopt=False)
    aws.ends = [end]
    with pytest.raises(RolloutError, match=text):
        run(spec_for(model="m2", stage="canary"))
    # The way out is another release, and it works from there.
    made = run(spec_for(model="m3", release="r3"))
    assert live(aws) == ("InService", made.config)


def test_a_failed_creation_is_deleted_and_made_anew_next_time(run: Run, aws: FakeAws) -> None:
    aws.creation_ends = ["failed"]
    with pytest.raises(RolloutError, match="container did not answer"):
        run(spec_for(), adopt=False)
    assert marks.REFUSED not in aws.tag_store[ARN]
    assert run(spec_for()).status == "InService"
    assert len(aws.named("DeleteEndpoint")) == 1


def test_a_bake_after_creation_names_the_alarm(run: Run, aws: FakeAws) -> None:
    aws.after(30, lambda: aws.alarms.update({"e-rollback-5xx": "ALARM"}))
    with pytest.raises(RolloutError, match="e-rollback-5xx went to ALARM"):
        run(spec_for(), adopt=False)
    assert aws.tag_store[ARN][marks.REFUSED] == f"{config_name(spec_for())} r1"


def test_an_alarm_of_yesterday_does_not_fail_a_creation_when_it_clears(run: Run, aws: FakeAws) -> None:
    aws.alarms["e-abort"] = "ALARM"
    aws.after(30, lambda: aws.alarms.update({"e-abort": "OK"}))
    assert run(spec_for(), adopt=False).status == "InService"


def test_an_update_waits_until_no_rollback_alarm_rings(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    aws.alarms["e-abort"] = "ALARM"
    aws.after(100, lambda: aws.alarms.update({"e-abort": "OK"}))
    assert run(spec_for(model="m2", stage="canary")).status == "InService"
    assert any("e-abort to leave ALARM" in message for message in run.said)


def test_an_alarm_that_rings_for_ever_stops_the_update_before_it_begins(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    aws.alarms["e-abort"] = "ALARM"
    with pytest.raises(RolloutError, match="e-abort is still in ALARM"):
        run(spec_for(model="m2", stage="canary"))
    assert not aws.named("UpdateEndpoint")
    assert marks.REFUSED not in aws.tag_store[ARN]


def test_a_missing_alarm_is_named_before_anything_is_made(run: Run, aws: FakeAws) -> None:
    del aws.alarms["e-abort"]
    with pytest.raises(SluiceError, match="e-abort do not exist"):
        run(spec_for(), adopt=False)
    assert not aws.endpoints and not aws.configs


@pytest.mark.parametrize("operation", ["CreateEndpointConfig", "CreateEndpoint", "UpdateEndpoint"])
@pytest.mark.parametrize("fault", ["throttled", "lost", "dropped"])
def test_throttling_and_lost_answers_change_nothing_but_the_time(
    run: Run, aws: FakeAws, operation: str, fault: str
) -> None:
    if operation == "UpdateEndpoint":
        run(spec_for(), adopt=False)
    aws.faults[operation] = [fault, fault]
    wanted = spec_for(model="m2", stage="canary")
    assert run(wanted, adopt=operation == "UpdateEndpoint").config == config_name(wanted)
    assert len([name for name, _ in aws.calls if name == operation]) <= 2


def test_describe_may_fail_in_the_middle(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    aws.faults["DescribeEndpoint"] = ["throttled", "dropped", "lost"]
    aws.faults["DescribeAlarms"] = ["throttled"]
    assert run(spec_for(model="m2", stage="canary")).status == "InService"


def killed(run: Run, seconds: float, spec: Spec) -> None:
    """Start a rollout and die in the middle of it."""

    class Killed(Exception):
        pass

    def die(passed: float) -> None:
        if passed >= seconds:
            raise Killed

    sleeping(run.clock, die)
    with pytest.raises(Killed):
        run(spec)
    run.clock._on_sleep = None


def test_an_update_in_flight_is_joined(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    wanted = spec_for(model="m2", stage="canary")
    killed(run, 5, wanted)
    assert run(wanted).config == config_name(wanted)
    assert len(aws.named("UpdateEndpoint")) == 1


def test_a_rollback_that_nobody_watched_is_not_tried_again(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    wanted, aws.ends = spec_for(model="m2", stage="canary"), ["alarm"]
    killed(run, 5, wanted)
    run.clock.sleep(3600)
    aws.alarms["e-rollback-5xx"] = "OK"
    with pytest.raises(RolloutError, match="earlier rollout of this release"):
        run(wanted)
    assert len(aws.named("UpdateEndpoint")) == 1
    assert aws.tag_store[ARN][marks.REFUSED] == marks.pair(wanted)


def test_a_foreign_update_in_flight_is_waited_for_and_then_corrected(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    killed(run, 5, spec_for(model="m9", stage="canary", release="r9"))
    wanted = spec_for(model="m2", stage="canary", release="r2")
    assert run(wanted).config == config_name(wanted)
    assert len(aws.named("UpdateEndpoint")) == 2


def test_a_killed_creation_is_adopted_and_a_stranger_is_not(run: Run, aws: FakeAws) -> None:
    sleeping(run.clock, lambda passed: 1 / 0 if passed > 5 else None)
    with pytest.raises(ZeroDivisionError):
        run(spec_for(), adopt=False)
    run.clock._on_sleep = None
    assert run(spec_for(), adopt=False).status == "InService"
    aws.endpoints["e"]["EndpointConfigName"] = "by-hand"
    with pytest.raises(RolloutError, match="was not made here"):
        run(spec_for(), adopt=False)


def test_a_config_with_the_same_name_and_other_content_is_refused(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    aws.configs[config_name(spec_for())]["KmsKeyId"] = "other"
    kms = spec_for(kmsKeyArn="arn:aws:kms:us-east-1:1:key/a")
    run(kms)
    aws.configs[config_name(kms)]["KmsKeyId"] = "other"
    with pytest.raises(SluiceError, match="KmsKeyId is 'other'"):
        run(kms)


def test_an_old_config_with_too_few_instances_is_made_anew(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    run(spec_for(model="m2", stage="canary"))
    aws.endpoints["e"]["ProductionVariants"][0]["DesiredInstanceCount"] = 7
    back = run(spec_for(release="r3"))
    assert aws.configs[back.config]["ProductionVariants"][0]["InitialInstanceCount"] == 7


def test_going_back_to_a_version_that_served_is_all_at_once_and_guarded(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    run(spec_for(model="m2", stage="canary"))
    run(spec_for(release="r3"))
    policy = aws.named("UpdateEndpoint")[-1]["DeploymentConfig"]
    assert policy["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"] == "ALL_AT_ONCE"
    assert policy["AutoRollbackConfiguration"]["Alarms"]


def test_a_model_whose_canary_failed_is_not_taken_for_one_that_served(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    aws.ends = ["alarm"]
    with pytest.raises(RolloutError):
        run(spec_for(model="m2", stage="canary"))
    aws.alarms["e-rollback-5xx"] = "OK"
    run(spec_for(model="m2", release="r9"))
    policy = aws.named("UpdateEndpoint")[-1]["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    assert policy["TrafficRoutingConfiguration"]["Type"] == "CANARY"


def test_configs_are_collected_but_for_the_live_the_last_and_three(run: Run, aws: FakeAws) -> None:
    aws.configs["e-other"] = {
        "EndpointConfigName": "e-other",
        "CreationTime": run.clock.now(),
        "EndpointConfigArn": "arn:aws:sagemaker:us-east-1:1:endpoint-config/e-other",
    }
    names = []
    for number in range(7):
        run.clock.sleep(60)
        made = run(spec_for(model=f"m{number}", stage="canary", release=f"r{number}"), adopt=number > 0)
        names.append(made.config)
    assert set(aws.configs) == {"e-other", *names[2:]}


def with_target(aws: FakeAws) -> None:
    scope: dict[str, Any] = {
        "ServiceNamespace": "sagemaker",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    cloud = aws.cloud()
    cloud.autoscaling.register_scalable_target(ResourceId=TARGET, MinCapacity=2, MaxCapacity=9, **scope)
    cloud.autoscaling.put_scaling_policy(
        ResourceId=TARGET,
        PolicyName="track",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 3.0,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantConcurrentRequestsPerModelHighResolution"
            },
        },
        **scope,
    )


@pytest.mark.parametrize("end", ["ok", "alarm"])
def test_another_instance_type_puts_the_scaling_aside_and_back(run: Run, aws: FakeAws, end: str) -> None:
    run(spec_for(), adopt=False)
    with_target(aws)
    aws.ends = [end]
    wanted = spec_for(instance_type="ml.m5.xlarge", release="r2")
    if end == "ok":
        run(wanted)
    else:
        with pytest.raises(RolloutError):
            run(wanted)
    assert aws.targets[TARGET]["MaxCapacity"] == 9
    tracking = aws.policies[TARGET, "track"]["TargetTrackingScalingPolicyConfiguration"]
    assert tracking["TargetValue"] == 3.0
    assert not [key for key in aws.tag_store[ARN] if key.startswith("sluice:parked")]


def test_scaling_that_was_put_aside_survives_a_kill(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    with_target(aws)
    wanted = spec_for(instance_type="ml.m5.xlarge", release="r2")
    killed(run, 5, wanted)
    assert TARGET not in aws.targets
    run(wanted)
    assert aws.targets[TARGET]["MinCapacity"] == 2 and (TARGET, "track") in aws.policies


def test_scaling_survives_a_failed_endpoint_that_is_made_anew(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    with_target(aws)
    aws.ends = ["failed"]
    with pytest.raises(RolloutError):
        run(spec_for(model="m2", stage="canary"))
    run(spec_for(release="r3"))
    assert (TARGET, "track") in aws.policies
    assert marks.REFUSED in aws.tag_store[ARN]


def test_its_own_time_limit_ends_the_wait_and_refuses_nothing(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    aws.provisioning = 1e6
    with pytest.raises(RolloutError, match="is not done after"):
        run(spec_for(model="m2", stage="canary"))
    assert marks.REFUSED not in aws.tag_store[ARN]


def test_tear_down_waits_for_an_update_and_removes_the_configs(run: Run, aws: FakeAws) -> None:
    run(spec_for(), adopt=False)
    killed(run, 5, spec_for(model="m2", stage="canary"))
    tear_down(aws.cloud(), run.pace(), "e")
    assert not aws.endpoints and not aws.configs
    tear_down(aws.cloud(), run.pace(), "e")
