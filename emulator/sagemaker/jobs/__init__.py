"""Processing and training jobs that really run: files in, a process, files out."""

from emulator.context import Context
from emulator.sagemaker import tagging
from emulator.sagemaker.jobs.processing import ProcessingJobs
from emulator.sagemaker.jobs.runner import Runner
from emulator.sagemaker.jobs.training import TrainingJobs
from emulator.sagemaker.seam import serve


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
    )
