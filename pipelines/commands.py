"""`sluice train`, `sluice data` and `sluice packages`."""

from datetime import datetime
from typing import Annotated, Any

import typer

from sluice import output, progress
from sluice.clock import iso, parse_iso
from sluice.errors import SluiceError

WorkloadName = Annotated[str, typer.Argument(help="The workload, such as flights.")]
SHOWN = ("auc", "average_precision", "log_loss", "brier", "ece", "precision", "recall", "cost_per_row")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train)
    app.command()(packages)
    data = typer.Typer(help="The data that training reads.", no_args_is_help=True)
    data.command()(arrive)
    # With one command alone typer would make the group itself that command.
    data.callback()(lambda: None)
    app.add_typer(data, name="data")


def train(
    workload: WorkloadName,
    train_until: Annotated[str, typer.Option(help="Train on events before this moment, such as 2013-04-01.")],
    evaluate_until: Annotated[str, typer.Option(help="Evaluate on the events from there to this moment.")],
    wait: Annotated[bool, typer.Option(help="Follow the execution to its end.")] = True,
    again: Annotated[
        bool, typer.Option("--again", help="Train even if these inputs were trained on.")
    ] = False,
) -> None:
    """Run the training pipeline: validate, prepare, train, evaluate, gate, register.

    The same moments and the same code are trained on once; asking again joins that execution. Ends with an error
    that names the step and its reason if the data or the model is refused.
    """
    from pipelines import executions
    from sluice import aws
    from sluice.engine import outputs
    from workloads.contract import Workload

    known = Workload.load(workload)
    parameters = {
        "TrainUntil": iso(_moment("--train-until", train_until)),
        "EvaluateUntil": iso(_moment("--evaluate-until", evaluate_until)),
    }
    pipelines, sagemaker = outputs.pipelines(known.name), aws.client("sagemaker")
    execution = executions.start(
        sagemaker, pipelines.training_pipeline, parameters, executions.commit(), again
    )
    started = {"workload": known.name, "execution": execution, "parameters": parameters}
    if not wait:
        output.emit(started, f"started {execution}")
        return
    with progress.step(f"{known.name}: training on events before {parameters['TrainUntil'][:10]}") as step:
        steps = executions.follow(sagemaker, execution, step.update)
        found = _registered(known.name, execution)
        step.done(f"version {found['version']} is registered")
    value = {**started, **found, "steps": steps}
    output.emit(value, lambda: _trained(value))


def arrive(
    workload: WorkloadName,
    until: Annotated[str, typer.Option(help="Bring what had happened and was known before this moment.")],
) -> None:
    """Let recorded data arrive in the data bucket, up to a moment of its own time. Again changes nothing."""
    from sluice.engine import outputs
    from workloads import modules
    from workloads.contract import Workload

    name, moment = Workload.load(workload).name, _moment("--until", until)
    bucket = outputs.platform().data_bucket
    with progress.step(f"{name}: data arrives up to {iso(moment)}") as step:
        counts = dict(modules.source(name).arrive(moment, bucket))
        said = ", ".join(f"{count} {what}" for what, count in counts.items())
        step.done(said)
    output.emit({"workload": name, "until": iso(moment), "bucket": bucket, **counts}, said)


def packages(
    workload: WorkloadName,
    register_incumbent: Annotated[
        bool, typer.Option("--register-incumbent", help="Make the rule that decides today version 0.")
    ] = False,
) -> None:
    """List the versions in the registry: what they are, how good, and whether they are approved."""
    from pipelines import registry
    from workloads.contract import Workload

    name = Workload.load(workload).name
    if register_incumbent:
        made = registry.register_incumbent(name)
        output.emit({"workload": name, **made}, f"{name} {made['version']} is {made['package']}")
        return
    found = registry.summaries(name)
    output.emit({"workload": name, "packages": found}, lambda: _packages(found))


def _moment(option: str, text: str) -> datetime:
    try:
        return parse_iso(text)
    except ValueError:
        raise SluiceError(
            f"{option} is {text!r}", "Give a moment like 2013-04-01 or 2013-04-01T12:00:00Z."
        ) from None


def _registered(workload: str, execution: str) -> dict[str, Any]:
    from pipelines import registry
    from pipelines.steps.registry import packages as described
    from sluice import aws
    from sluice.naming import model_package_group_name

    for package in described(aws.client("sagemaker"), model_package_group_name(workload)):
        properties = package.get("CustomerMetadataProperties") or {}
        if properties.get("execution") == execution:
            uri = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
            evaluation = registry.evaluation(uri)
            return {
                "version": properties["version"],
                "package": package["ModelPackageArn"],
                "change": properties["change"],
                "evaluation": uri,
                "rows": evaluation.get("rows"),
                "models": {
                    name: {"metrics": model["metrics"], "intervals": model["intervals"]}
                    for name, model in evaluation.get("models", {}).items()
                },
            }
    raise SluiceError(f"{execution} succeeded and registered nothing", "Look at its steps: sluice logs.")


def _trained(value: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table(
        title=f"{value['workload']} {value['version']}, on {value['rows']} later rows", title_justify="left"
    )
    table.add_column("metric")
    for name in value["models"]:
        table.add_column(name, justify="right")
    for metric in SHOWN:
        cells = [_with_interval(model, metric) for model in value["models"].values()]
        table.add_row(metric, *cells)
    return table


def _with_interval(model: dict[str, Any], metric: str) -> str:
    value, interval = model["metrics"].get(metric), model["intervals"].get(metric)
    if value is None:
        return "-"
    return f"{value:.4f}" if interval is None else f"{value:.4f} ({interval[0]:.4f} to {interval[1]:.4f})"


def _packages(found: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    if not found:
        return "no version is registered"
    table = Table()
    for column in ("version", "kind", "change", "approval", "trained until", "AUC", "log loss", "package"):
        table.add_column(column)
    for package in found:
        metrics = package["metrics"]
        table.add_row(
            package["version"],
            package["kind"],
            package["change"],
            package["approval"],
            package["train_until"][:10],
            *(f"{metrics[m]:.4f}" if metrics.get(m) is not None else "-" for m in ("auc", "log_loss")),
            package["package"].rpartition(":")[2],
        )
    return table
