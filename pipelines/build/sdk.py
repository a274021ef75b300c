"""The SageMaker SDK, made quiet and offline: it must neither phone home nor ask AWS about anything."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import boto3
from sagemaker.core.network import NetworkConfig
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.training.configs import (
    Compute,
    InputData,
    Networking,
    OutputDataConfig,
    StoppingCondition,
)
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep
from sagemaker.train import ModelTrainer

from pipelines.bind import SENTINELS
from workloads.contract import Workload

Value: TypeAlias = Any
"""A string, or what stands for one until the pipeline runs; the SDK is not typed here."""
PROCESSING = "/opt/ml/processing"
TELEMETRY = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}


def session() -> PipelineSession:
    """A session that calls nobody."""
    bucket = SENTINELS["artifacts-bucket"]
    made = PipelineSession(
        boto_session=boto3.Session(region_name="us-east-1"), default_bucket=bucket, sagemaker_config=TELEMETRY
    )
    # Else the SDK asks S3 whether the bucket exists.
    made._default_bucket = bucket
    return made


class Steps:
    """Makes the steps of one workload's pipeline, all bound to the same network, keys and limits."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.session = session()

    def under(self, name: str) -> Join:
        """A prefix of this execution's own: two executions never write to the same place, and a repeated one
        overwrites nothing."""
        base = f"s3://{SENTINELS['artifacts-bucket']}/{self.workload.name}/executions"
        return Join(on="/", values=[base, ExecutionVariables.PIPELINE_EXECUTION_ID, name])

    def processing(
        self,
        name: str,
        module: str,
        *,
        inputs: Mapping[str, Value],
        outputs: tuple[str, ...],
        environment: Mapping[str, Value] | None = None,
        connected: bool = False,
        files: tuple[PropertyFile, ...] = (),
    ) -> ProcessingStep:
        """One processing job: the module of `pipelines.steps`, its inputs by S3 prefix, its outputs by name."""
        processor = Processor(
            role=SENTINELS["connected-role" if connected else "isolated-role"],
            image_uri=SENTINELS["steps-image"],
            instance_count=1,
            instance_type=self.workload.training.processing_instance_type,
            entrypoint=["python", "-m", f"pipelines.steps.{module}"],
            volume_size_in_gb=self.workload.training.volume_gb,
            volume_kms_key=SENTINELS["artifacts-key"],
            output_kms_key=SENTINELS["artifacts-key"],
            max_runtime_in_seconds=self.workload.training.maximum_minutes * 60,
            env={"SLUICE_WORKLOAD": self.workload.name, **(environment or {})},
            network_config=NetworkConfig(
                enable_network_isolation=not connected,
                security_group_ids=SENTINELS["security-groups"],
                subnets=SENTINELS["subnets"],
                encrypt_inter_container_traffic=True,
            ),
            sagemaker_session=self.session,
        )
        arguments = processor.run(
            inputs=[
                ProcessingInput(
                    input_name=given,
                    s3_input=ProcessingS3Input(
                        s3_uri=uri,
                        local_path=f"{PROCESSING}/input/{given}",
                        s3_data_type="S3Prefix",
                        s3_input_mode="File",
                        s3_data_distribution_type="FullyReplicated",
                    ),
                )
                for given, uri in inputs.items()
            ],
            outputs=[
                ProcessingOutput(
                    output_name=made,
                    s3_output=ProcessingS3Output(
                        s3_uri=self.under(f"{module.replace('_', '-')}/{made}"),
                        local_path=f"{PROCESSING}/output/{made}",
                        s3_upload_mode="EndOfJob",
                    ),
                )
                for made in outputs
            ],
        )
        return ProcessingStep(name=name, step_args=arguments, property_files=list(files))

    def training(self, name: str, channels: Mapping[str, Value]) -> TrainingStep:
        """The training job; the image's own entrypoint runs `pipelines.steps.train`."""
        made = ModelTrainer(
            training_image=SENTINELS["steps-image"],
            role=SENTINELS["isolated-role"],
            sagemaker_session=self.session,
            compute=Compute(
                instance_type=self.workload.training.instance_type,
                instance_count=1,
                volume_size_in_gb=self.workload.training.volume_gb,
                volume_kms_key_id=SENTINELS["artifacts-key"],
            ),
            networking=Networking(
                security_group_ids=SENTINELS["security-groups"],
                subnets=SENTINELS["subnets"],
                enable_network_isolation=True,
                enable_inter_container_traffic_encryption=True,
            ),
            stopping_condition=StoppingCondition(
                max_runtime_in_seconds=self.workload.training.maximum_minutes * 60
            ),
            output_data_config=OutputDataConfig(
                s3_output_path=self.under("train"), kms_key_id=SENTINELS["artifacts-key"]
            ),
            input_data_config=[InputData(channel_name=c, data_source=uri) for c, uri in channels.items()],
            hyperparameters={key: str(value) for key, value in self.workload.hyperparameters.items()},
            environment={"SLUICE_WORKLOAD": self.workload.name},
        )
        return TrainingStep(name=name, step_args=made.train())


def output_of(step: ProcessingStep, output: str) -> Any:
    """The S3 prefix where a step left an output."""
    return step.properties.ProcessingOutputConfig.Outputs[output].S3Output.S3Uri
