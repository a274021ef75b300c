"""Pipelines whose executions really run each step."""

from emulator.context import Context
from emulator.sagemaker import tagging
from emulator.sagemaker.pipelines.executions import Executions
from emulator.sagemaker.pipelines.registry import Pipelines
from emulator.sagemaker.seam import Params, refusal, serve


def install(context: Context) -> None:
    """Serve the actions of pipelines and their executions."""
    pipelines = Pipelines(context)
    executions = Executions(context, pipelines)
    tagging.install()
    serve(
        create_pipeline=pipelines.create,
        update_pipeline=pipelines.update,
        describe_pipeline=pipelines.describe,
        delete_pipeline=pipelines.delete,
        list_pipelines=pipelines.list,
        start_pipeline_execution=executions.start,
        describe_pipeline_execution=executions.describe,
        list_pipeline_executions=executions.list,
        list_pipeline_execution_steps=executions.steps,
        describe_pipeline_definition_for_execution=executions.definition,
        list_pipeline_parameters_for_execution=executions.parameters,
        stop_pipeline_execution=executions.stop,
        retry_pipeline_execution=executions.retry,
        update_pipeline_execution=executions.update,
        send_pipeline_execution_step_success=_no_callbacks,
        send_pipeline_execution_step_failure=_no_callbacks,
    )


def _no_callbacks(params: Params) -> None:
    # CreatePipeline refuses Callback steps, so no token can be right.
    raise refusal(f"Callback token {params['CallbackToken']} does not exist.", "ResourceNotFound")
