"""Processing and training jobs that really run: files in, a process, files out."""

from emulator.context import Context
from emulator.sagemaker import tagging
from emulator.sagemaker.jobs.processing import ProcessingJobs
from emulator.sagemaker.jobs.runner import Runner
from emulator.sagemaker.jobs.training import TrainingJobs
from emulator.sagemaker.seam import Params, serve

PRETENDED = (
    "create_auto_ml_job_v2",
    "create_compilation_job",
    "create_hyper_parameter_tuning_job",
    "create_transform_job",
)
"""Jobs that moto completes at once without running anything."""


def install(context: Context) -> None:
    """Serve the actions of processing and training jobs."""
    processing, training = ProcessingJobs(context, Runner(context)), TrainingJobs(context, Runner(context))
    tagging.install()
    serve(
        create_processing_job=processing.create,
        describe_processing_job=processing.describe,
        list_processing_jobs=processing.list,
        stop_processing_job=processing.stop,
        create_training_job=training.create,
        describe_training_job=training.describe,
        list_training_jobs=training.list,
        stop_training_job=training.stop,
        **dict.fromkeys(PRETENDED, _not_run),
    )


def _not_run(params: Params) -> None:
    raise NotImplementedError("moto would answer that the job has completed, and nothing would have run")
